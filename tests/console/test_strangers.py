"""A session of one merchant sees nothing of another and does nothing to it: every page, file and form, whatever ids are sent."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest

from clearing.kit.database import Database
from console.pages import PAGES
from pages.forms.form import KEY
from tests.console.own_key import send
from tests.console.site import Merchant as Joined
from tests.console.site import Site, signed_in
from tongdui import Client, yuan

GONE = (403, 404)
"""What a stranger is told of a thing: that it is not theirs to see, or that there is none."""
HERE = (200, 303, 422)
"""What it is told by a page of its own."""
READS: dict[str, tuple[int, ...]] = {
    # a merchant's own pages
    **dict.fromkeys(("/home", "/cashier", "/movements", "/movements/file.csv", "/members", "/members/new"), HERE),
    **dict.fromkeys(("/movements/export", "/movements/export/entries.csv"), HERE),
    **dict.fromkeys(("/members/expiring", "/members/expired"), HERE),
    **dict.fromkeys(("/issue", "/transfer", "/reversals", "/agreements", "/agreements/new", "/settlement"), HERE),
    **dict.fromkeys(("/settlement/statements", "/settlement/statements/csv", "/settlement/{movements}"), HERE),
    **dict.fromkeys(("/explorer", "/explorer/check", "/people", "/people/invite", "/account"), HERE),
    **dict.fromkeys(("/webhooks", "/webhooks/new", "/keys", "/keys/new"), HERE),
    "/agreements/rates": HERE,
    **dict.fromkeys(("/agreements/preview", "/settlement/bank-file/review", "/settlement/bank-file/book"), HERE),
    "/explorer/batches/{number}": HERE,
    "/reversals/new": GONE,
    # things of another merchant
    **dict.fromkeys(("/movements/{movement}", "/movements/{movement}/receipt.json", "/members/{member}"), GONE),
    **dict.fromkeys(("/members/merges/{merge}", "/members/{member}/merge", "/members/{member}/code"), GONE),
    **dict.fromkeys(("/members/{member}/erase", "/agreements/{agreement}", "/agreements/{agreement}/supersede"), GONE),
    **dict.fromkeys(("/agreements/{agreement}/terminate", "/settlement/statements/{statement}"), GONE),
    **dict.fromkeys(("/settlement/statements/{statement}/csv", "/settlement/{movements}/{movement}"), GONE),
    **dict.fromkeys(("/explorer/entries/{leaf}", "/explorer/entries/{leaf}/receipt.json", "/people/{seat}"), GONE),
    **dict.fromkeys(("/webhooks/{endpoint}", "/webhooks/{endpoint}/change", "/keys/{key}/revoke"), GONE),
    "/webhooks/{endpoint}/deliveries/{event}": GONE,
    # pages of the network
    **dict.fromkeys(("/operations", "/operations/orders/{order}/cancel", "/operations/quarantine", "/alerts"), GONE),
    **dict.fromkeys(("/settlement/merchants/{merchant}", "/settlement/bank-file", "/settlement/{movements}/new"), GONE),
    **dict.fromkeys(("/merchants", "/merchants/new", "/merchants/{merchant}", "/audit"), GONE),
    **dict.fromkeys(("/approvals", "/approvals/{approval}", "/approvals/together"), GONE),
    **dict.fromkeys(("/audits", "/audits/new", "/audits/{audit}", "/audits/{audit}/files/{name}"), GONE),
}
REFUSED = (403, 404, 422)
WRITES: dict[str, dict[str, str]] = {
    # what names a thing of another merchant in its address: what is sent is right
    "/members/{member}/numbers": {"external_id": "STOLEN"},
    "/members/{member}/numbers/retire": {"external_id": "FC-1003"},
    "/members/{member}/freeze": {"reason": "mine now"},
    "/members/{member}/unfreeze": {},
    "/members/merges/{merge}/confirm": {},
    "/members/merges/{merge}/cancel": {},
    "/members/{member}/merge": {"into": "STRANGE-1"},
    "/members/{member}/link-code": {},
    "/members/{member}/code": {"points": "1", "program": "FUEL"},
    "/members/{member}/erase": {"name": "FC-1003", "sure": "yes", "forfeit_points": "on"},
    "/agreements/{agreement}/sign": {},
    "/agreements/{agreement}/withdraw": {},
    "/agreements/{agreement}/supersede": {},
    "/agreements/{agreement}/terminate": {"step": "do"},
    "/settlement/merchants/{merchant}/credit-limit": {"credit_limit_micros": "1", "reason": "x"},
    "/approvals/{approval}/approve": {},
    "/approvals/together": {"chosen": "{approval}", "step": "do"},
    "/approvals/{approval}/decline": {"reason": "x"},
    "/approvals/{approval}/withdraw": {},
    "/settlement/{movements}/new": {"merchant": "{merchant}", "micros": "1", "bank_reference": "STOLEN", "step": "do"},
    "/merchants/{merchant}/programs": {"code": "STOLEN", "name": "Stolen"},
    "/merchants/{merchant}/invitations": {"email": "thief@stranger.example", "language": "en", "reason": "x"},
    "/merchants/{merchant}/invitations/{invitation}/revoke": {},
    "/operations/orders/{order}/cancel": {},
    "/people/invitations/{invitation}/resend": {},
    "/people/invitations/{invitation}/revoke": {},
    "/people/{seat}/title": {"title": "viewer"},
    "/people/{seat}/remove": {},
    "/people/{seat}/disable": {},
    "/people/{seat}/enable": {},
    "/people/{seat}/sign-out": {},
    "/account/sessions/{session}/end": {},
    "/webhooks/{endpoint}/change": {"url": "https://thief.example/"},
    "/webhooks/{endpoint}/enable": {},
    "/webhooks/{endpoint}/disable": {},
    "/webhooks/{endpoint}/secret": {},
    "/webhooks/{endpoint}/replay": {"since": "2026-01-01T00:00"},
    "/webhooks/{endpoint}/remove": {},
    "/webhooks/{endpoint}/deliveries/{event}/again": {},
    "/keys/{key}/revoke": {},
    # what names it in a field
    "/cashier": {"offer": "redeem:FUEL", "who": "FC-1003", "points": "1", "step": "do"},
    "/issue": {"program": "FUEL", "member": "{member}", "points": "1", "reason": "x", "step": "do"},
    "/transfer": {
        "program": "FUEL",
        "member": "{member}",
        "recipient": "x",
        "points": "1",
        "reason": "x",
        "step": "do",
    },
    "/reversals": {"movement": "{movement}"},
    "/reversals/new": {"movement": "{movement}", "points": "1", "reason": "x", "step": "do"},
    "/members/new": {"external_id": "STRANGE-2", "member": "{member}"},
    "/agreements/new": {"source_program": "FUEL", "target_program": "MART"},
    # what is the network's
    "/settlement/bank-file": {},
    "/settlement/bank-file/review": {"lines": "[]"},
    "/settlement/bank-file/book": {"lines": "[]"},
    "/audits/{audit}/cancel": {},
    "/audits/{audit}/resume": {},
    "/audits/{audit}/remove": {},
    "/audits/new": {"nodes": "0", "contract": "0x" + "1" * 40, "language": "en"},
    "/operations/pause": {"reason": "x"},
    "/operations/resume": {},
    "/operations/quarantine/retry": {},
    "/merchants/new": {"name": "Thief", "keeper": "managed"},
}
NO_SUCH = {
    "/members/{member}/erase": "/members",
    "/people/invitations/{invitation}/resend": "/people",
    "/webhooks/{endpoint}/remove": "/webhooks",
}
"""Where a form leads whose thing is not there any more, as far as this person may know."""
NOBODYS = {
    "/agreements/preview": "the calculator: its answer is made of what is typed, and of the agreements that the person sees",
    "/webhooks/new": "makes something of the person's own",
    "/keys/new": "makes something of the person's own",
    "/people/invite": "invites to the person's own merchant",
    "/account": "the person's own",
    "/account/recovery-codes": "the person's own",
    "/account/second-factor/remove": "the person's own",
    "/account/sessions/end-others": "the person's own",
}


def routes(method: str) -> set[str]:
    return {
        page.path + route.path  # type: ignore[attr-defined]
        for page in PAGES
        for route in page.router.routes
        if method in route.methods  # type: ignore[attr-defined]
    }


def test_the_matrix_has_every_route() -> None:
    assert routes("GET") == set(READS), "a new page needs a line in READS"
    assert routes("POST") == set(WRITES) | set(NOBODYS), "a new form needs a line in WRITES"


@pytest.fixture(scope="module")
def things(site: Site) -> Iterator[dict[str, str]]:
    """One thing of the gas station of each kind that an address can name."""
    station = site.merchants["FUEL"].client
    endpoint = station.webhook_endpoints.create(url="https://secret-fuel.example/in")
    station.webhook_endpoints.replay(endpoint, since=site.movements["issue"].created_at)
    event = next(iter(station.webhook_endpoints.deliveries(endpoint))).event
    for number in ("ONE-1", "ONE-2"):
        station.members.create(external_id=f"SECRET-{number}")
    deposit = next(one for one in site.treasury.deposits.list() if one.bank_reference == "ICBC-FUEL")
    with Client(site.network.url, site.seats["merchant:admin"]) as admin:
        seat = next(one.seat.id for one in admin.staff.list() if one.seat.title == "cashier")
        invitation = admin.invitations.create(email="secret@fuel.example", title="viewer").id
        session = next(iter(admin.sessions.list())).id
    approval = site.operator.merchants.set_credit_limit(site.merchants["FUEL"].id, yuan(9_000), reason="SECRET-ONE")
    yield {
        "member": station.members.get("external:FC-1003").id,
        "movement": site.movements["issue"].id,
        "merge": station.merges.create(member="external:SECRET-ONE-1", into="external:SECRET-ONE-2").id,
        "agreement": site.agreements["FUEL", "MART"].id,
        "merchant": site.merchants["FUEL"].id,
        "statement": f"stm_{site.operator.merchants.get(site.merchants['FUEL'].id).number:013}{20_000:013}",
        "number": str(site.movements["issue"].settled().batch),
        "leaf": site.movements["issue"].settled().leaf,
        "endpoint": endpoint.id,
        "event": event,
        "key": next(iter(station.api_keys.list())).id,
        "order": site.movements["issue"].order,
        "seat": seat,
        "invitation": invitation,
        "session": session,
        "deposit": deposit.id,
        "approval": approval.id,
        "audit": "a" * 24,
        "name": "report.html",
    }
    with Client(site.network.url, site.seats["merchant:admin"]) as admin:
        admin.invitations.revoke(invitation)  # nobody else's tests expect it
    site.operator.approvals.withdraw(approval)


@pytest.fixture(scope="module")
def stranger(site: Site) -> str:
    """The session of an admin of a merchant that has nothing to do with the others."""
    made = site.operator.merchants.create(name="Stranger", managed_key=True, wait=60)
    site.operator.programs.create(merchant=made, code="STRANGE", name="Strange", wait=60)
    with closing(Database(site.network.settings.database_url)) as database:
        merchant = Joined(made.id, "Stranger", "STRANGE", "", site.operator)
        token = signed_in(site, database, "admin@strange.example", "admin", merchant)
    with Client(site.network.url, token) as client:
        client.members.create(external_id="STRANGE-1")
    return token


@pytest.fixture(scope="module")
def marks(things: dict[str, str], site: Site) -> set[str]:
    """What of the gas station must stand on no page of the stranger."""
    secrets = {text for name, text in things.items() if name not in ("merchant", "number", "name")}
    said = {"FC-100", "RECEIPT-100", "ICBC-FUEL", "secret-fuel.example", "SECRET-ONE", "secret@fuel.example"}
    return secrets | said | {movement.id for movement in site.movements.values()}


def address_of(route: str, things: dict[str, str]) -> str:
    if route.startswith("/settlement/{movements}"):
        return route.format(movements="deposits", movement=things["deposit"])
    if route == "/reversals/new":
        return f"/reversals/new?movement={things['movement']}"
    return route.format(**things)


def shown_of(text: str, marks: set[str], address: str) -> set[str]:
    """The marks that stand on a page, apart from what the stranger has typed into its address."""
    return {mark for mark in marks if mark in text and mark not in address}


@pytest.mark.parametrize("route", sorted(READS))
def test_a_page_shows_nothing_of_another_merchant(
    site: Site, stranger: str, things: dict[str, str], marks: set[str], route: str
) -> None:
    address = address_of(route, things)
    with site.http(stranger) as http:
        answer = http.get(address)
    assert answer.status_code in READS[route], answer.text
    assert shown_of(answer.text, marks, address) == set()


@pytest.mark.parametrize(
    "query",
    [
        *("/movements?original={movement}", "/movements?member={member}", "/movements/file.csv?member={member}"),
        *("/movements?counterparty={merchant}", "/movements?program=FUEL", "/movements/file.csv?program=FUEL"),
        "/movements/export/entries.csv?merchant={merchant}",
        *(
            "/movements?reference=RECEIPT-1001",
            "/members?search=FC",
            "/members/external:FC-1003",
            "/members?search={member}",
        ),
        *("/settlement/deposits?merchant={merchant}", "/settlement/statements/csv?merchant={merchant}"),
        *("/agreements?program=FUEL", "/issue?member={member}", "/cashier?done={movement}", "/keys?cursor={key}"),
        *("/explorer?q={leaf}", "/webhooks?cursor={endpoint}", "/people?cursor={seat}"),
    ],
)
def test_no_filter_leads_to_another_merchants_things(
    site: Site, stranger: str, things: dict[str, str], marks: set[str], query: str
) -> None:
    address = query.format(**things)
    with site.http(stranger) as http:
        answer = http.get(address, follow_redirects=True)
    assert answer.status_code < 500, answer.text
    assert shown_of(answer.text, marks, address) == set()


def state_of(site: Site, things: dict[str, str]) -> Any:
    """All of the gas station that the forms would change."""
    station = site.merchants["FUEL"].client
    member = station.members.get(things["member"])
    with Client(site.network.url, site.seats["merchant:admin"]) as admin:
        people = [(one.seat.id, one.seat.title, one.person.id) for one in admin.staff.list()]
        invitations = [one.id for one in admin.invitations.list()]
        sessions = {one.id for one in admin.sessions.list()}
    return (
        (member.state, member.external_ids, station.members.accounts(member.id)),
        station.merges.get(things["merge"]).state,
        (station.agreements.get(things["agreement"]).state, station.agreements.get(things["agreement"]).terminates_at),
        [(one.id, one.url, one.state) for one in station.webhook_endpoints.list()],
        [(one.id, one.revoked_at) for one in station.api_keys.list()],
        (people, invitations, things["session"] in sessions),
        site.operator.positions.get(things["merchant"]).credit_limit_micros,
        [one.code for one in site.operator.programs.list()],
        site.operator.operations.get().pause,
    )


def test_no_form_does_anything_to_another_merchant(
    site: Site, stranger: str, things: dict[str, str], marks: set[str]
) -> None:
    own = {KEY: "stranger-own", "external_id": "STRANGE-3"}
    assert send(site, stranger, "/members/new", own).status_code == 303, (
        "what is the person's own works in the same way"
    )
    before = state_of(site, things)
    for route, form in WRITES.items():
        address = address_of(route, things).partition("?")[0]
        values = {name: text.format(**things) for name, text in form.items()}
        answer = send(site, stranger, address, {KEY: secrets.token_hex(8), **values})
        if answer.headers.get("location") != NO_SUCH.get(route):
            assert answer.status_code in REFUSED, f"{route}: {answer.status_code} {answer.headers.get('location')}"
        assert shown_of(answer.text, marks, address + str(values)) == set(), route
    assert state_of(site, things) == before


def test_the_live_connection_tells_nothing_of_another_merchant(site: Site, stranger: str) -> None:
    told: list[str] = []
    connected, enough = threading.Event(), threading.Event()

    def listen() -> None:
        with suppress(httpx.HTTPError), site.http(stranger) as http, http.stream("GET", "/live") as stream:
            connected.set()
            for line in stream.iter_lines():
                told.append(line)
                if "webhook_endpoint" in line:
                    enough.set()
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert connected.wait(60)
    site.merchants["FUEL"].client.members.create(external_id="LIVE-SECRET")
    with Client(site.network.url, stranger) as client:
        client.webhook_endpoints.create(url="https://stranger.example/in")
    assert enough.wait(60), told
    thread.join(60)
    assert not any("member." in line for line in told), told
