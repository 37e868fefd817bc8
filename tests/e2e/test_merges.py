"""A merge and an erasure on a whole network: real chain, gateway, daemons and workers; one merchant signs, the gateway another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tongdui import Client, Member, Merge, NotFoundError

if TYPE_CHECKING:  # or it would be imported before pytest can rewrite it
    from tongdui.testing import Network, Participant

pytest_plugins = ["tongdui.testing"]

pytestmark = pytest.mark.timeout(900)
WAIT = 60.0


@pytest.fixture(scope="module")
def station(tongdui_network: Network) -> Participant:
    """It holds its own key."""
    return tongdui_network.join("MSELF")


@pytest.fixture(scope="module")
def cinema(tongdui_network: Network) -> Iterator[Client]:
    """The gateway keeps its key."""
    operator = tongdui_network.operator
    merchant = operator.merchants.create(name="managed", managed_key=True, wait=WAIT)
    operator.programs.create(merchant=merchant, code="MKEPT", name="MKEPT", wait=WAIT)
    secret = tongdui_network.first_key(merchant, ["issue", "redeem", "members", "read"])
    with Client(tongdui_network.url, secret) as client:
        yield client


def posted(client: Client, member: str | Member) -> dict[str, int]:
    return {account.program: account.posted for account in client.members.accounts(member) if account.posted}


def until_due(client: Client, merge: Merge) -> None:
    deadline = time.monotonic() + WAIT
    while not any(
        event.data.get("merge") == merge.id for event in client.events.list() if event.type == "member.merge_due"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_merge_with_a_managed_and_a_local_key(tongdui_network: Network, station: Participant, cinema: Client) -> None:
    client, auditor = station.client, tongdui_network.auditor
    old, new = client.members.create(external_id="card/1"), client.members.create(external_id="card/2")
    for member, points in ((old, 100), (new, 5)):
        client.issuances.create(program="MSELF", member=member, points=points, wait=WAIT).settled()
    code = client.members.create_link_code(old).code
    cinema.members.create(external_id="seat-7", link_code=code)
    cinema.issuances.create(program="MKEPT", member="external:seat-7", points=40, wait=WAIT).settled()

    merge = client.merges.create(member="external:card/1", into=new)
    assert merge.warning is not None
    assert "cannot be undone" in merge.warning
    merge = client.merges.confirm(merge)
    until_due(client, merge)
    (transfer,) = client.merges.sign(merge, wait=WAIT)
    assert transfer.settled().points == 100
    receipt = client.entries.receipt(transfer)
    receipt.verify(rpc_url=tongdui_network.rpc_url, contract=tongdui_network.contract)
    assert client.merges.sign(merge) == ()
    assert client.merges.wait(merge, timeout=WAIT).state == "done"
    assert posted(auditor, new.id) == {"MSELF": 105, "MKEPT": 40}
    assert cinema.members.get("external:seat-7").id == new.id
    assert client.members.get(old.id).address == new.address

    # The old names spend the points, signed on this machine, although it once saw another address under them.
    sold = client.redemptions.create(program="MSELF", member="external:card/1", points=101, wait=WAIT).settled()
    assert sold.points == 101
    assert posted(auditor, old.id) == {"MSELF": 4, "MKEPT": 40}


def test_another_till_follows_the_merge(tongdui_network: Network, station: Participant) -> None:
    client = station.client
    old, new = client.members.create(external_id="till/1"), client.members.create(external_id="till/2")
    client.issuances.create(program="MSELF", member=old, points=10, wait=WAIT).settled()
    with Client(tongdui_network.url, station.api_key, signer=station.signer) as till:
        assert till.members.get("external:till/1").address == old.address
        till.issuances.create(program="MSELF", member="external:till/1", points=10, wait=WAIT).settled()
        merge = client.merges.confirm(client.merges.create(member=old, into=new))
        until_due(client, merge)
        client.merges.sign(merge, wait=WAIT)
        assert client.merges.wait(merge, timeout=WAIT).state == "done"
        # It signs with the old address first, is told that this is not its order, and looks the member up again.
        till.redemptions.create(program="MSELF", member="external:till/1", points=20, wait=WAIT).settled()
    assert posted(client, new) == {}


def test_an_erased_member_leaves_a_pseudonym_that_leads_to_nobody(
    tongdui_network: Network, station: Participant
) -> None:
    client = station.client
    member = client.members.create(external_id="please-forget-me")
    issued = client.issuances.create(program="MSELF", member=member, points=10, wait=WAIT)
    receipt = client.entries.receipt(issued)
    assert client.members.erase(member, forfeit_points=True).complete
    with pytest.raises(NotFoundError):
        client.members.get(member.id)
    receipt.verify(rpc_url=tongdui_network.rpc_url, contract=tongdui_network.contract)
    assert client.members.create(external_id="please-forget-me").address != member.address
