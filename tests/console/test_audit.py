"""The audit log in words: every act and every field has a name in both languages, and values are for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from markupsafe import Markup

from clearing.kit.events.types import is_audited
from console.agreements.view import HAPPENED
from console.audit.changes import changes_of
from console.audit.values import Values, actor_name, subject_name
from console.audit.words import EVENTS, event_name, field_name
from pages.formats import moment
from pages.forms import Moment
from pages.presentation import Presentation, present, presented
from pages.translations import load_catalogues
from tests.console.site import ROOT, Site
from tests.support.recorded_events import recorded_types
from tongdui import AuditEntry

MERCHANT = "mer_" + "0" * 26
MEMBER = "mem_" + "0" * 26
KEY = "key_" + "0" * 26
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT|\s\d{4}-\d\d-\d\dT")
"""One that no `time` shows."""
_TYPE = re.compile(r"[a-z_]+\.[a-z_]+", re.ASCII)


def test_every_event_that_can_be_in_the_log_has_words() -> None:
    known = {one for one in recorded_types() if is_audited(one, "staff:stf_1")}
    assert {"staff.signed_in", "sequencing.paused", "api_key.revoked"} <= known, "the search finds them"
    assert known - set(EVENTS) == set()


def test_every_event_of_an_agreement_has_words_on_its_page() -> None:
    assert {one for one in recorded_types() if one.startswith("agreement.")} == set(HAPPENED)


def test_what_the_network_of_these_tests_has_recorded_has_words(site: Site) -> None:
    for entry in site.operator.audit_log.list(page_size=200):
        assert entry.type in EVENTS, entry.type
        for change in changes_of(entry, _values()):
            assert not _TYPE.fullmatch(change.field), (entry.type, change.field)
            assert not re.search("_", change.field), (entry.type, change.field)
            assert not _MOMENT.search(f"{change.was} {change.now}"), (entry.type, change.field)


@pytest.fixture(autouse=True)
def in_english() -> None:
    load_catalogues([ROOT / "pages", ROOT / "console", *(path.parent for path in (ROOT / "console").glob("*/zh.po"))])
    present(Presentation(language="en"))


def _values() -> Values:
    pages = {"onboarding": "/merchants", "members": "/members"}
    return Values({MERCHANT: "Gas & Sons"}, pages.get, lambda subject: f"/audit?subject={subject}")


def _entry(type: str = "merchant.registered", **data: object) -> AuditEntry:  # noqa: A002
    return AuditEntry.model_validate(
        {
            "id": "evt_1",
            "at": datetime(2026, 11, 26, tzinfo=UTC),
            "actor": {"id": KEY, "name": "a key of the operator"},
            "type": type,
            "subject": MERCHANT,
            "merchant": None,
            "data": data,
        }
    )


def _shown(**data: object) -> dict[str, str]:
    return {change.field: Markup(change.now).striptags() for change in changes_of(_entry("x.y", **data), _values())}


def test_values_are_for_people() -> None:
    assert _shown(credit_limit_micros=500_000_000, fee_bps=50, max_points=12_345, keep_expiry=False) == {
        "Credit limit": "¥500.00",
        "Fee of the operator": "0.5%",
        "Most points at once": "12,345",
        "Points keep their expiry": "no",
    }
    assert _shown(rate_num=9, rate_den=10, title="cashier", scopes=["issue", "read"], method="oidc") == {
        "Rate": "0.9",
        "Title": "Cashier",
        "What it may do": "Issue points, Look at everything of the merchant",
        "Signed in with": "another issuer",
    }
    (until,) = _shown(valid_until="2026-12-31T10:00:00Z").values()
    assert "31 Dec" in until
    assert _shown(name="", reason=None, types=[]) == {}


@pytest.mark.parametrize(
    "typed",
    [
        *("2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-05:00", "2026-01-01T00:00:00Z"),
        *(MERCHANT, "0x" + "ab" * 32),
    ],
)
def test_a_name_that_looks_like_something_else_is_shown_as_it_is(typed: str) -> None:
    """Or somebody hides traces, or takes another's name, by the name of a key."""
    assert _shown(name=typed, before={"url": typed}, after={"url": typed}) == {"Name": typed, "Address": typed}
    assert str(_values().shown("name", typed)) == typed


def test_a_moment_that_is_none_is_shown_as_it_is() -> None:
    for told in ("soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-05:00"):
        assert str(_values().shown("valid_until", told)) == told


def test_a_moment_at_the_end_of_the_calendar_is_shown() -> None:
    """Some agreements have no other end, and the network's zone may be past it."""
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    with presented(Presentation("en", timezone(timedelta(hours=8)))):
        assert "31 Dec 9999" in moment(last)
        assert Moment("End").show(last) == "9999-12-31T23:59"


def test_ids_lead_to_what_they_stand_for() -> None:
    values = _values()
    assert f'href="/merchants/{MERCHANT}" title="{MERCHANT}">Gas &amp; Sons</a>' in values.link(MERCHANT)
    assert f'href="/members/{MEMBER}"' in str(values.shown("member", MEMBER))
    assert f'href="/audit?subject={KEY}"' in str(values.shown("key", KEY)), "nobody has a page of it"
    assert '<span class="code" title="0x' in str(values.shown("digest", "0x" + "ab" * 32))


def test_what_is_unknown_is_shown_as_it_is() -> None:
    assert event_name("planet.moved") == "planet.moved"
    assert field_name("planet") == "planet"
    assert _shown(planet="Mars", more={"moons": 2, "name": "Red"}) == {"planet": "Mars", "more": "moons: 2; Name: Red"}
    assert _shown(state="new state") == {"State": "new state"}
    assert str(_values().shown("name", "<script>")) == "&lt;script&gt;"


def test_a_change_says_what_was_and_what_is() -> None:
    (limit,) = changes_of(_entry(from_micros=10**6, to_micros=2 * 10**6), _values())
    assert (limit.field, Markup(limit.was).striptags(), Markup(limit.now).striptags()) == (
        "Credit limit",
        "¥1.00",
        "¥2.00",
    )
    (title,) = changes_of(_entry("staff.title_changed", title="admin", before="viewer"), _values())
    assert (title.was, title.now, title.is_change) == ("Viewer", "Administrator", True)


def test_people_and_merchants_are_named_where_something_was_done_to_them() -> None:
    assert subject_name(_entry(name="Old name"), {MERCHANT: "Gas"}) == "Gas"
    assert subject_name(_entry(name="Gone"), {}) == "Gone"
    assert subject_name(_entry(), {}) == "mer_0000…000000"
    oneself = _entry("staff.signed_in").model_copy(update={"subject": "stf_1"})
    actor = oneself.actor.model_copy(update={"id": "staff:stf_1", "name": "Li"})
    assert subject_name(oneself.model_copy(update={"actor": actor}), {}) == "Li"


@pytest.mark.parametrize(
    ("id", "told", "english", "chinese"),
    [
        (KEY, "a key of the operator", "API key · Operator", "API 密钥 · 运营方"),
        (KEY, "a key of 长河石油", "API key · 长河石油", "API 密钥 · 长河石油"),
        (KEY, "till 3 (长河石油)", "till 3 · 长河石油", "till 3 · 长河石油"),
        ("staff:stf_1", "Li (night)", "Li (night)", "Li (night)"),
        ("bootstrap", "bootstrap", "bootstrap", "bootstrap"),
    ],
)
def test_whoever_acted_is_named_in_the_language_of_the_page(id: str, told: str, english: str, chinese: str) -> None:  # noqa: A002
    assert actor_name(id, told) == english
    present(Presentation(language="zh"))
    assert actor_name(id, told) == chinese


def test_no_two_events_look_the_same() -> None:
    for language in ("en", "zh"):
        present(Presentation(language=language))
        assert len({event_name(one) for one in EVENTS}) == len(EVENTS), language
