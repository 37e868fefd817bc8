"""Each route may be called by the roles that this table names, and by nobody else."""

from __future__ import annotations

import re

import pytest

from loyalty.http.rules import RULES
from loyalty.staff.models import Role
from tests.loyalty.http_calls import Api

M, R, C, D, A = Role.MARKETING, Role.MANAGER, Role.CASHIER, Role.DEVICE, Role.AUDITOR
EVERYBODY = {M, R, C, D, A, None}
MATRIX: dict[tuple[str, str], set[Role | None]] = {
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/v1/wishes"): {M, R, A},
    ("GET", "/v1/wishes/{wish}"): {M, R, A},
    ("POST", "/v1/wishes/{wish}/retry"): {R},
    ("POST", "/v1/wishes/{wish}/write-off"): {R},
    ("GET", "/v1/differences"): {R, A},
    ("POST", "/v1/differences/{difference}/close"): {R},
    ("GET", "/v1/debts"): {M, R, C, A},
    ("POST", "/v1/debts/{debt}/write-off"): {R},
    ("GET", "/v1/keys"): {R, A},
    ("POST", "/v1/keys"): {R},
    ("POST", "/v1/keys/{key}/revoke"): {R},
    ("GET", "/v1/audit-log"): {R, A},
    ("GET", "/v1/stations"): {M, R, C, D, A},
    ("POST", "/v1/stations"): {R},
    ("GET", "/v1/stations/{station}/quiet-weeks"): {M, R, A},
    ("GET", "/v1/customers"): {R, A},
    ("GET", "/v1/customers/lookup"): {R, C},
    ("GET", "/v1/customers/{customer}"): {R, C},
    ("POST", "/v1/customers"): {R, C},
    ("POST", "/v1/customers/{customer}/identifiers"): {R, C},
    ("POST", "/v1/customers/{customer}/identifiers/{identifier}/remove"): {R, C},
    ("POST", "/v1/customers/{customer}/consents"): {R, C},
    ("POST", "/v1/customers/{customer}/erase"): {R},
    ("GET", "/v1/rule-sets"): {M, R, A},
    ("GET", "/v1/rule-sets/{rule_set}"): {M, R, A},
    ("POST", "/v1/rule-sets"): {M},
    ("POST", "/v1/rule-sets/{rule_set}/publish"): {R},
    ("GET", "/v1/tier-schemes"): {M, R, A},
    ("GET", "/v1/tier-schemes/{scheme}"): {M, R, A},
    ("POST", "/v1/tier-schemes"): {M},
    ("POST", "/v1/tier-schemes/{scheme}/publish"): {R},
    ("GET", "/v1/tier-schemes/{scheme}/preview"): {M, R, A},
    ("GET", "/v1/tasks"): {M, R, A},
    ("GET", "/v1/tasks/{task}"): {M, R, A},
    ("POST", "/v1/tasks"): {M},
    ("POST", "/v1/tasks/{task}/publish"): {R},
    ("GET", "/v1/customers/{customer}/tier"): {R, C},
    ("GET", "/v1/customers/{customer}/tier-moves"): {R, C},
    ("GET", "/v1/customers/{customer}/tasks"): {R, C},
    ("GET", "/v1/customers/{customer}/bonuses"): {R, C},
    ("GET", "/v1/referral-schemes"): {M, R, A},
    ("GET", "/v1/referral-schemes/{scheme}"): {M, R, A},
    ("POST", "/v1/referral-schemes"): {M},
    ("POST", "/v1/referral-schemes/{scheme}/publish"): {R},
    ("POST", "/v1/customers/{customer}/referral-code"): {R, C},
    ("GET", "/v1/customers/{customer}/referrals"): {R, C},
    ("POST", "/v1/referrals"): {R, C},
    ("GET", "/v1/gift-plans"): {M, R, A},
    ("GET", "/v1/gift-plans/{plan}"): {M, R, A},
    ("POST", "/v1/gift-plans"): {M},
    ("POST", "/v1/gift-plans/{plan}/publish"): {R},
    ("POST", "/v1/customers/{customer}/birthday"): {R, C},
    ("POST", "/v1/customers/{customer}/language"): {R, C},
    ("POST", "/v1/customers/{customer}/addresses"): {R, C},
    ("POST", "/v1/customers/{customer}/addresses/{channel}/remove"): {R, C},
    ("GET", "/v1/messages"): {M, R, A},
    ("GET", "/v1/messages/{message}"): {M, R, A},
    ("POST", "/v1/messages/{message}/send-again"): {R},
    ("GET", "/v1/message-channels"): {M, R, A},
    ("GET", "/v1/message-kinds"): {M, R, A},
    ("POST", "/v1/message-kinds/{kind}"): {M, R},
    ("POST", "/v1/rule-sets/{rule_set}/simulate"): {M, R},
    ("GET", "/v1/sales"): {M, R, C, A},
    ("GET", "/v1/sales/{sale}"): {M, R, C, A},
    ("POST", "/v1/sales"): {R, C, D},
    ("POST", "/v1/sales/bulk"): {R, C, D},
    ("POST", "/v1/sales/{sale}/recognise"): {R, C},
    ("POST", "/v1/sales/{sale}/evaluate"): {R},
    ("GET", "/v1/corrections"): {M, R, A},
    ("POST", "/v1/corrections"): {R, C},
    ("GET", "/v1/returns"): {M, R, A},
    ("POST", "/v1/returns"): {R, C, D},
    ("GET", "/v1/till-files"): {M, R, C, A},
    ("POST", "/v1/till-files"): {R, C, D},
    ("GET", "/v1/till-files/{file}"): {M, R, C, A},
    ("GET", "/v1/till-files/{file}/refusals"): {M, R, C, A},
    ("POST", "/v1/till-files/{file}/take-again"): {R, C},
    ("GET", "/v1/devices"): {M, R, A},
    ("POST", "/v1/devices"): {R},
    ("POST", "/v1/devices/{device}/rotate-key"): {R},
    ("POST", "/v1/devices/{device}/revoke"): {R},
    ("GET", "/v1/devices/events"): {R, A},
    ("POST", "/v1/devices/events"): {D},
    ("GET", "/v1/refused-messages"): {R},
    ("GET", "/v1/refused-messages/{message}"): {R},
    ("POST", "/v1/refused-messages/{message}/take-again"): {R},
    ("POST", "/v1/refused-messages/{message}/put-aside"): {R},
    ("GET", "/v1/fills"): {M, R, C, A},
    ("GET", "/v1/fills/{fill}"): {M, R, C, A},
}


def test_every_route_is_in_the_table() -> None:
    assert set(MATRIX) == set(RULES)


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_only_these_roles_get_in(api: Api) -> None:
    wrong = []
    for (method, route), allowed in MATRIX.items():
        path = re.sub(r"\{(\w+)\}", r"\1_x", route)
        for role in (*Role, None):
            answer = api.get(path, role) if method == "GET" else api.post(path, {"reason": "a test"}, role)
            expected = {404, 422, 200} if role in allowed else {401} if role is None else {403}
            if answer.status_code not in expected:
                wrong.append(f"{role} {method} {route}: {answer.status_code}")
    assert wrong == []
