"""Each route may be called by the roles that this table names, and by nobody else."""

from __future__ import annotations

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
    ("GET", "/v1/keys"): {R, A},
    ("POST", "/v1/keys"): {R},
    ("POST", "/v1/keys/{key}/revoke"): {R},
    ("GET", "/v1/audit-log"): {R, A},
}


def test_every_route_is_in_the_table() -> None:
    assert set(MATRIX) == set(RULES)


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_only_these_roles_get_in(api: Api) -> None:
    wrong = []
    for (method, route), allowed in MATRIX.items():
        path = route.replace("{wish}", "wsh_x").replace("{difference}", "dif_x").replace("{key}", "key_x")
        for role in (*Role, None):
            answer = api.get(path, role) if method == "GET" else api.post(path, {"reason": "a test"}, role)
            expected = {404, 422, 200} if role in allowed else {401} if role is None else {403}
            if answer.status_code not in expected:
                wrong.append(f"{role} {method} {route}: {answer.status_code}")
    assert wrong == []
