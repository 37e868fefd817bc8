"""The export of entries: the gateway's file, from its database, is the file that anyone can write from the chain."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from clearing.chain.client import Log
from clearing.chain.contract import ENTRY_POSTED, LINKED_ENTRY_POSTED, decode_log
from clearing.kit.clock import MovableClock
from clearing.kit.identity import SECONDS_A_DAY
from clearing.ledger.journal.models import Batch
from clearing.parties.access.models import Role
from clearing.parties.access.service import AccessService, Caller, bootstrap_keys
from clearing.parties.merchants.models import Merchant
from gateway.app import create_app
from scripts.dev.services import Anvil
from scripts.dev.serving import serving
from tests.support.harness import Harness
from tongdui import Client, UnprocessableError
from tongdui._export import ExportedEntry, Sides, Target, export_lines
from tongdui.encoding import bytes_of, hex_of
from tongdui.receipts import Entry, merkle_proof, merkle_root, root_of_proof


class ChainReader:
    """All entries of the harness's contract, from the node's logs and nothing else."""

    def __init__(self, harness: Harness) -> None:
        newest = harness.client.newest_block().number
        self._network = harness.network
        self._codes: dict[int, tuple[str, int]] = {}
        self._terms: dict[int, dict[str, int]] = {}
        self.entries: list[ExportedEntry] = []
        for block in harness.client.blocks(1, newest, harness.settings.contract):
            batch: list[Entry] = []
            for log in block.logs:
                if log.topics[0] in (ENTRY_POSTED, LINKED_ENTRY_POSTED):
                    batch.append(_entry_of(log))
                    continue
                event = decode_log(log)
                assert event is not None
                if event.name == "ProgramRegistered":
                    code = bytes_of(event.arguments["code"]).rstrip(b"\0").decode()
                    self._codes[event.arguments["program"]] = (code, event.arguments["merchant"])
                elif event.name == "AgreementRegistered":
                    self._terms[event.arguments["agreement"]] = event.arguments["terms"]
                elif event.name == "BatchClosed":
                    self._close(batch, block.number, block.timestamp, hex_of(log.tx_hash), event.arguments["root"])
                    batch = []

    def _close(self, batch: list[Entry], block: int, time: int, transaction: str, root: str) -> None:
        leaves = [entry.leaf() for entry in batch]
        assert hex_of(merkle_root(leaves)) == root
        for entry in batch:
            terms = self._terms.get(entry.agreement)
            code, owner = self._codes[entry.program]
            sides = Sides(owner, owner) if terms is None else Sides(terms["sourceMerchant"], terms["targetMerchant"])
            number = 0 if terms is None else terms["targetProgram"]
            self.entries.append(
                ExportedEntry(
                    entry,
                    sides,
                    code,
                    Target(number, self._codes[number][0]) if number else None,
                    block,
                    transaction,
                    time,
                    self._network.day_at(time),
                    bytes_of(root),
                    merkle_proof(leaves, entry.index),
                )
            )

    def file(self, merchant: int, first: int, last: int) -> str:
        """A merchant's export of some days."""
        wanted = [one for one in self.entries if first <= one.day <= last and one.sides.concern(merchant, one.entry)]
        return "".join(export_lines(merchant, wanted))


def _entry_of(log: Log) -> Entry:
    link = {"link": log.topics[2]} if log.topics[0] == LINKED_ENTRY_POSTED else {}
    return Entry.from_log(hex_of(log.topics[1][12:]), log.data, **link)


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
    chain, network = ChainReader(traded), traded.network
    days = sorted({one.day for one in chain.entries})
    assert len(days) == 3
    with traded.database.reading() as session:
        rows = session.execute(select(Merchant.number, Merchant.id)).tuples()
        merchants = dict(list(rows))
    periods: list[tuple[date | None, date | None]] = [(None, None)]
    periods += [(network.date_of(days[1]), network.date_of(days[1])), (network.date_of(days[1]), None)]
    with gateway_of(traded) as (url, keys), Client(url, api_key=keys[Role.AUDITOR]) as auditor:
        counts = defaultdict(set)
        for number, merchant in merchants.items():
            for first, last in periods:
                wanted = chain.file(
                    number,
                    network.day_of(first) if first else 0,
                    network.day_of(last) if last else 2**31,
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
        assert path.read_bytes().decode() == chain.file(1, 0, 2**31)
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
    with httpx.Client(base_url=url, headers=headers) as http:
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
            key = AccessService(session).create(
                Caller("key_0", Role.OPERATOR, None, frozenset()),
                role=Role.OPERATOR,
                merchant_id=None,
                scopes=[],
                actor="test",
            )[1]
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
        with httpx.Client(base_url=url, headers=headers) as http:
            for wrong in ("1_2", "1_2_3", "x", "1_2_" + "g" * 16, "1_2_" + "0" * 15):
                refused = http.get(f"/v1/entries/export?cursor={wrong}")
                assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "cursor")
