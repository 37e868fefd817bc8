"""What a merchant should look at: each matter with its count, and a filter that leads to it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update

from clearing.ledger.accounts.models import Account
from clearing.notifications.webhooks.models import WebhookEndpoint
from clearing.ordering.orders.models import OrderState
from clearing.parties.programs.models import Program
from tests.gateway.site import Party, Site, agree, terms


@pytest.fixture
def party(site: Site, request: pytest.FixtureRequest) -> Party:
    """A merchant to whom nothing has happened."""
    code = "AT" + str(abs(hash(request.node.name)) % 10**8)
    return site.merchant(program=code)


def _seen(party: Party) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in party.get("/v1/attention")["data"]}


def _shown(party: Party, found: dict[str, Any]) -> list[dict[str, Any]]:
    query = f"?{urlencode(found['filter'])}" if found["filter"] else ""
    shown: list[dict[str, Any]] = party.get(f"/v1/{found['collection']}{query}")["data"]
    return shown


def test_there_is_nothing_to_look_at_where_nothing_happened(party: Party) -> None:
    assert party.get("/v1/attention") == {"data": []}


def test_rejected_movements_of_the_last_day(site: Site, party: Party) -> None:
    for _ in range(2):
        made = party.post("/v1/issuances", {"program": party.program, "member": party.member(), "points": 5})
        site.finish(made["order"], OrderState.REJECTED, "program_paused")
    found = _seen(party)["movements_rejected"]
    assert found["count"] == 2
    assert len(_shown(party, found)) == 2
    assert found["since"] <= made["created_at"]
    with site.clock.stopped(site.clock.now() + timedelta(days=1, seconds=5)):
        assert "movements_rejected" not in _seen(party)


def test_a_movement_that_waits_for_longer_than_a_minute(site: Site, party: Party) -> None:
    made = party.post("/v1/issuances", {"program": party.program, "member": party.member(), "points": 5})
    assert _seen(party) == {}
    with site.clock.stopped(site.clock.now() + timedelta(seconds=62)):
        found = _seen(party)["movements_late"]
        assert (found["count"], found["since"]) == (1, made["created_at"])
        assert [each["id"] for each in _shown(party, found)] == [made["id"]]


def test_low_liquidity(site: Site) -> None:
    poor = site.merchant(credit_limit_micros=1_000_000_000)
    assert _seen(poor) == {}
    site.agreed(f"/v1/merchants/{poor.id}/credit_limit", {"credit_limit_micros": 1_000})
    site.confirm()
    assert list(_seen(poor)) == ["liquidity_critical"]


def test_agreements_to_sign_and_about_to_end(site: Site, party: Party) -> None:
    other = site.merchant(program=f"{party.program}X"[-12:])
    end = (site.clock.now() + timedelta(days=5)).isoformat()
    proposal = party.post("/v1/agreements", terms(party, other, valid_until=end))
    assert _seen(party) == {}
    found = _seen(other)["agreements_to_sign"]
    assert [each["id"] for each in _shown(other, found)] == [proposal["id"]]
    other.post(f"/v1/agreements/{proposal['id']}/signatures", {})
    site.confirm()
    for side in (party, other):
        ending = _seen(side)["agreements_ending"]
        assert (ending["count"], ending["until"][:10]) == (1, end[:10])
    agree(party, other)
    assert "agreements_ending" not in _seen(party), "another one has taken its place"


def test_points_that_expire_soon(site: Site, party: Party) -> None:
    members = [party.member() for _ in range(3)]
    network = site.app.state.gateway.network
    today = network.day_at(site.clock.unix())
    for member in members:
        site.give(member, party.program or "", 10)
    with site.database.session.begin() as session:
        number = session.scalars(select(Program.number).where(Program.code == party.program)).one()
        mine = select(Account).where(Account.program == number).order_by(Account.address)
        for account, day in zip(session.scalars(mine), (today + 2, today + 6, today + 9), strict=True):
            account.due_on = day
    found = _seen(party)["points_expiring"]
    assert (found["count"], found["until"]) == (2, network.begin_of(today + 2).isoformat().replace("+00:00", "Z"))
    listed = [network.day_of(date.fromisoformat(one["expires_on"])) - today for one in _shown(party, found)]
    assert listed == [2, 6], "the list that the filter leads to has just those that were counted"


def test_webhooks_that_fail(site: Site, party: Party) -> None:
    made = party.post("/v1/webhook_endpoints", {"url": "https://partner.example/hook"})
    assert _seen(party) == {}
    with site.database.session.begin() as session:
        mine = WebhookEndpoint.id == made["id"]
        session.execute(update(WebhookEndpoint).where(mine).values(failing_since=site.clock.now()))
    found = _seen(party)["webhooks_failing"]
    assert [each["id"] for each in _shown(party, found)] == [made["id"]]
