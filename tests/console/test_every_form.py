"""Every form of the console, for bad input: it is answered beside its field, and what was typed stays."""

from __future__ import annotations

import html
import inspect
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import httpx
import pyotp
import pytest

import console
from clearing.kit.database import Database
from console.account.forms import AboutMe, Proof, ProofForRemoval
from console.agreements.forms import (
    End,
    NewAcceptance,
    NewExchange,
    ReplaceAcceptance,
    ReplaceExchange,
    Signature,
)
from console.approvals.forms import Declining
from console.asking import Asking
from console.audits.forms import NewAudit
from console.issue.routes import ByHand
from console.keys.forms import MerchantKey, NetworkKey
from console.members.forms import Erase, Freeze, MergeInto, NewMember, NewMemberCode, NewNumber, OldNumber
from console.onboarding.forms import FirstAdmin, NewMerchant, NewProgram
from console.operations.routes import Pause
from console.pages import PAGES
from console.people.forms import ChangeTitle, Invite, InviteToNetwork
from console.reversals.routes import Find, GiveBack
from console.settlement.forms import Booking, CreditLimit, Upload
from console.signin import first_steps, links
from console.signin import routes as signin
from console.signin.first_steps import BeginSecondFactor, ChangePassword, ConfirmSecondFactor
from console.signin.links import Forgotten, Join, JoinAgain, JoinAgainWithCode, JoinWithCode, NewPassword
from console.signin.routes import SignIn
from console.till.routes import Sale
from console.transfer.routes import Gift
from console.webhooks.forms import Endpoint, Replay
from pages import csrf
from pages.forms import (
    BasisPoints,
    Choice,
    Choices,
    Day,
    Email,
    Field,
    File,
    Flag,
    Form,
    Hidden,
    Moment,
    Money,
    Ratio,
    Secret,
    Text,
    Whole,
)
from pages.forms.form import KEY
from tests.console.own_key import own_key, send
from tests.console.site import Site, signed_in
from tests.gateway.staff import PASSWORD
from tongdui import Client, yuan


@dataclass(frozen=True)
class Case:
    """A form: the route to which it is sent, and who sends it. Braces in the path are things of `things`."""

    route: str
    seat: str | None
    form: type[Form]
    query: str = ""
    path: str = ""
    """Where it is sent, if that is not the route with its things."""
    hidden: dict[str, str] = field(default_factory=dict)
    """What the page itself puts into the form."""
    without: tuple[str, ...] = ()
    """Fields that this request's page does not show."""


ADMIN = "merchant:admin"
TABLE = (
    Case("/cashier", "merchant:cashier", Sale),
    Case("/issue", ADMIN, ByHand),
    Case("/transfer", ADMIN, Gift),
    Case("/reversals", ADMIN, Find),
    Case("/reversals/new", ADMIN, GiveBack, hidden={"movement": "{movement}"}),
    Case("/members/new", ADMIN, NewMember),
    Case("/members/{member}/numbers", ADMIN, NewNumber),
    Case("/members/{member}/numbers/retire", ADMIN, OldNumber),
    Case("/members/{member}/freeze", ADMIN, Freeze),
    Case("/members/{member}/code", ADMIN, NewMemberCode),
    Case("/members/{member}/merge", ADMIN, MergeInto),
    Case("/members/{member}/erase", ADMIN, Erase),
    Case("/agreements/new", ADMIN, NewExchange, query="?kind=exchange", without=("points",)),
    Case("/agreements/new", ADMIN, NewAcceptance, query="?kind=acceptance", without=("points",)),
    Case("/agreements/{agreement}/supersede", ADMIN, ReplaceExchange, without=("points",)),
    Case(
        "/agreements/{agreement}/supersede",
        ADMIN,
        ReplaceAcceptance,
        path="/agreements/{acceptance}/supersede",
        without=("points",),
    ),
    Case("/agreements/{agreement}/terminate", ADMIN, End, without=("signature",)),
    Case("/agreements/{agreement}/sign", "own_key", Signature, path="/agreements/{proposed}/sign"),
    Case("/settlement/merchants/{merchant}/credit-limit", "operator", CreditLimit),
    Case("/settlement/bank-file", "treasury", Upload),
    Case("/settlement/{movements}/new", "treasury", Booking, path="/settlement/deposits/new"),
    Case("/merchants/new", "operator", NewMerchant),
    Case("/merchants/{merchant}/programs", "operator", NewProgram),
    Case("/merchants/{merchant}/invitations", "operator", FirstAdmin),
    Case("/approvals/{approval}/decline", "treasury", Declining),
    Case("/operations/pause", "operator", Pause),
    Case("/audits/new", "auditor", NewAudit),
    Case("/webhooks/new", ADMIN, Endpoint),
    Case("/webhooks/{endpoint}/change", ADMIN, Endpoint),
    Case("/webhooks/{endpoint}/replay", ADMIN, Replay),
    Case("/keys/new", ADMIN, MerchantKey),
    Case("/keys/new", "operator", NetworkKey),
    Case("/people/invite", ADMIN, Invite),
    Case("/people/invite", "operator", InviteToNetwork),
    Case("/people/{seat}/enable", "operator", Asking, path="/people/{shut_out}/enable"),
    Case("/people/{seat}/title", ADMIN, ChangeTitle),
    Case("/account", ADMIN, AboutMe),
    Case("/account/recovery-codes", "second_factor", Proof),
    Case("/account/second-factor/remove", "second_factor", ProofForRemoval),
    Case("/sign-in", None, SignIn),
    Case("/forgotten-password", None, Forgotten),
    Case("/new-password", None, NewPassword, hidden={"token": "t"}),
    Case("/invitation", None, Join, hidden={"token": "{invitation}"}, query="?token={invitation}"),
    Case("/invitation", None, JoinAgain, hidden={"token": "{known}"}, query="?token={known}"),
    Case("/invitation", None, JoinWithCode, hidden={"token": "{coded}"}, query="?token={coded}"),
    Case("/invitation", None, JoinAgainWithCode, hidden={"token": "{known_coded}"}, query="?token={known_coded}"),
    Case("/password", ADMIN, ChangePassword),
    Case("/second-factor", ADMIN, BeginSecondFactor),
    Case("/second-factor/confirm", ADMIN, ConfirmSecondFactor),
)
BUTTONS = {
    *("/agreements/{agreement}/withdraw", "/members/merges/{merge}/confirm", "/members/merges/{merge}/cancel"),
    *(
        "/members/{member}/link-code",
        "/members/{member}/unfreeze",
        "/merchants/{merchant}/invitations/{invitation}/revoke",
    ),
    *("/approvals/{approval}/approve", "/approvals/{approval}/withdraw"),
    *("/operations/resume", "/operations/orders/{order}/cancel", "/operations/quarantine/retry"),
    *("/webhooks/{endpoint}/enable", "/webhooks/{endpoint}/disable", "/webhooks/{endpoint}/secret"),
    *("/webhooks/{endpoint}/remove", "/webhooks/{endpoint}/deliveries/{event}/again", "/keys/{key}/revoke"),
    *("/people/invitations/{invitation}/resend", "/people/invitations/{invitation}/revoke", "/people/{seat}/remove"),
    *("/people/{seat}/disable", "/people/{seat}/sign-out"),
    *("/account/sessions/end-others", "/account/sessions/{session}/end"),
    *("/sign-out", "/settlement/bank-file/book"),
    *("/audits/{audit}/cancel", "/audits/{audit}/resume", "/audits/{audit}/remove"),
}
"""Forms in which nothing is typed."""
CHOSEN = {
    "/approvals/together": "boxes that are ticked; what is no booking counts for nothing",
    "/agreements/preview": "the calculator, which answers beside the form while somebody types",
    "/settlement/bank-file/review": "boxes that are ticked; what is none of the file's lines counts for nothing",
    "/seat": "a menu",
}


NOWHERE = ("merge", "order", "event", "audit")
"""Things that the tests of this file do not have."""


def routes() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every route that takes a form, with its function."""
    routers = [("", signin.router), ("", first_steps.router), ("", links.router)]
    for prefix, router in [*routers, *((page.path, page.router) for page in PAGES)]:
        for route in router.routes:
            if "POST" in route.methods:  # type: ignore[attr-defined]
                yield prefix + route.path, route.endpoint  # type: ignore[attr-defined]


def test_the_table_has_every_route_that_takes_a_form() -> None:
    known = {case.route for case in TABLE} | BUTTONS | set(CHOSEN)
    assert {path for path, _endpoint in routes()} == known, "a new form needs a line in TABLE"


def test_the_table_has_every_class_of_forms() -> None:
    for module in walk_packages(console.__path__, "console."):
        import_module(module.name)

    def below(form: type[Form]) -> set[type[Form]]:
        return {form, *(one for sub in form.__subclasses__() for one in below(sub))}

    classes = {one for one in below(Form) if one.__module__.startswith("console.") and one.fields}
    parents = {one for one in classes if one.__subclasses__()}
    assert classes - parents <= {case.form for case in TABLE}


def test_nothing_is_typed_into_a_button() -> None:
    for path, endpoint in routes():
        if path in BUTTONS:
            read = re.findall(r"(\w+)\.read\(|(\w+)\(sent=", inspect.getsource(endpoint))
            assert {name for pair in read for name in pair if name} <= {"Form", "Confirm"}, path


# -------------------------------------------------------------------- what is typed wrongly

NAUGHTY = "'\"><b>\N{GRINNING FACE} "
WRONG: tuple[tuple[type[Field], str], ...] = (
    (Choice, "no such"),
    (Choices, "no such"),
    (Email, f"{NAUGHTY}nobody"),
    (Whole, "-1"),
    (Money, "1e3"),
    (BasisPoints, "0.001"),
    (Ratio, "0/1"),
    (Day, "9999-12-31"),
    (Moment, "9999-12-31T23:59"),
)
"""The first that fits. A text is too long, and a secret is missing."""


def wrong_for(one: Field) -> str | None:
    """Something that the field cannot take; None if there is nothing."""
    for kind, text in WRONG:
        if isinstance(one, kind):
            return text
    if isinstance(one, Text):
        return NAUGHTY + "x" * one.longest
    if isinstance(one, Secret):
        return ""
    return None


def seat_of(site: Site, title: str) -> str:
    """The seat of the gas station's person with this title."""
    with Client(site.network.url, site.seats[ADMIN]) as client:
        return next(one.seat.id for one in client.staff.list() if one.seat.title == title)


def with_second_factor(site: Site) -> str:
    """The session of somebody who has a second factor."""
    with closing(Database(site.network.settings.database_url)) as database:
        token = signed_in(site, database, "second-factor@fuel.example", "viewer", site.merchants["FUEL"])
    with Client(site.network.url, token) as client:
        secret = client.profile.begin_totp(password=PASSWORD).secret
        return str(client.profile.confirm_totp(one_time_code=pyotp.TOTP(secret).now()).session.token)


@pytest.fixture(scope="module")
def things(site: Site) -> Iterator[dict[str, str]]:
    """What braces in the paths of the table stand for."""
    station = site.merchants["FUEL"]
    own = own_key(site, "Own forms")
    proposed = station.client.agreements.propose(
        source_program="FUEL",
        target_merchant=own.id,
        unit_price_micros=1,
        fee_bps=50,
        max_points=1,
        daily_cap=1,
        valid_until=site.agreements["FUEL", "MART"].valid_until,
    )

    def invited(email: str) -> str:
        made = site.operator.invitations.create(email=email, title="auditor")
        return str(made.link).rpartition("=")[2]

    def agreed(email: str) -> str:
        asked = site.operator.invitations.request(email=email, title="treasury", reason="forms")
        return str(site.treasury.approvals.approve(asked).link).rpartition("=")[2]

    limit = site.operator.merchants.set_credit_limit(site.merchants["WASH"].id, yuan(9_000), reason="forms")
    yield {
        "approval": limit.id,
        "shut_out": _shut_out(site),
        "coded": agreed("coded@forms.example"),
        "known_coded": agreed("wash@stranger.example"),
        "member": station.client.members.get("external:FC-1003").id,
        "movement": site.movements["redeem"].id,
        "agreement": site.agreements["FUEL", "MART"].id,
        "acceptance": site.agreements["FUEL", "WASH"].id,
        "proposed": proposed.id,
        "merchant": site.merchants["WASH"].id,
        "seat": seat_of(site, "cashier"),
        "endpoint": station.client.webhook_endpoints.create(url="https://forms.example/in").id,
        "invitation": invited("new@forms.example"),
        "own_key": own.token,
        "second_factor": with_second_factor(site),
        "known": invited("mart@stranger.example"),
        "key": station.client.api_keys.create(scopes=["read"]).id,
        "station": station.id,
        **dict.fromkeys((*NOWHERE, "session"), "x"),
    }
    site.operator.approvals.withdraw(limit)  # while it waits, nobody else may ask for another limit


def _shut_out(site: Site) -> str:
    """The seat of somebody of the treasury who may not sign in."""
    with closing(Database(site.network.settings.database_url)) as database:
        signed_in(site, database, "shut.out@forms.example", "treasury", None)
    member = next(one for one in site.operator.staff.list() if one.person.email == "shut.out@forms.example")
    site.operator.staff.disable(member.person)
    return member.seat.id


def sent(site: Site, case: Case, things: dict[str, str], values: dict[str, str]) -> httpx.Response:
    """The answer to a form with these values."""
    path = (case.path or case.route).format(**things)
    files = {name: ("empty.csv", b"", "text/csv") for name, one in case.form.fields.items() if isinstance(one, File)}
    data = {KEY: secrets.token_hex(8), **{name: text.format(**things) for name, text in case.hidden.items()}, **values}
    if case.seat is not None:
        return send(site, things.get(case.seat, case.seat), path + case.query, data, files or None)
    with site.http() as http:  # which has no session whose token one could know
        token = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', http.get(path + case.query.format(**things)).text)
        assert token is not None, path
        return http.post(path, data={**data, csrf.FIELD: token[1]})


def tag_of(page: str, control: str) -> str:
    """The control of a field: the tag with its name, or the group of its options."""
    found = re.search(rf'<(?:input|select|textarea)[^>]*\sid="{control}"[^>]*>(?:[^<]*</textarea>)?', page)
    found = found or re.search(rf'<fieldset[^>]*id="{control}"[^>]*>', page)
    assert found is not None, f"no control {control}"
    return found[0]


@pytest.mark.parametrize(
    "case", [case for case in TABLE if case.seat != "own_key"], ids=lambda case: f"{case.route}-{case.form.__name__}"
)
def test_what_is_typed_wrongly_is_answered_beside_its_field_and_stays(
    site: Site, things: dict[str, str], case: Case
) -> None:
    shown = {
        name: one for name, one in case.form.fields.items() if not isinstance(one, Hidden) and name not in case.without
    }
    typed = {name: text for name, one in shown.items() if (text := wrong_for(one)) is not None}
    answer = sent(site, case, things, typed)
    if not shown:
        assert answer.status_code == 422, answer.text
        assert "error-summary" in answer.text, "what nobody sees is said above all"
        return
    assert answer.status_code == 422, answer.text
    for name, one in shown.items():
        if name not in typed and not (isinstance(one, File) or (isinstance(one, Flag) and one.required)):
            continue
        if isinstance(one, Secret) and not one.required:
            continue
        error = re.search(rf'id="{case.form.ids}{name}-error">.*?<span>(.*?)</span>', answer.text, re.DOTALL)
        assert error is not None, f"nothing beside {name}"
        assert error[1].strip(), name
        tag = tag_of(answer.text, case.form.ids + name)
        described = re.search(r'aria-describedby="([^"]+)"', tag)
        assert described is not None, tag
        assert f"{case.form.ids}{name}-error" in described[1].split(), tag
        if isinstance(one, (Choice, Choices, Secret, File, Flag)):
            continue  # what is none of the options cannot be shown, and a secret must not be
        assert html.escape(typed[name], quote=False)[:20] in html.escape(html.unescape(tag), quote=False), tag
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids)), "labels and errors belong to one control each"
    assert "<b>\N{GRINNING FACE}" not in answer.text, "what was typed is text"


# -------------------------------------------------------------------- where it leads back to


def ways_back() -> Iterator[tuple[str | None, str]]:
    """Every address that takes a form, with a seat that may send it."""
    yield from ((case.seat, (case.path or case.route) + case.query) for case in TABLE)
    for path in sorted(BUTTONS | set(CHOSEN)):
        seat = "operator" if path.startswith(("/operations", "/merchants", "/audits")) else ADMIN
        yield ("treasury" if "bank-file" in path or "approval" in path else seat), path
    for path in ("title", "remove", "disable", "enable", "sign-out"):
        yield "operator", f"/people/{{seat}}/{path}?merchant={{station}}"


@pytest.mark.parametrize(("seat", "path"), ways_back())
def test_whatever_a_form_is_sent_to_can_be_opened_by_whoever_sends_it(
    site: Site, things: dict[str, str], seat: str | None, path: str
) -> None:
    """Somebody reloads by its address what a form has answered, or changes the language there."""
    token = site.seats.get(seat, things.get(seat, seat)) if seat else None
    with site.http(token) as http:
        answer = http.get(path.format(**things), follow_redirects=True)
    assert not (seat and answer.url.path == "/sign-in")
    if not any(f"{{{thing}}}" in path for thing in NOWHERE):
        assert answer.status_code == 200, answer.url
        return
    assert answer.status_code == 404, answer.url
    assert "/x" in answer.url.path, "the page is about a thing that is not there"
