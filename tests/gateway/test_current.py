"""What somebody takes back is refused by the very next request, whoever took it back: the copies in memory are current."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from clearing.chain.calls.models import Call
from clearing.chain.contract import ContractEvent
from clearing.kit.database import Database
from clearing.ordering.orders.models import Order
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.pipeline.registry_events import apply_event
from tests.gateway.own_key import OwnKey
from tests.gateway.site import Party, Site, agree, terms

Revoke = Callable[[Site, Site, str], None]


@pytest.fixture(scope="module")
def neighbour(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Another gateway on the same database, as a second process would be: it shares no copy with the first."""
    with Site(site.settings.database_url, tmp_path_factory.mktemp("neighbour")) as other:
        other.clock = site.clock
        other.keys = site.keys
        yield other


def _by_this_gateway(site: Site, neighbour: Site, key: str) -> None:
    assert site.call("DELETE", f"/v1/api_keys/{key}").status_code == 200


def _by_another_gateway(site: Site, neighbour: Site, key: str) -> None:
    assert neighbour.call("DELETE", f"/v1/api_keys/{key}").status_code == 200


def _by_hand(site: Site, neighbour: Site, key: str) -> None:
    with site.database.session.begin() as session:
        session.execute(text("UPDATE api_keys SET revoked_at = created_at WHERE id = :id"), {"id": key})


REQUESTS: dict[str, Callable[[Site, Party, str, str], httpx.Response]] = {
    "GET": lambda site, party, token, member: site.call("GET", "/v1/merchants", caller=token),
    "HEAD": lambda site, party, token, member: site.call("HEAD", "/v1/merchants", caller=token),
    "a lookup": lambda site, party, token, member: site.call(
        "POST", "/v1/movements/lookup", {"kind": "issue", "references": ["none"]}, caller=token
    ),
    "an order": lambda site, party, token, member: site.call("POST", "/v1/issuances", _issue(member), caller=token),
    "an order that waits": lambda site, party, token, member: site.call(
        "POST", "/v1/issuances", _issue(member), caller=token, headers={"Prefer": "wait=30"}
    ),
    "a dry run": lambda site, party, token, member: site.call(
        "POST", "/v1/issuances?dry_run=true", _issue(member), caller=token
    ),
    "another mutation": lambda site, party, token, member: site.call(
        "POST", "/v1/members", {"external_id": "never"}, caller=token
    ),
    "the stream": lambda site, party, token, member: site.call("HEAD", "/v1/events/stream", caller=token),
}


def _issue(member: str) -> dict[str, Any]:
    return {"program": "FUEL", "member": member, "points": 1}


@pytest.mark.parametrize("revoke", [_by_this_gateway, _by_another_gateway, _by_hand])
@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=REQUESTS)
def test_a_revoked_key_is_refused_by_the_very_next_request(
    site: Site,
    neighbour: Site,
    fuel: Party,
    member: str,
    revoke: Revoke,
    request_of: Callable[[Site, Party, str, str], httpx.Response],
) -> None:
    made = fuel.post("/v1/api_keys", {"scopes": ["issue", "members", "read"]})
    for gateway in (site, neighbour):
        gateway.get("/v1/merchants", caller=made["secret"])  # a new key works at once, and from now on both know it
    revoke(site, neighbour, made["id"])
    for gateway in (site, neighbour):
        response = request_of(gateway, fuel, made["secret"], member)
        assert response.status_code == 401, response.text
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/v1/issuances", {"program": 7}, {}),
        ("POST", "/v1/issuances", {"program": "FUEL"}, {"Content-Type": "text/plain"}),
        ("POST", "/v1/issuances?nothing=1", {}, {}),
        ("POST", "/v1/issuances", {}, {"Idempotency-Key": "no key"}),
        ("POST", "/v1/members", {"external_id": 7}, {}),
        ("POST", "/v1/spends", {}, {}),
        ("GET", "/v1/merchants?limit=many", None, {}),
        ("GET", "/v1/merchants?cursor=nowhere", None, {}),
    ],
)
def test_a_revoked_key_is_told_nothing_of_its_request(
    site: Site, fuel: Party, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    made = fuel.post("/v1/api_keys", {"scopes": ["issue", "members", "read"]})
    before = site.call(method, path, body, caller=made["secret"], headers=headers)
    assert before.status_code in (400, 403, 415, 422)
    _by_hand(site, site, made["id"])
    assert site.call(method, path, body, caller=made["secret"], headers=headers).status_code == 401


def test_a_refused_caller_leaves_nothing_behind(site: Site, fuel: Party, member: str) -> None:
    made = fuel.post("/v1/api_keys", {"scopes": ["issue"]})
    site.post("/v1/issuances", _issue(member), caller=made["secret"])
    _by_hand(site, site, made["id"])
    refused = site.call("POST", "/v1/issuances", _issue(member), caller=made["secret"], key="not-used-up")
    assert refused.status_code == 401
    again = site.call("POST", "/v1/issuances", _issue(member), caller=fuel.id, key="not-used-up")
    assert again.status_code == 202
    assert "Idempotent-Replayed" not in again.headers


def test_a_key_that_works_again_works_at_once(site: Site, fuel: Party) -> None:
    made = fuel.post("/v1/api_keys", {"scopes": ["read"]})
    for revoked_at, status in (("created_at", 401), ("NULL", 200), ("created_at", 401)):
        with site.database.session.begin() as session:
            session.execute(text(f"UPDATE api_keys SET revoked_at = {revoked_at} WHERE id = :id"), {"id": made["id"]})
        assert site.call("GET", "/v1/merchants", caller=made["secret"]).status_code == status


# -------------------------------------------------------------------- what orders need


class _Projector:
    """What the projector does, in a process of its own: the gateway hears of nothing but the database."""

    def __init__(self, database_url: str) -> None:
        self.database = Database(database_url)

    def apply(self, name: str, **values: Any) -> None:
        with self.database.session.begin() as session:
            apply_event(session, ContractEvent(name, values))

    def change(self, row: type[Any], key: Any, **values: Any) -> None:
        with self.database.session.begin() as session:
            found = session.get_one(row, key)
            for name, value in values.items():
                setattr(found, name, value)

    def end_keys(self, merchant: int, at: int) -> None:
        with self.database.session.begin() as session:
            for key in session.scalars(select(SignerKey).where(SignerKey.merchant_number == merchant)):
                key.valid_until = at


@pytest.fixture
def projector(fresh_site: Site) -> Iterator[_Projector]:
    other = _Projector(fresh_site.settings.database_url)
    yield other
    other.database.close()


def test_the_very_next_order_meets_what_the_chain_has_changed(fresh_site: Site, projector: _Projector) -> None:
    fuel, cine = fresh_site.merchant(program="FUEL"), fresh_site.merchant(program="CINE")
    agreement = agree(fuel, cine)
    member = fuel.member()
    fresh_site.give(member, "FUEL", 1_000)
    exchange = {"source_program": "FUEL", "target_program": "CINE", "member": member, "points": 10}
    issue = _issue(member)

    def refused(path: str, body: Any, code: str, status: int) -> None:
        fuel.refused(path, body, code, status)
        fuel.refused(f"{path}?dry_run=true", body, code, status)

    fuel.post("/v1/exchanges", exchange)
    with projector.database.reading() as session:
        number = session.scalars(select(Program.number).where(Program.code == "FUEL")).one()

    projector.change(Program, number, status=ProgramStatus.PAUSED)
    refused("/v1/issuances", issue, "program_paused", 422)
    refused("/v1/exchanges", exchange, "program_paused", 422)
    projector.change(Program, number, status=ProgramStatus.ACTIVE)
    fuel.post("/v1/issuances", issue)
    fuel.post("/v1/exchanges", exchange)

    projector.change(Merchant, fuel.number, status=MerchantStatus.SUSPENDED)
    refused("/v1/issuances", issue, "merchant_suspended", 403)
    refused("/v1/exchanges", exchange, "merchant_suspended", 403)
    fuel.post("/v1/redemptions", issue)  # a suspended merchant still redeems
    projector.change(Merchant, fuel.number, status=MerchantStatus.ACTIVE)
    fuel.post("/v1/issuances", issue)

    ends_at = fresh_site.clock.unix()
    projector.apply("AgreementEnds", agreement=agreement["number"], validUntil=ends_at, by=0)
    refused("/v1/exchanges", exchange, "unknown_agreement", 404)


def test_a_closed_merchant_signs_nothing(fresh_site: Site, projector: _Projector) -> None:
    """With a managed key or its own, from the very next request on. The contract would refuse it as well."""
    fuel, cine = fresh_site.merchant(program="FUEL"), fresh_site.merchant(program="CINE")
    own = OwnKey(fresh_site)
    agreement = agree(fuel, cine)
    proposal = cine.post("/v1/agreements", terms(cine, fuel))
    signature = f"/v1/agreements/{proposal['id']}/signatures"
    member = fuel.member()
    fresh_site.give(member, "FUEL", 1_000)
    exchange = {"source_program": "FUEL", "target_program": "CINE", "member": member, "points": 10}
    issuance = fuel.post("/v1/issuances", _issue(member))
    nonce = own.nonce()
    projector.change(Merchant, fuel.number, status=MerchantStatus.CLOSED)
    projector.change(Merchant, own.party.number, status=MerchantStatus.CLOSED)

    for path, body in (
        ("/v1/issuances", _issue(member)),
        ("/v1/redemptions", _issue(member)),
        ("/v1/exchanges", exchange),
        ("/v1/reversals", {"movement": issuance["id"]}),
        ("/v1/holds", {"program": "FUEL", "member": member, "points": 1, "expires_in": 60}),
        ("/v1/agreements", terms(fuel, cine, max_points=9)),
        (signature, {}),
        (f"/v1/agreements/{agreement['id']}/termination", {}),
    ):
        problem = fuel.refused(path, body, "merchant_closed", 403)
        assert problem["detail"] == f"merchant {fuel.id} is closed", path
    own.party.refused("/v1/issuances", own.body(nonce), "merchant_closed", 403)
    with projector.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 1, "only the issuance before"
        assert session.scalars(select(Call).where(Call.function == "terminateAgreement")).all() == []

    cine.post(f"/v1/agreements/{agreement['id']}/termination", {})


def test_nobody_does_new_business_with_a_closed_merchant(fresh_site: Site, projector: _Projector) -> None:
    fuel, cine = fresh_site.merchant(program="FUEL"), fresh_site.merchant(program="CINE")
    agree(fuel, cine)
    proposal = cine.post("/v1/agreements", terms(cine, fuel))
    member = fuel.member()
    fresh_site.give(member, "FUEL", 1_000)
    exchange = {"source_program": "FUEL", "target_program": "CINE", "member": member, "points": 10}
    projector.change(Merchant, cine.number, status=MerchantStatus.CLOSED)

    problem = fuel.refused("/v1/exchanges", exchange, "counterparty_inactive")
    assert problem["detail"] == f"{cine.id}, the other merchant of the agreement, is closed"
    for path, body in (
        ("/v1/agreements", terms(fuel, cine, max_points=9)),
        (f"/v1/agreements/{proposal['id']}/signatures", {}),
    ):
        problem = fuel.refused(path, body, "merchant_closed", 403)
        assert problem["detail"] == f"merchant {cine.id} is closed", path
    fuel.post("/v1/issuances", _issue(member))


def test_the_very_next_order_meets_a_key_that_ended(fresh_site: Site, projector: _Projector) -> None:
    managed, own = fresh_site.merchant(program="FUEL"), OwnKey(fresh_site)
    issue = _issue(managed.member())
    managed.post("/v1/issuances", issue)
    own.party.post("/v1/issuances", own.body(own.nonce()))

    projector.end_keys(managed.number, fresh_site.clock.unix())
    managed.refused("/v1/issuances", issue, "signature_required")
    projector.end_keys(own.party.number, fresh_site.clock.unix())
    own.party.refused("/v1/issuances", own.body(own.nonce()), "wrong_signer")

    for party in (managed, own.party):
        projector.end_keys(party.number, 2**40 - 1)
    managed.post("/v1/issuances", issue)
    own.party.post("/v1/issuances", own.body(own.nonce()))
