"""Which roles may open which page and send which form. Where the API does the same, its rule holds here, too."""

from __future__ import annotations

from typing import Final

from loyalty.http.rules import RULES
from loyalty.people.service import ROLES
from loyalty.staff.models import Role

ANYBODY: Final[frozenset[Role]] = frozenset()
"""Without signing in."""
EVERYBODY: Final = frozenset(ROLES)
"""Whoever has signed in."""
_MANAGERS: Final = frozenset({Role.MANAGER})
_OVERSIGHT: Final = frozenset({Role.MANAGER, Role.AUDITOR})


def api(method: str, path: str) -> frozenset[Role]:
    """Who may call a route of the API."""
    return RULES[method, path] & EVERYBODY


def _plan(below: str, name: str, path: str, parameter: str) -> dict[tuple[str, str], frozenset[Role]]:
    """The rules of the routes that plans of every kind have: `name` is the parameter of the page, `parameter` that of the API."""
    return {
        ("GET", below): api("GET", path),
        ("GET", f"{below}/new"): api("POST", path),
        ("POST", f"{below}/new"): api("POST", path),
        ("GET", f"{below}/{{{name}}}"): api("GET", f"{path}/{{{parameter}}}"),
        ("POST", f"{below}/{{{name}}}/publish"): api("POST", f"{path}/{{{parameter}}}/publish"),
    }


_CUSTOMERS: Final = api("GET", "/v1/customers") | api("GET", "/v1/customers/{customer}")
"""Whoever may see only the list sees of a customer what was earned, and not by what the customer is known."""

PAGE_RULES: Final[dict[tuple[str, str], frozenset[Role]]] = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/sign-in"): ANYBODY,
    ("POST", "/sign-in"): ANYBODY,
    ("GET", "/join"): ANYBODY,
    ("POST", "/join"): ANYBODY,
    ("POST", "/join/code"): ANYBODY,
    ("POST", "/preferences"): ANYBODY,
    ("POST", "/sign-out"): EVERYBODY,
    ("GET", "/home"): EVERYBODY,
    ("GET", "/account"): EVERYBODY,
    ("POST", "/account/password"): EVERYBODY,
    ("POST", "/account/recovery-codes"): EVERYBODY,
    ("POST", "/account/sessions/{session}/end"): EVERYBODY,
    ("GET", "/customers"): _CUSTOMERS,
    ("GET", "/customers/new"): api("POST", "/v1/customers"),
    ("POST", "/customers/new"): api("POST", "/v1/customers"),
    ("GET", "/customers/{customer}"): _CUSTOMERS,
    ("POST", "/customers/{customer}/identifiers"): api("POST", "/v1/customers/{customer}/identifiers"),
    ("POST", "/customers/{customer}/identifiers/{identifier}/remove"): api(
        "POST", "/v1/customers/{customer}/identifiers/{identifier}/remove"
    ),
    ("POST", "/customers/{customer}/consents"): api("POST", "/v1/customers/{customer}/consents"),
    ("POST", "/customers/{customer}/referral-code"): api("POST", "/v1/customers/{customer}/referral-code"),
    ("POST", "/customers/{customer}/referral"): api("POST", "/v1/referrals"),
    ("POST", "/customers/{customer}/debts/{debt}/write-off"): api("POST", "/v1/debts/{debt}/write-off"),
    ("GET", "/customers/{customer}/erase"): api("POST", "/v1/customers/{customer}/erase"),
    ("POST", "/customers/{customer}/erase"): api("POST", "/v1/customers/{customer}/erase"),
    ("GET", "/sales"): api("GET", "/v1/sales"),
    ("GET", "/sales/returns"): api("GET", "/v1/returns"),
    ("GET", "/sales/corrections"): api("GET", "/v1/corrections"),
    ("GET", "/sales/{sale}"): api("GET", "/v1/sales/{sale}"),
    ("GET", "/sales/{sale}/correct"): api("POST", "/v1/corrections"),
    ("POST", "/sales/{sale}/correct"): api("POST", "/v1/corrections"),
    ("POST", "/sales/{sale}/recognise"): api("POST", "/v1/sales/{sale}/recognise"),
    ("POST", "/sales/{sale}/evaluate"): api("POST", "/v1/sales/{sale}/evaluate"),
    ("GET", "/fills"): api("GET", "/v1/fills"),
    ("GET", "/fills/{fill}"): api("GET", "/v1/fills/{fill}"),
    ("GET", "/till-files"): api("GET", "/v1/till-files"),
    ("GET", "/till-files/new"): api("POST", "/v1/till-files"),
    ("POST", "/till-files/new"): api("POST", "/v1/till-files"),
    ("GET", "/till-files/{file}"): api("GET", "/v1/till-files/{file}"),
    ("POST", "/till-files/{file}/take-again"): api("POST", "/v1/till-files/{file}/take-again"),
    ("GET", "/messages"): api("GET", "/v1/messages"),
    ("GET", "/messages/kinds"): api("GET", "/v1/message-kinds") & api("GET", "/v1/message-channels"),
    ("GET", "/messages/kinds/{kind}"): api("GET", "/v1/message-kinds"),
    ("POST", "/messages/kinds/{kind}"): api("POST", "/v1/message-kinds/{kind}"),
    ("POST", "/messages/kinds/{kind}/reset"): api("POST", "/v1/message-kinds/{kind}"),
    ("GET", "/messages/{message}"): api("GET", "/v1/messages/{message}"),
    ("POST", "/messages/{message}/send-again"): api("POST", "/v1/messages/{message}/send-again"),
    **_plan("/rule-sets", "rule_set", "/v1/rule-sets", "rule_set"),
    ("GET", "/rule-sets/{rule_set}/simulation"): api("POST", "/v1/rule-sets/{rule_set}/simulate"),
    **_plan("/tiers", "tier_scheme", "/v1/tier-schemes", "scheme"),
    ("GET", "/tiers/{tier_scheme}/preview"): api("GET", "/v1/tier-schemes/{scheme}/preview"),
    **_plan("/tasks", "task", "/v1/tasks", "task"),
    ("GET", "/tasks/{task}/progress"): api("GET", "/v1/tasks/{task}"),
    **_plan("/referrals", "referral_scheme", "/v1/referral-schemes", "scheme"),
    **_plan("/gifts", "gift_plan", "/v1/gift-plans", "plan"),
    ("GET", "/quiet-weeks"): api("GET", "/v1/stations/{station}/quiet-weeks"),
    ("GET", "/budgets"): api("GET", "/v1/rule-sets"),
    ("GET", "/wishes"): api("GET", "/v1/wishes"),
    ("GET", "/wishes/{wish}"): api("GET", "/v1/wishes/{wish}"),
    ("POST", "/wishes/{wish}/retry"): api("POST", "/v1/wishes/{wish}/retry"),
    ("POST", "/wishes/{wish}/write-off"): api("POST", "/v1/wishes/{wish}/write-off"),
    ("GET", "/differences"): api("GET", "/v1/differences"),
    ("GET", "/differences/{difference}"): api("GET", "/v1/differences"),
    ("POST", "/differences/{difference}/close"): api("POST", "/v1/differences/{difference}/close"),
    ("GET", "/stations"): api("GET", "/v1/stations"),
    ("GET", "/stations/new"): api("POST", "/v1/stations"),
    ("POST", "/stations/new"): api("POST", "/v1/stations"),
    ("GET", "/stations/{station}"): api("POST", "/v1/stations"),
    ("POST", "/stations/{station}"): api("POST", "/v1/stations"),
    ("GET", "/devices"): api("GET", "/v1/devices"),
    ("GET", "/devices/new"): api("POST", "/v1/devices"),
    ("POST", "/devices/new"): api("POST", "/v1/devices"),
    ("GET", "/devices/events"): api("GET", "/v1/devices/events"),
    ("GET", "/devices/{device}/rotate-key"): api("POST", "/v1/devices/{device}/rotate-key"),
    ("POST", "/devices/{device}/rotate-key"): api("POST", "/v1/devices/{device}/rotate-key"),
    ("GET", "/devices/{device}/revoke"): api("POST", "/v1/devices/{device}/revoke"),
    ("POST", "/devices/{device}/revoke"): api("POST", "/v1/devices/{device}/revoke"),
    ("GET", "/refused-messages"): api("GET", "/v1/refused-messages"),
    ("GET", "/refused-messages/{refused_message}"): api("GET", "/v1/refused-messages/{message}"),
    ("POST", "/refused-messages/{refused_message}/take-again"): api(
        "POST", "/v1/refused-messages/{message}/take-again"
    ),
    ("POST", "/refused-messages/{refused_message}/put-aside"): api("POST", "/v1/refused-messages/{message}/put-aside"),
    ("GET", "/keys"): api("GET", "/v1/keys"),
    ("GET", "/keys/new"): api("POST", "/v1/keys"),
    ("POST", "/keys/new"): api("POST", "/v1/keys"),
    ("GET", "/keys/{key}/revoke"): api("POST", "/v1/keys/{key}/revoke"),
    ("POST", "/keys/{key}/revoke"): api("POST", "/v1/keys/{key}/revoke"),
    ("GET", "/audit-log"): api("GET", "/v1/audit-log"),
    ("GET", "/people"): _OVERSIGHT,
    ("GET", "/people/invite"): _MANAGERS,
    ("POST", "/people/invite"): _MANAGERS,
    ("GET", "/people/{person}"): _OVERSIGHT,
    ("POST", "/people/{person}/role"): _MANAGERS,
    ("POST", "/people/{person}/invite-again"): _MANAGERS,
    ("POST", "/people/{person}/end"): _MANAGERS,
}
