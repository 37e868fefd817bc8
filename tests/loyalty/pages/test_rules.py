"""Each page and each form is for the roles that this table names, and for nobody else."""

from __future__ import annotations

import re

import pytest

from loyalty.http.rules import RULES
from loyalty.pages.pages import PAGES
from loyalty.pages.rules import ANYBODY, PAGE_RULES
from loyalty.people.service import ROLES
from loyalty.staff.models import Role
from tests.loyalty.pages.site import Site

M, R, C, A = Role.MARKETING, Role.MANAGER, Role.CASHIER, Role.AUDITOR
ALL = {M, R, C, A}


def plans(below: str, name: str) -> dict[tuple[str, str], set[Role]]:
    """Plans of a kind: marketing writes, a manager publishes."""
    return {
        **{key: {M, R, A} for key in [("GET", below), ("GET", f"{below}/{{{name}}}")]},
        **{key: {M} for key in [("GET", f"{below}/new"), ("POST", f"{below}/new")]},
        ("POST", f"{below}/{{{name}}}/publish"): {R},
    }


TABLE: dict[tuple[str, str], set[Role]] = {
    **dict.fromkeys([("GET", "/"), ("POST", "/sign-out"), ("GET", "/home"), ("GET", "/account")], ALL),
    **dict.fromkeys([("POST", "/account/password"), ("POST", "/account/recovery-codes")], ALL),
    ("POST", "/account/sessions/{session}/end"): ALL,
    **{key: {R, A} for key in [("GET", "/people"), ("GET", "/people/{person}")]},
    **{key: {R} for key in [("GET", "/people/invite"), ("POST", "/people/invite"), ("POST", "/people/{person}/role")]},
    **{key: {R} for key in [("POST", "/people/{person}/invite-again"), ("POST", "/people/{person}/end")]},
    **{key: {R, C, A} for key in [("GET", "/customers"), ("GET", "/customers/{customer}")]},
    **{key: {R, C} for key in [("GET", "/customers/new"), ("POST", "/customers/new")]},
    ("POST", "/customers/{customer}/identifiers"): {R, C},
    ("POST", "/customers/{customer}/identifiers/{identifier}/remove"): {R, C},
    ("POST", "/customers/{customer}/consents"): {R, C},
    ("POST", "/customers/{customer}/referral-code"): {R, C},
    ("POST", "/customers/{customer}/referral"): {R, C},
    ("POST", "/customers/{customer}/debts/{debt}/write-off"): {R},
    **{key: {R} for key in [("GET", "/customers/{customer}/erase"), ("POST", "/customers/{customer}/erase")]},
    **dict.fromkeys([("GET", "/sales"), ("GET", "/sales/{sale}")], ALL),
    **{key: {M, R, A} for key in [("GET", "/sales/returns"), ("GET", "/sales/corrections")]},
    **{key: {R, C} for key in [("GET", "/sales/{sale}/correct"), ("POST", "/sales/{sale}/correct")]},
    ("POST", "/sales/{sale}/recognise"): {R, C},
    ("POST", "/sales/{sale}/evaluate"): {R},
    **dict.fromkeys([("GET", "/fills"), ("GET", "/fills/{fill}")], ALL),
    ("GET", "/devices"): {M, R, A},
    ("GET", "/devices/events"): {R, A},
    **{key: {R} for key in [("GET", "/devices/new"), ("POST", "/devices/new")]},
    **{key: {R} for key in [("GET", "/devices/{device}/rotate-key"), ("POST", "/devices/{device}/rotate-key")]},
    **{key: {R} for key in [("GET", "/devices/{device}/revoke"), ("POST", "/devices/{device}/revoke")]},
    **dict.fromkeys([("GET", "/till-files"), ("GET", "/till-files/{file}")], ALL),
    **{key: {R, C} for key in [("GET", "/till-files/new"), ("POST", "/till-files/new")]},
    ("POST", "/till-files/{file}/take-again"): {R, C},
    **{key: {M, R, A} for key in [("GET", "/messages"), ("GET", "/messages/{message}"), ("GET", "/messages/kinds")]},
    ("GET", "/messages/kinds/{kind}"): {M, R, A},
    **{key: {M, R} for key in [("POST", "/messages/kinds/{kind}"), ("POST", "/messages/kinds/{kind}/reset")]},
    ("POST", "/messages/{message}/send-again"): {R},
    **plans("/rule-sets", "rule_set"),
    **plans("/tiers", "tier_scheme"),
    **plans("/tasks", "task"),
    **plans("/referrals", "referral_scheme"),
    **plans("/gifts", "gift_plan"),
    ("GET", "/tasks/{task}/progress"): {M, R, A},
    **{key: {M, R, A} for key in [("GET", "/tiers/{tier_scheme}/preview"), ("GET", "/budgets")]},
    ("GET", "/quiet-weeks"): {M, R, A},
    ("GET", "/rule-sets/{rule_set}/simulation"): {M, R},
    **{key: {M, R, A} for key in [("GET", "/wishes"), ("GET", "/wishes/{wish}")]},
    **{key: {R} for key in [("POST", "/wishes/{wish}/retry"), ("POST", "/wishes/{wish}/write-off")]},
    **{key: {R, A} for key in [("GET", "/differences"), ("GET", "/differences/{difference}")]},
    ("POST", "/differences/{difference}/close"): {R},
    ("GET", "/stations"): ALL,
    **{key: {R} for key in [("GET", "/stations/new"), ("POST", "/stations/new")]},
    **{key: {R} for key in [("GET", "/stations/{station}"), ("POST", "/stations/{station}")]},
    **{key: {R} for key in [("GET", "/refused-messages"), ("GET", "/refused-messages/{refused_message}")]},
    ("POST", "/refused-messages/{refused_message}/take-again"): {R},
    ("POST", "/refused-messages/{refused_message}/put-aside"): {R},
    ("GET", "/keys"): {R, A},
    **{key: {R} for key in [("GET", "/keys/new"), ("POST", "/keys/new")]},
    **{key: {R} for key in [("GET", "/keys/{key}/revoke"), ("POST", "/keys/{key}/revoke")]},
    ("GET", "/audit-log"): {R, A},
}
LAST = ("POST", "/sign-out")


def test_every_route_is_in_the_table() -> None:
    assert set(TABLE) == {rule for rule, roles in PAGE_RULES.items() if roles != ANYBODY}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_only_where_the_table_lets_it(site: Site, role: Role) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(role))
    wrong = []
    for (method, route), allowed in sorted(TABLE.items(), key=lambda one: one[0] == LAST):
        path = "/staff" + re.sub(r"\{(\w+)\}", lambda name: site.things.get(name[1], f"{name[1]}_x"), route)
        answer = browser.get(path) if method == "GET" else browser.post(path)
        is_in = answer.status_code != 403
        if is_in is not (role in allowed) or answer.status_code >= 500:
            wrong.append(f"{role} {method} {route}: {answer.status_code}")
    assert wrong == []


def test_nobody_gets_in_without_signing_in(site: Site) -> None:
    browser = site.team.browser()
    for method, route in TABLE:
        path = f"/staff{route}"
        answer = browser.get(path) if method == "GET" else browser.post(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/staff/sign-in"), path


@pytest.mark.parametrize("role", ROLES)
def test_the_navigation_shows_what_a_role_may_open(site: Site, role: Role) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(role))
    text = browser.get("/staff/home").text
    for page in PAGES:
        assert (f'href="{page.path}"' in text) is (role in TABLE["GET", page.below]), page.name


def test_only_managers_decide_and_only_marketing_writes() -> None:
    for (method, route), roles in TABLE.items():
        if method == "POST" and route.rpartition("/")[2] in ("publish", "retry", "write-off", "close", "erase"):
            assert roles == {R}
    assert {Role.DEVICE} & {role for roles in PAGE_RULES.values() for role in roles} == set()
    assert RULES["POST", "/v1/rule-sets"] == {M}
