"""Forms: what was typed stays, what is wrong stands beside its field, and what is sent twice happens once."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import httpx
import pytest
from playwright.sync_api import expect
from starlette.datastructures import FormData

from console.pages import PAGES
from console.problems import refusals
from console.signin.codes import code_field, codes_of
from console.signin.routes import SignIn
from pages import csrf
from pages.forms import Field, Form, Mistake
from pages.forms.form import KEY
from pages.presentation import Presentation, presented
from tests.console.gallery.routes import Everything
from tests.console.served import GALLERY, served
from tests.console.site import Person, Site
from tongdui import (
    APIConnectionError,
    ConflictError,
    FieldError,
    IdempotencyInFlightError,
    IdempotencyKeyReusedError,
    OutcomeUnknownError,
    UnavailableError,
    ValidationError,
)

SHANGHAI = Presentation("en", timezone(timedelta(hours=8)), "CNY")
RIGHT = {"external_id": "F-1", "points": "1,000", "kind": "a", "understood": "on"}


@pytest.fixture(autouse=True)
def _shown() -> Iterator[None]:
    with presented(SHANGHAI):
        yield


# -------------------------------------------------------------------- what was typed


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("points", "1000", 1_000),
        ("points", "1,000", 1_000),
        ("points", "１０００", 1_000),
        ("points", "1，000", 1_000),
        ("points", "9007199254740991", 2**53 - 1),
        ("points", "１２３", 123),
        ("price", "12.34", 12_340_000),
        ("price", "0.000001", 1),
        ("price", "1,234.5", 1_234_500_000),
        ("price", "１２。５", 12_500_000),
        ("price", "12.3400000", 12_340_000),
        ("fee", "0.5", 50),
        ("fee", "0.05%", 5),
        ("fee", "100", 10_000),
        ("rate", "9/10", Fraction(9, 10)),
        ("rate", "0.9", Fraction(9, 10)),
        ("rate", "9:10", Fraction(9, 10)),
        ("on", "2026-12-31", date(2026, 12, 31)),
        ("at", "2026-12-31T18:00", datetime(2026, 12, 31, 10, 0, tzinfo=UTC)),
        ("email", "lin@fuel.example", "lin@fuel.example"),
    ],
)
def test_a_field_reads_what_people_type(name: str, typed: str, value: object) -> None:
    form = Everything(sent=FormData({**RIGHT, name: typed}))
    assert form.errors == {}
    assert form.values[name] == value


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("points", "0"),
        ("points", "-5"),
        ("points", "1.5"),
        ("points", "1e3"),
        ("points", "10,00"),
        ("points", "²"),
        ("points", "9007199254740992"),
        ("points", "18446744073709551616"),
        ("points", "9" * 5_000),
        ("price", "9" * 5_000),
        ("price", "9007199254.740992"),
        ("fee", "9" * 5_000),
        ("rate", "9" * 5_000),
        ("rate", "1/" + "9" * 5_000),
        ("on", "9999-12-31"),
        ("on", "0001-01-01"),
        ("on", "1999-12-31"),
        ("at", "9999-12-31T23:59"),
        ("at", "1969-01-01T00:00"),
        ("at", "2026-12-31T18:00+14:00:00.5x"),
        ("whole", "10"),
        ("price", "0.0000001"),
        ("price", "0"),
        ("price", "abc"),
        ("fee", "0.001"),
        ("fee", "101"),
        ("rate", "0"),
        ("rate", "1/0"),
        ("rate", "1/2/3"),
        ("on", "31.12.2026"),
        ("at", "noon"),
        ("at", "0001-01-01T00:00"),
        ("email", "lin"),
        ("kind", "c"),
        ("scopes", "admin"),
        ("external_id", ""),
        ("external_id", "   "),
        ("external_id", "x" * 201),
    ],
)
def test_a_field_says_what_it_cannot_read_and_keeps_it(name: str, typed: str) -> None:
    form = Everything(sent=FormData({**RIGHT, name: typed}))
    assert set(form.errors) == {name}
    assert form.errors[name].endswith(".")
    assert form.status == 422
    if typed.strip() and name not in {"kind", "scopes"}:
        assert form[name].value == typed


def test_a_box_that_must_be_ticked_says_so() -> None:
    form = Everything(sent=FormData({name: text for name, text in RIGHT.items() if name != "understood"}))
    assert set(form.errors) == {"understood"}


def test_a_password_is_never_shown_again() -> None:
    form = Everything(sent=FormData({**RIGHT, "secret": "hunter22", "points": "x"}))
    assert form["secret"].value == ""


def test_a_value_that_is_offered_can_be_sent_back_as_it_stands() -> None:
    offered = Everything({"price": 1_234_567, "fee": 5, "at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)})
    typed = {one.name: one.value for one in offered if one.value}
    form = Everything(sent=FormData({**RIGHT, **typed}))
    assert {name: form.values[name] for name in typed} == {name: offered.initial[name] for name in typed}


def test_a_field_without_a_rule_of_its_own_takes_any_text() -> None:
    assert Field("Label").parse("any") == "any"
    with pytest.raises(Mistake):
        Everything.fields["points"].parse("none")


# -------------------------------------------------------------------- what the gateway refuses


def refused(error: Exception) -> Everything:
    form = Everything(sent=FormData({**RIGHT, KEY: "key-1"}))
    with refusals(form):
        raise error
    return form


def test_a_refusal_stands_beside_the_field_at_which_it_points() -> None:
    errors = [FieldError("/amounts/points", "too many"), FieldError("/external_id", "taken")]
    form = refused(ValidationError(status=422, code="validation_failed", errors=errors))
    assert set(form.errors) == {"points", "external_id"}
    assert form.general == []
    assert form["points"].described_by == "f-points-error"
    assert form["external_id"].described_by == "f-external_id-hint f-external_id-error"


def test_a_refusal_that_points_below_a_field_stands_beside_it() -> None:
    form = refused(ValidationError(status=422, code="x", title="No", errors=[FieldError("/amounts/points/0/a", "no")]))
    assert form.errors == {"points": "No"}


def test_what_the_gateway_is_still_at_work_on_keeps_its_key() -> None:
    """The first attempt was not waited for, and the ones after it hear that it is under way: it may succeed yet."""
    form = refused(IdempotencyInFlightError(status=409, code="idempotency_in_flight", title="Still running"))
    assert (form.key, form.is_unanswered) == ("key-1", True)
    (said,) = form.general
    assert "it will happen only once" in said


def test_something_else_under_the_key_of_what_has_arrived_is_said_so() -> None:
    form = refused(IdempotencyKeyReusedError(status=422, code="idempotency_key_reused", title="Reused"))
    assert (form.key == "key-1", form.is_unanswered) == (False, False)
    (said,) = form.general
    assert said.startswith("What you sent before this has arrived.")


def test_a_refusal_that_points_nowhere_stands_above_all_fields() -> None:
    form = refused(ConflictError(status=409, code="external_id_taken", title="Taken"))
    assert form.errors == {}
    assert form.general == ["You know another member by this number."]
    assert form.original is not None


def test_after_a_refusal_the_next_try_is_another_request() -> None:
    assert refused(ConflictError(status=409, code="conflict")).key != "key-1"


@pytest.mark.parametrize(
    "error", [APIConnectionError("reset"), UnavailableError(status=503, code="unavailable", title="Down")]
)
def test_without_an_answer_the_next_try_is_the_same_request(error: Exception) -> None:
    form = refused(error)
    assert form.key == "key-1"
    assert "only once" in form.general[0]


def test_what_is_sent_once_is_not_said_to_happen_only_once() -> None:
    form = refused(OutcomeUnknownError("POST /v1/profile/password: reset", "Sign in with the new password."))
    (said,) = form.general
    assert "Sign in again" in said
    assert "only once" not in said


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "é", "a\nb"])
def test_a_key_that_is_none_is_replaced(key: str) -> None:
    assert Form(sent=FormData({KEY: key})).key != key


# -------------------------------------------------------------------- in a browser, and against the gateway


@pytest.fixture(scope="module")
def gallery(site: Site) -> Iterator[str]:
    with served(site.network.url, (*PAGES, GALLERY)) as url:
        yield url


def test_what_is_wrong_is_said_beside_the_field_and_in_a_summary_with_the_focus(
    someone: Callable[..., Person], gallery: str
) -> None:
    visitor = someone("merchant:admin", language="en", at=gallery)
    visitor.excused.append("422")
    page = visitor.open("/gallery")
    page.fill("#f-points", "lots")
    page.fill("#f-external_id", "F-77")
    page.select_option("#f-kind", "a")
    page.click("form[action='/gallery'] button:has-text('Send')")
    summary = page.locator(".error-summary")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("Write a whole number")
    expect(page.locator("#f-points")).to_have_value("lots")
    expect(page.locator("#f-external_id")).to_have_value("F-77")
    expect(page.locator("#f-points")).to_have_attribute("aria-invalid", "true")
    described = page.locator("#f-points").get_attribute("aria-describedby") or ""
    expect(page.locator(f"#{described.split()[-1]}")).to_contain_text("Write a whole number")
    summary.get_by_role("link", name="Points").click()
    expect(page.locator("#f-points")).to_be_focused()
    visitor.check()


def test_a_form_that_is_clicked_twice_acts_once(someone: Callable[..., Person], gallery: str, site: Site) -> None:
    visitor = someone("merchant:admin", language="en", at=gallery)
    page = visitor.open("/gallery/form")
    page.fill("#f-external_id", "CLICKED-TWICE")
    page.evaluate("() => { const b = document.querySelector('main button[type=submit]'); b.click(); b.click(); }")
    expect(page.locator(".flash")).to_contain_text("Registered mem_")
    assert site.merchants["FUEL"].client.members.get("external:CLICKED-TWICE").state == "active"


def test_a_form_that_is_sent_twice_acts_once(site: Site, gallery: str) -> None:
    """Both requests arrive at the same moment, as if nothing in the browser had stopped the second."""
    token = site.seats["merchant:admin"]
    with httpx.Client(base_url=gallery, cookies={site.cookie: token}, timeout=60) as http:
        page = http.get("/gallery/form").text
        form = {name: _hidden(page, name) for name in (csrf.FIELD, KEY)} | {"external_id": "SENT-TWICE"}
        together = threading.Barrier(2)

        def send(_: int) -> str:
            together.wait()
            answer = http.post("/gallery/form", data=form)
            assert answer.status_code == 303
            return answer.headers["set-cookie"]

        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(send, range(2))
    assert re.search("tongdui_flash=([^;]+)", one)[1] == re.search("tongdui_flash=([^;]+)", other)[1]  # type: ignore[index]


def test_what_the_gateway_refuses_is_said_in_the_persons_language(someone: Callable[..., Person], gallery: str) -> None:
    visitor = someone("merchant:admin", at=gallery)
    visitor.excused.append("status (409|422)|status of (409|422)")
    page = visitor.open("/gallery/form")
    page.fill("#f-external_id", "x" * 150)
    page.click("main button[type=submit]")
    expect(page.locator(".error-summary")).to_be_focused()
    assert re.search("[\u4e00-\u9fff]", page.locator(".error-summary").inner_text())
    visitor.check()


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found is not None
    return found[1]


# -------------------------------------------------------------------- codes of the second factor


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        *(
            (one, {"one_time_code": "123456"})
            for one in ("123456", "123 456", "123-456", "１２３４５６", "12\u00a03\u201345 6")
        ),
        *((one, {"recovery_code": "K7Q2X9XM4ART0BW"}) for one in ("K7Q2X-9XM4A-RT0BW", "Ｋ７Ｑ２Ｘ 9XM4ART0BW")),
        ("12345-67890-12345", {"recovery_code": "123456789012345"}),
    ],
)
def test_a_code_is_taken_however_it_is_typed(typed: str, sent: dict[str, str]) -> None:
    assert codes_of(code_field().parse(typed)) == sent


@pytest.mark.parametrize("typed", ["12345", "1234567", "1234 5678", "1" * 14, "---", "٠١٢٣٤٥"])
def test_digits_that_are_no_code_are_said_so_beside_the_field(typed: str) -> None:
    form = SignIn(sent=FormData({"email": "a@b.example", "password": "x", "one_time_code": typed}))
    assert form.errors.keys() == {"one_time_code"}
    assert "six digits" in form.errors["one_time_code"]
