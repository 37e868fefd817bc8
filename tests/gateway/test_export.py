"""The export of entries: the gateway's file, from its database, is the file that anyone can write from the chain."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from clearing.kit.clock import MovableClock
from clearing.kit.identity import SECONDS_A_DAY
from clearing.ledger.journal.models import Batch
from clearing.parties.access.models import Role
from clearing.parties.access.service import AccessService, bootstrap_keys
from clearing.parties.merchants.models import Merchant
from gateway.app import create_app
from scripts.dev.services import Anvil
from scripts.dev.serving import serving
from tests.support.harness import Harness
from tongdui import Client, UnprocessableError
from tongdui.audit.chain.node import Node
from tongdui.audit.chain.reading import Block, ChainReader
from tongdui.audit.report.export import Period, write_export
from tongdui.encoding import bytes_of, hex_of
from tongdui.receipts import root_of_proof


class ChainFiles:
    """Exports of the harness's contract that the auditor's kit writes from its chain, and nothing else."""

    def __init__(self, harness: Harness, directory: Path) -> None:
        with closing(Node(harness.settings.rpc_url)) as node:
            reader = ChainReader([node], harness.settings.contract, workers=0)
            self._blocks = list(reader.blocks(0, node.newest()))
        self._utc_offset = harness.network.utc_offset_seconds
        self._path = directory / "from-chain.csv"
        self.days = sorted({self._day_of(block) for block in self._blocks if _has_entries(block)})

    def _day_of(self, block: Block) -> int:
        return (block.time + self._utc_offset) // SECONDS_A_DAY

    def file(self, merchant: int, first: int | None = None, last: int | None = None) -> str:
        """A merchant's export of some days."""
        count = write_export(self._path, merchant, Period(first, last), self._blocks, self._utc_offset)
        text = self._path.read_bytes().decode()
        assert text.count("\r\n") == count + 1
        return text


def _has_entries(block: Block) -> bool:
    return any("EntryPosted" in name for call in block.calls for name, _ in call.events)


@contextmanager
def gateway_of(harness: Harness) -> Iterator[tuple[str, dict[Role, str]]]:
    """The harness's network behind a gateway: its address, and the keys of the network's roles."""
    with harness.database.session.begin() as session:
        keys = bootstrap_keys(session)
    with serving(
        lambda port: create_app(harness.settings.model_copy(update={"gateway_port": port}), harness.database)
    ) as url:
        yield url, keys


@pytest.fixture
def traded(lone_harness: Harness, own_chain: Anvil, clock: MovableClock) -> Harness:
    """Three days with every kind of movement, in batches of many sizes, and fees."""
    harness = lone_harness
    harness.settings.managed_deadline = harness.settings.max_deadline = 9 * SECONDS_A_DAY  # the chain's clock will jump
    first, second = harness.member(), harness.member()
    washing = harness.acceptor()
    for size in (1, 2, 5):
        orders = [harness.issue(first, 200 + number) for number in range(size)]
        harness.settle()
        orders = [harness.exchange(first, 31), harness.spend(first, 20, washing), harness.transfer(first, second, 7)]
        orders += [harness.redeem(first, 3, "FUEL")]
        harness.settle()
        harness.reverse(2, orders[0], 10)
        harness.reverse(1, orders[2])
        harness.settle()
        own_chain.rpc("evm_increaseTime", SECONDS_A_DAY)
        clock.move(timedelta(days=1))
    return harness


def test_the_gateways_file_is_the_chains_byte_for_byte(traded: Harness, tmp_path: Path) -> None:
    chain, network = ChainFiles(traded, tmp_path), traded.network
    days = chain.days
    assert len(days) == 3
    with traded.database.reading() as session:
        merchants = {merchant.number: merchant.id for merchant in session.scalars(select(Merchant))}
    periods: list[tuple[date | None, date | None]] = [(None, None)]
    periods += [(network.date_of(days[1]), network.date_of(days[1])), (network.date_of(days[1]), None)]
    with gateway_of(traded) as (url, keys), Client(url, api_key=keys[Role.AUDITOR]) as auditor:
        counts = defaultdict(set)
        for number, merchant in merchants.items():
            for first, last in periods:
                wanted = chain.file(
                    number, network.day_of(first) if first else None, network.day_of(last) if last else None
                )
                whole = auditor.entries.export(merchant=merchant, first_day=first, last_day=last)
                assert "".join(whole) == wanted, (number, first, last)
                if first is None and number < 2:
                    assert "".join(small_pages(url, keys[Role.AUDITOR], merchant, first, last)) == wanted
                counts[number].add(wanted.count("\r\n") - 1)
        assert counts[0] == {6, 2, 4}, "the operator has the fees of an exchange and a spend a day"
        assert all(len(found) == 3 and min(found) > 0 for found in counts.values())
        path = tmp_path / "entries.csv"
        lines = auditor.entries.export(merchant=merchants[1]).save(path)
        assert path.read_bytes().decode() == chain.file(1)
    with path.open(newline="") as file:
        shown = list(csv.DictReader(file))
    assert lines == len(shown)
    for row in shown:
        proof = [bytes_of(word) for word in row["proof"].split()]
        assert hex_of(root_of_proof(bytes_of(row["leaf"]), proof)) == row["root"]
    check_what_happens_when_the_chain_changes(traded, tmp_path)


def small_pages(url: str, key: str, merchant: str, first: date | None, last: date | None) -> Iterator[str]:
    """The same file in pages of two entries, as anybody would put it together."""
    params: dict[str, str] = {"merchant": merchant, "limit": "2"}
    params |= {"from": str(first)} if first else {}
    params |= {"to": str(last)} if last else {}
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/csv"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
        cursor: str | None = ""
        while cursor is not None:
            answer = http.get("/v1/entries/export", params=params | ({"cursor": cursor} if cursor else {}))
            answer.raise_for_status()
            head, end, rows = answer.text.partition("\r\n")
            yield rows if cursor else head + end + rows
            cursor = answer.headers.get("Next-Cursor")


class ChangingChain(httpx.HTTPTransport):
    """The way to a gateway whose chain is replaced after the first answer."""

    def __init__(self, harness: Harness) -> None:
        super().__init__()
        self._harness = harness

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "export" in request.url.path:  # so that the file has several pages
            request.url = request.url.copy_merge_params({"limit": "2"})
        response = super().handle_request(request)
        if "export" in request.url.path:
            with self._harness.database.session.begin() as session:
                session.execute(update(Batch).values(head=bytes(32)))
        return response


def check_what_happens_when_the_chain_changes(harness: Harness, directory: Path) -> None:
    with gateway_of(harness) as (url, _):
        with harness.database.session.begin() as session:
            key = AccessService(session).create_root(Role.OPERATOR, actor="test")
        path = directory / "broken.csv"
        path.write_text("an earlier one")
        with (
            Client(url, api_key=key, transport=ChangingChain(harness)) as client,
            pytest.raises(UnprocessableError, match="begin with the first page"),
        ):
            client.entries.export().save(path)
        assert path.read_text() == "an earlier one"
        assert [each.name for each in directory.iterdir() if "broken" in each.name] == ["broken.csv"]
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
            for wrong in ("1_2", "1_2_3", "x", "1_2_" + "g" * 16, "1_2_" + "0" * 15):
                refused = http.get(f"/v1/entries/export?cursor={wrong}")
                assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "cursor")
