"""What nobody should send: junk in addresses, filters and fields. It is refused in words, and is never a failure of ours."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from console.pages import PAGES
from pages.forms.form import KEY
from tests.console.own_key import send
from tests.console.site import Site

JUNK = (
    *(
        "\0",
        "..",
        "😀'\"<b>",
        "%",
        "-1",
        "9" * 400,
        "mem_" + "0" * 26,
        "external:",
        "0x" + "g" * 64,
        "０１",
        "\u202e\ud7ff",
    ),
)
POINTS = (
    "0",
    "-1",
    "1.5",
    "1e3",
    "１２３",
    "1，000",
    "18446744073709551616",
    "9" * 400,
    "²",
    "٣",
    " 5 ",
    "0x10",
    "NaN",
    "+5",
    "--",
    "1 000 000",
)
SEATS = ("merchant:admin", "operator", "treasury", "auditor")


def routes(method: str) -> list[tuple[str, frozenset[str]]]:
    return [
        (page.path + route.path, page.seats)  # type: ignore[attr-defined]
        for page in PAGES
        for route in page.router.routes
        if method in route.methods  # type: ignore[attr-defined]
    ]


ACTS_ON_ANYTHING = {
    "/operations/pause",
    "/operations/resume",
    "/operations/quarantine/retry",
    "/account/sessions/end-others",
}
"""Forms that take any text, or none, and would do what they are for."""


def seat_for(seats: frozenset[str]) -> str:
    return next(seat for seat in SEATS if seat in seats)


@pytest.mark.parametrize("seat", SEATS)
def test_junk_in_an_address_is_never_a_failure(site: Site, seat: str) -> None:
    wrong = []
    with site.http(site.seats[seat]) as http:
        for path, seats in routes("GET"):
            if seat not in seats:
                continue
            for junk in (JUNK[len(path) % len(JUNK)], JUNK[(len(path) + 4) % len(JUNK)]):
                address = re.sub(r"\{\w+\}", quote(junk, safe=":"), path)
                if "{" in path:
                    answers = [http.get(address)]
                else:
                    named = (
                        "cursor",
                        "search",
                        "member",
                        "movement",
                        "state",
                        "from",
                        "merchant",
                        "offer",
                        "done",
                        "q",
                        "kind",
                        "program",
                    )
                    answers = [http.get(address, params=dict.fromkeys(named, junk))]
                wrong += [f"{answer.status_code} {answer.url}" for answer in answers if answer.status_code >= 500]
    assert wrong == []


@pytest.mark.parametrize("junk", [JUNK[0], JUNK[2], JUNK[5], JUNK[-1]])
def test_junk_in_a_form_is_never_a_failure(site: Site, junk: str) -> None:
    named = (
        *("offer", "who", "points", "reference", "member", "recipient", "program", "reason", "movement", "external_id"),
        *("link_code", "into", "name", "source_program", "target_program", "target_merchant", "rate", "fee_bps"),
        *("unit_price_micros", "max_points", "daily_cap", "initiators", "valid_from", "valid_until", "accept_by"),
        *("signature", "effective_at", "grace_minutes", "lifetime_days", "merchant", "micros", "bank_reference"),
        *(
            "credit_limit_micros",
            "lines",
            "chosen",
            "first_day",
            "url",
            "further",
            "sources",
            "since",
            "scopes",
            "role",
        ),
        *("email", "language", "keeper", "signer_address", "code", "title", "step", "expires_on", "supersedes", "kind"),
    )
    wrong = []
    for path, seats in routes("POST"):
        if path in ACTS_ON_ANYTHING:
            continue
        address = re.sub(r"\{\w+\}", quote(junk, safe=":"), path)
        answer = send(site, seat_for(seats), address, {**dict.fromkeys(named, junk), KEY: junk, "step": "do"})
        if answer.status_code >= 500:
            wrong.append(f"{answer.status_code} {path}")
    assert wrong == []


@pytest.mark.parametrize(
    ("seat", "path", "field", "form"),
    [
        ("merchant:cashier", "/cashier", "points", {"offer": "redeem:FUEL", "who": "FC-1003"}),
        ("merchant:admin", "/issue", "points", {"program": "FUEL", "member": "FC-1003", "reason": "😀 \"'<b>"}),
        (
            "merchant:admin",
            "/transfer",
            "points",
            {"program": "FUEL", "member": "FC-1003", "recipient": "FC-1002", "reason": "x"},
        ),
        ("merchant:admin", "/reversals/new", "points", {"movement": "{redeem}", "reason": "x"}),
        (
            "treasury",
            "/settlement/deposits/new",
            "micros",
            {"merchant": "{fuel}", "bank_reference": "JUNK", "reason": "x"},
        ),
        ("operator", "/settlement/merchants/{fuel}/credit-limit", "credit_limit_micros", {"reason": "x"}),
    ],
)
def test_a_strange_amount_is_refused_beside_its_field_or_read_as_it_is_meant(
    site: Site, seat: str, path: str, field: str, form: dict[str, str]
) -> None:
    things = {"redeem": site.movements["redeem"].id, "fuel": site.merchants["FUEL"].id}
    values = {name: text.format(**things) for name, text in form.items()}
    said = {}
    for typed in POINTS:
        if "credit" in path and typed in ("１２３", "1，000", " 5 ", "0", "1.5", "1 000 000"):
            continue  # these are amounts, and this form acts at once
        answer = send(site, seat, path.format(**things), {**values, field: typed, "step": "check"})
        assert answer.status_code in (200, 422), f"{typed}: {answer.status_code} {answer.headers.get('location')}"
        said[typed] = answer.status_code
        if answer.status_code == 422:
            assert f'id="f-{field}-error"' in answer.text, typed
    good = {typed for typed, status in said.items() if status == 200}
    money = {"1.5"} if field == "micros" else set()
    assert good <= {"１２３", "1，000", " 5 ", "1 000 000"} | money
    assert "credit" in path or "１２３" in good
