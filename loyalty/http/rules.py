"""Which roles may call which route. A route without a line here cannot be served."""

from __future__ import annotations

from typing import Final

from loyalty.staff.models import Role

PUBLIC: Final[frozenset[Role]] = frozenset()
"""For everybody, without a key."""
_OFFICE = frozenset({Role.MARKETING, Role.MANAGER, Role.AUDITOR})
_MANAGERS = frozenset({Role.MANAGER})
_LOOKING = frozenset({Role.MANAGER, Role.AUDITOR})
_TILLS = frozenset({Role.CASHIER, Role.DEVICE, Role.MANAGER})
_COUNTER = frozenset({Role.CASHIER, Role.MANAGER})
_DEVICES = frozenset({Role.DEVICE})
_MARKETING = frozenset({Role.MARKETING})
_ALL_BUT_DEVICES = frozenset(Role) - {Role.DEVICE}
_RULE_MAKERS = frozenset({Role.MARKETING, Role.MANAGER})

LOOKING_POSTS: Final = frozenset({("POST", "/v1/rule-sets/{rule_set}/simulate")})
"""What is asked with a body and changes nothing: it needs no idempotency key, and holds nobody up."""

LARGEST_BODY: Final = 1_000_000
LARGEST_TILL_FILE: Final = 20_000_000
LARGEST_BODIES: Final = {("POST", "/v1/till-files"): LARGEST_TILL_FILE}
"""The most bytes of a body, and where it is more."""

RULES: Final[dict[tuple[str, str], frozenset[Role]]] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/v1/wishes"): _OFFICE,
    ("GET", "/v1/wishes/{wish}"): _OFFICE,
    ("POST", "/v1/wishes/{wish}/retry"): _MANAGERS,
    ("POST", "/v1/wishes/{wish}/write-off"): _MANAGERS,
    ("GET", "/v1/differences"): _LOOKING,
    ("POST", "/v1/differences/{difference}/close"): _MANAGERS,
    ("GET", "/v1/debts"): _ALL_BUT_DEVICES,
    ("POST", "/v1/debts/{debt}/write-off"): _MANAGERS,
    ("GET", "/v1/keys"): _LOOKING,
    ("POST", "/v1/keys"): _MANAGERS,
    ("POST", "/v1/keys/{key}/revoke"): _MANAGERS,
    ("GET", "/v1/audit-log"): _LOOKING,
    ("GET", "/v1/stations"): frozenset(Role),
    ("POST", "/v1/stations"): _MANAGERS,
    ("GET", "/v1/stations/{station}/quiet-weeks"): _OFFICE,
    ("GET", "/v1/customers"): _LOOKING,
    ("GET", "/v1/customers/lookup"): _COUNTER,
    ("GET", "/v1/customers/{customer}"): _COUNTER,
    ("POST", "/v1/customers"): _COUNTER,
    ("POST", "/v1/customers/{customer}/identifiers"): _COUNTER,
    ("POST", "/v1/customers/{customer}/identifiers/{identifier}/remove"): _COUNTER,
    ("POST", "/v1/customers/{customer}/consents"): _COUNTER,
    ("POST", "/v1/customers/{customer}/erase"): _MANAGERS,
    ("GET", "/v1/rule-sets"): _OFFICE,
    ("GET", "/v1/rule-sets/{rule_set}"): _OFFICE,
    ("POST", "/v1/rule-sets"): _MARKETING,
    ("POST", "/v1/rule-sets/{rule_set}/publish"): _MANAGERS,
    ("GET", "/v1/tier-schemes"): _OFFICE,
    ("GET", "/v1/tier-schemes/{scheme}"): _OFFICE,
    ("POST", "/v1/tier-schemes"): _MARKETING,
    ("POST", "/v1/tier-schemes/{scheme}/publish"): _MANAGERS,
    ("GET", "/v1/tier-schemes/{scheme}/preview"): _OFFICE,
    ("GET", "/v1/tasks"): _OFFICE,
    ("GET", "/v1/tasks/{task}"): _OFFICE,
    ("POST", "/v1/tasks"): _MARKETING,
    ("POST", "/v1/tasks/{task}/publish"): _MANAGERS,
    ("GET", "/v1/customers/{customer}/tier"): _COUNTER,
    ("GET", "/v1/customers/{customer}/tier-moves"): _COUNTER,
    ("GET", "/v1/customers/{customer}/tasks"): _COUNTER,
    ("GET", "/v1/customers/{customer}/bonuses"): _COUNTER,
    ("GET", "/v1/referral-schemes"): _OFFICE,
    ("GET", "/v1/referral-schemes/{scheme}"): _OFFICE,
    ("POST", "/v1/referral-schemes"): _MARKETING,
    ("POST", "/v1/referral-schemes/{scheme}/publish"): _MANAGERS,
    ("POST", "/v1/customers/{customer}/referral-code"): _COUNTER,
    ("GET", "/v1/customers/{customer}/referrals"): _COUNTER,
    ("POST", "/v1/referrals"): _COUNTER,
    ("GET", "/v1/gift-plans"): _OFFICE,
    ("GET", "/v1/gift-plans/{plan}"): _OFFICE,
    ("POST", "/v1/gift-plans"): _MARKETING,
    ("POST", "/v1/gift-plans/{plan}/publish"): _MANAGERS,
    ("POST", "/v1/customers/{customer}/birthday"): _COUNTER,
    ("POST", "/v1/customers/{customer}/language"): _COUNTER,
    ("POST", "/v1/customers/{customer}/addresses"): _COUNTER,
    ("POST", "/v1/customers/{customer}/addresses/{channel}/remove"): _COUNTER,
    ("GET", "/v1/messages"): _OFFICE,
    ("GET", "/v1/messages/{message}"): _OFFICE,
    ("POST", "/v1/messages/{message}/send-again"): _MANAGERS,
    ("GET", "/v1/message-channels"): _OFFICE,
    ("GET", "/v1/message-kinds"): _OFFICE,
    ("POST", "/v1/message-kinds/{kind}"): _RULE_MAKERS,
    ("POST", "/v1/rule-sets/{rule_set}/simulate"): _RULE_MAKERS,
    ("GET", "/v1/sales"): _ALL_BUT_DEVICES,
    ("GET", "/v1/sales/{sale}"): _ALL_BUT_DEVICES,
    ("POST", "/v1/sales"): _TILLS,
    ("POST", "/v1/sales/bulk"): _TILLS,
    ("POST", "/v1/sales/{sale}/recognise"): _COUNTER,
    ("POST", "/v1/sales/{sale}/evaluate"): _MANAGERS,
    ("GET", "/v1/corrections"): _OFFICE,
    ("POST", "/v1/corrections"): _COUNTER,
    ("GET", "/v1/returns"): _OFFICE,
    ("POST", "/v1/returns"): _TILLS,
    ("GET", "/v1/till-files"): _ALL_BUT_DEVICES,
    ("POST", "/v1/till-files"): _TILLS,
    ("GET", "/v1/till-files/{file}"): _ALL_BUT_DEVICES,
    ("GET", "/v1/till-files/{file}/refusals"): _ALL_BUT_DEVICES,
    ("POST", "/v1/till-files/{file}/take-again"): _COUNTER,
    ("GET", "/v1/devices"): _OFFICE,
    ("POST", "/v1/devices"): _MANAGERS,
    ("POST", "/v1/devices/{device}/rotate-key"): _MANAGERS,
    ("POST", "/v1/devices/{device}/revoke"): _MANAGERS,
    ("GET", "/v1/devices/events"): _LOOKING,
    ("POST", "/v1/devices/events"): _DEVICES,
    ("GET", "/v1/refused-messages"): _MANAGERS,
    ("GET", "/v1/refused-messages/{message}"): _MANAGERS,
    ("POST", "/v1/refused-messages/{message}/take-again"): _MANAGERS,
    ("POST", "/v1/refused-messages/{message}/put-aside"): _MANAGERS,
    ("GET", "/v1/fills"): _ALL_BUT_DEVICES,
    ("GET", "/v1/fills/{fill}"): _ALL_BUT_DEVICES,
}
