"""The rules on a history of a real contract: nothing is found in an honest one, and everything that is planted in another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.dev.services import Anvil
from tests.audit.rules.seen import rules_of
from tests.contracts.network import (
    AGREEMENTS,
    CARWASH,
    CINEMA,
    DAY,
    FUEL,
    MEMBERS,
    PROGRAMS,
    endow,
    exchange,
    found_network,
    private_key,
    sign_order,
    sign_terms,
)
from tests.contracts.twins import UTC_OFFSET, Twins
from tests.support.bank_files import Entry as Line
from tests.support.bank_files import camt
from tongdui.audit.days import day_text
from tongdui.audit.findings import Finding
from tongdui.audit.model.clearing_house import FOREVER
from tongdui.audit.model.records import Role
from tongdui.audit.rules.bank import Bank, Statement, read_statement
from tongdui.audit.rules.cycles import Cycles
from tongdui.audit.rules.lots import Lots
from tongdui.audit.rules.roles import Roles
from tongdui.audit.tables import Tables
from tongdui.audit.watching import BlockSeen, EntrySeen, EventSeen, Watcher
from tongdui.encoding import address_word, keccak256, word
from tongdui.orders import AgreementTerms, Instruction, Kind, Order, full_signature, sign_digest, termination_digest
from tongdui.receipts import Entry

ANN, BEN = MEMBERS[:2]
KEEPING = exchange(1, 6, (1, 2), 1_000, lifetime_days=30, keep_expiry=True)


class Stage:
    """A network on anvil, and few words for what happens there."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.nonce = 0

    @property
    def today(self) -> int:
        return self.twins.model.today()

    def do(self, merchant: int, *instructions: Instruction) -> list[Entry]:
        """A batch of one order; all its instructions are accepted."""
        self.nonce += 1
        order = sign_order(self.twins, Order(merchant, self.nonce, FOREVER, instructions), private_key(merchant, 0))
        before = len(self.twins.entries())
        self.twins.execute([order], lambda i: self.twins.evidence(self._known[i.link]))
        made = self.twins.entries()[before:]
        assert len(made) == len(instructions)
        return made

    def reverse(self, merchant: int, original: Entry, points: int) -> None:
        self._known = {original.leaf(): original}
        self.do(merchant, Instruction(Kind.REVERSE, original.member, points, original.program, link=original.leaf()))

    def book(self, name: str, merchant: int, micros: int, reference: str) -> None:
        assert self.twins.call(self.twins.treasury, name, merchant, micros, keccak256(reference.encode())) is None

    def register(self, terms: AgreementTerms) -> None:
        number = len(self.twins.model.agreements) + 1
        signatures = sign_terms(self.twins, terms)
        assert self.twins.call(self.twins.operator, "register_agreement", number, terms, *signatures) is None

    def shown(self, watchers: Sequence[Watcher]) -> list[Finding]:
        """Shows all that the contract recorded to watchers, read from the node."""
        found: list[Finding] = []
        for seen in self._seen():
            for one in watchers:
                found += one.on_entry(seen) if isinstance(seen, EntrySeen) else one.on_event(seen)
        end = self.block_of(self.twins.chain.height())
        return [*found, *(finding for one in watchers for finding in one.at_end(end))]

    def block_of(self, number: int) -> BlockSeen:
        block = self.twins.chain.rpc("eth_getBlockByNumber", hex(number), False)
        time = int(block["timestamp"], 16)
        return BlockSeen(number, block["hash"], time, (time + UTC_OFFSET) // DAY)

    def _seen(self) -> Iterator[EntrySeen | EventSeen]:
        terms: dict[int, AgreementTerms] = {}
        entries: dict[bytes, Entry] = {}
        for number in range(1, self.twins.chain.height() + 1):
            block = self.block_of(number)
            (sent,) = self.twins.chain.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]
            for _, (name, values) in self.twins.chain.history(number, number):
                if isinstance(values[0], Entry):
                    entry, leaf = values[0], values[0].leaf()
                    entries[leaf] = entry
                    yield EntrySeen(
                        entry, leaf, block, sent["hash"], terms.get(entry.agreement), entries.get(entry.link)
                    )
                    continue
                if name == "AgreementRegistered":
                    terms[values[0]] = AgreementTerms(*values[2])
                yield EventSeen(name, values, block, sent["hash"], sent["from"])


@pytest.fixture(scope="module")
def network() -> Iterator[Twins]:
    with Anvil() as chain:
        twins = Twins(chain.url)
        found_network(twins, [*AGREEMENTS, KEEPING])
        endow(twins, [1_000] * 6)
        yield twins
        twins.chain.close()


@pytest.fixture
def stage(network: Twins) -> Iterator[Stage]:
    before = network.snapshot()
    yield Stage(network)
    network.restore(before)


def trade(stage: Stage) -> list[Entry]:
    """An honest day: everything that moves lots."""
    (issued,) = stage.do(FUEL, Instruction(Kind.ISSUE, ANN, 300, 1, expiry_day=stage.today + 2))
    moved = stage.do(
        FUEL,
        Instruction(Kind.TRANSFER, ANN, 40, 1, link=address_word(BEN)),
        Instruction(Kind.EXCHANGE, ANN, 100, 1, agreement=1),
        Instruction(Kind.EXCHANGE, ANN, 60, 1, agreement=len(AGREEMENTS) + 1),
        Instruction(Kind.REDEEM, ANN, 30, 1, link=word(stage.today)),
    )
    (spent,) = stage.do(CARWASH, Instruction(Kind.SPEND, ANN, 20, 1, agreement=7))
    stage.reverse(CARWASH, spent, 10)
    stage.reverse(FUEL, issued, 5)
    return moved


def test_nothing_is_found_in_an_honest_history_and_lots_make_the_contracts_balances(
    stage: Stage, tmp_path: Path
) -> None:
    first_day = stage.today
    _, exchanged, _, redeemed = trade(stage)
    stage.reverse(CINEMA, exchanged, 50)
    stage.book("deposit", FUEL, 5_000_000, "IN-1")
    stage.book("withdraw", FUEL, 1_000_000, "OUT-1")
    stage.twins.now += 2 * DAY
    left = sum(lot.points for lot in _lots(stage).lots_of(ANN, 1) if lot.expiry_day)
    stage.do(FUEL, Instruction(Kind.EXPIRE, ANN, left, 1))
    stage.reverse(FUEL, redeemed, 30)
    lots = Lots(Tables())
    tables = Tables()
    watchers = [lots, Cycles(tables), Roles(tables), Bank(tables, [_statement(tmp_path, first_day)])]
    assert stage.shown(watchers) == []
    accounts = [(member, program) for member in MEMBERS for program in PROGRAMS]
    balances = stage.twins.chain.views([("balanceOf", *account) for account in accounts])
    assert [sum(lot.points for lot in lots.lots_of(*account)) for account in accounts] == balances
    assert sum(lots.open_points().values()) == sum(balances)


def _lots(stage: Stage) -> Lots:
    lots = Lots(Tables())
    stage.shown([lots])
    return lots


def _statement(folder: Path, day: int) -> Statement:
    lines = [Line("5", reference="IN-1", day=day_text(day)), Line("1", "DBIT", "OUT-1", day=day_text(day))]
    (folder / "bank.xml").write_bytes(camt(lines))
    return read_statement(folder / "bank.xml", "CNY")


def test_what_is_planted_is_found(stage: Stage, tmp_path: Path) -> None:
    twins, first_day = stage.twins, stage.today
    trade(stage)
    stage.book("deposit", FUEL, 5_000_001, "IN-1")
    stage.book("withdraw", FUEL, 1_000_000, "OUT-1")
    stage.book("deposit", FUEL, 9, "nobody's")
    stage.do(FUEL, Instruction(Kind.EXPIRE, BEN, 7, 1))
    twins.now += 2 * DAY
    stage.do(FUEL, Instruction(Kind.REDEEM, ANN, twins.model.balances[ANN, 1], 1, link=word(stage.today - 20)))
    stage.do(FUEL, Instruction(Kind.ISSUE, ANN, 10, 1, expiry_day=stage.today + 1))
    twins.now += 2 * DAY
    stage.do(FUEL, Instruction(Kind.TRANSFER, ANN, 10, 1, link=address_word(BEN)))
    stage.register(replace(AGREEMENTS[1], rate_num=11, rate_den=9, valid_until=FOREVER))
    twins.call(twins.admin, "set_role", Role.TREASURY, twins.sequencer, True)
    end = termination_digest(twins.chain.domain, 9, FOREVER)
    signature = full_signature(sign_digest(end, private_key(CINEMA, 0)))
    assert twins.call(twins.pauser, "terminate_agreement", 9, FOREVER, CINEMA, signature) is None
    twins.now += 9 * DAY
    stage.do(FUEL)
    tables = Tables()
    statement = _statement(tmp_path, first_day)
    watchers = [Lots(tables), Cycles(tables), Roles(tables), Bank(tables, [statement])]
    assert rules_of(stage.shown(watchers)) == [
        *("lots.expired_early", "lots.old_hold", "lots.expired_spent"),
        *("agreements.cycle", "roles.two_roles", "roles.other_use"),
        *("lots.not_expired", "lots.not_expired"),
        *("bank.amount", "bank.not_in_statement"),
    ]
