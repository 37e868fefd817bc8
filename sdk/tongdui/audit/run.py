"""An audit from the first block to the report."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from ..encoding import hex_of
from .chain.code import CodeChecked, Network, check_code, network_of
from .chain.node import Node, find_behind, find_differing, require_same_chain
from .chain.proving import Block
from .chain.reading import ChainReader
from .chain.storage import Checked, check_storage
from .days import day_number, day_text
from .every_rule import RULES
from .findings import CannotCheck, NotChecked
from .liability.settings import read_settings
from .model.clearing_house import ClearingHouse
from .options import Bound, OnProgress, Options, Outcome, Progress
from .replay.replaying import Replay
from .report.assembling import Judgement, Reporters, Settings, node_names, report_of
from .report.collecting import mark_of
from .report.document import Scope
from .rules.bank import Bank, Statement, columns_of, read_statement
from .rules.cycles import Cycles
from .rules.lots import Lots
from .rules.roles import Roles
from .rules.succession import Succession
from .snapshot import Snapshot
from .state import State
from .tables import Tables
from .taking import take_snapshot
from .watching import BlockSeen

_DAY = 86_400
_ENTRIES_BETWEEN_CHECKPOINTS = 50_000
_PROGRESS_SECONDS = 0.25
_COUNTED = ("blocks", "calls", "orders", "entries")


def audit(options: Options, on_progress: OnProgress) -> Outcome:
    """Audit a clearing house from its chain alone.

    Args:
        options: What to audit, and against what.
        on_progress: Is told how far it is, some times a second.

    Returns:
        What was found, with the report.

    Raises:
        CannotCheck: The audit cannot be made, or not to its end; the message says what to do.
    """
    statements = [read_statement(path, options.currency, columns_of(options.bank_columns)) for path in options.bank]
    settings = None
    if options.liability is not None:
        settings = (read_settings(options.liability), options.liability.read_bytes())
    with ExitStack() as opened:
        nodes = [opened.enter_context(closing(Node(url, options.timeout))) for url in options.rpc]
        chain_id = require_same_chain(nodes, options.chain_id)
        with State(options.state) as state:
            run = _Run(options, nodes, chain_id, state, statements, settings)
            return run.outcome(on_progress)


class _Run:
    """One audit. Its pieces come in the order of its making."""

    def __init__(
        self,
        options: Options,
        nodes: Sequence[Node],
        chain_id: int,
        state: State,
        statements: Sequence[Statement],
        settings: Settings | None,
    ) -> None:
        self._options = options
        self._nodes = nodes
        self._chain_id = chain_id
        self._state = state
        self._statements = statements
        self._settings = settings
        reach = max(
            options.first if isinstance(options.first, int) else 0, options.last if isinstance(options.last, int) else 0
        )
        self._newest, self._behind = find_behind(nodes, reach or None)
        contract = options.contract.lower()
        self._network: Network = network_of(nodes[0], contract, self._newest)
        self._first, self._last = self._range()
        tables: Tables = state.tables
        self._house = ClearingHouse(
            self._network.domain,
            self._network.owner,
            self._network.operator_name,
            self._network.utc_offset,
            0,
            tables,
        )
        self._reporters = Reporters.of(tables, Lots(tables, late_days=options.grace_days))
        self._bank = Bank(tables, statements)
        known = None if options.predecessor is None else Snapshot(options.predecessor)
        self._succession = Succession(tables, known)
        watchers = (*self._reporters.watchers, Cycles(tables), Roles(tables), self._bank, self._succession)
        self._replay = Replay(self._house, contract, tables, watchers)

    # ---------------------------------------------------------------- from where to where

    def _range(self) -> tuple[int, int]:
        """The first block of the reported period, and the last of the audit."""
        created, options = self._network.created, self._options
        last = self._newest if options.last is None else self._block_of(options.last)
        if options.as_of is not None:
            end = (day_number(options.as_of) + 1) * _DAY - self._network.utc_offset
            last = min(self._newest, self._nodes[0].block_at(end - 1))
        first = created if options.first is None else max(created, self._block_from(options.first))
        if last < created:
            raise CannotCheck(
                f"The contract was created in block {created}, after the end of the audit, block {last}: "
                "give a later end with --to or --as-of."
            )
        if first > last:
            raise CannotCheck(
                f"The reported period begins with block {first}, after the end of the audit, block {last}: "
                "give an earlier --from, or a later --to."
            )
        return first, last

    def _block_of(self, bound: Bound) -> int:
        if isinstance(bound, datetime):
            return min(self._newest, self._nodes[0].block_at(int(bound.timestamp())))
        if bound > self._newest:
            raise CannotCheck(
                f"The node's newest block is {self._newest}, and the audit shall end with {bound}: wait, or end earlier with --to."
            )
        return bound

    def _block_from(self, bound: Bound) -> int:
        """The first block at or after a bound."""
        if not isinstance(bound, datetime):
            return bound
        return self._nodes[0].block_at(int(bound.timestamp()) - 1) + 1

    # ---------------------------------------------------------------- the audit

    def outcome(self, on_progress: OnProgress) -> Outcome:
        """Replays the chain, concludes, and reports."""
        options = self._options
        workers = (os.cpu_count() or 1) if options.workers is None else options.workers
        reader = ChainReader(self._nodes, self._network.domain.contract, workers, self._chain_id)
        last = self._replayed(reader, on_progress)
        reader.require_unchanged(last)
        seen = BlockSeen(last.number, last.hash, last.time, self._house.today())
        findings = [*self._replay.findings(), *self._behind, *self._replay.end(seen)]
        findings += find_differing(self._nodes, last.number)
        code, storage = self._contract_checked(last)
        findings += [*code.findings, *storage.findings]
        if options.snapshot is not None:
            self._take_snapshot(options.snapshot, storage)
        not_checked = [
            *self._alone(),
            *code.not_checked,
            *storage.not_checked,
            *self._bank.not_checked(),
            *self._succession.not_checked(),
            *self._reporters.lots.not_checked(),
            *self._believed(),
        ]
        not_checked += self._still_to_come(seen)
        rules = (
            RULES if self._statements else {rule: says for rule, says in RULES.items() if not rule.startswith("bank.")}
        )
        judgement = Judgement(self._counts(), rules, findings, not_checked)
        first = self._seen(self._first)
        report = report_of(
            self._scope(code, first, seen),
            judgement,
            self._reporters,
            self._house.balances.stored(),
            (first, seen),
            self._statements,
            self._settings,
        )
        return Outcome(report, tuple(findings), tuple(not_checked))

    def _replayed(self, reader: ChainReader, on_progress: OnProgress) -> Block:
        """Replays all blocks up to the last, and gives that."""
        begin = self._state.resume(self._nodes[0], self._network, self._last)
        parent = self._state.hash
        progress = _Progress(on_progress, begin, self._last, self._replay)
        block: Block | None = None
        entries = self._replay.count("entries")
        with closing(reader.blocks(begin, self._last, parent)) as blocks:
            for block in blocks:
                self._replay.take(block)
                self._state.tables.make_space()
                progress.show(block.number)
                done = block.number - (self._state.block or begin)
                if (
                    done >= self._options.checkpoint_blocks
                    or self._replay.count("entries") - entries >= _ENTRIES_BETWEEN_CHECKPOINTS
                ):
                    self._state.checkpoint(block)
                    entries = self._replay.count("entries")
        if block is None:
            (block,) = reader.blocks(self._last, self._last)
        else:
            self._state.checkpoint(block)
        self._house.now = block.time
        progress.show(block.number, at_once=True)
        return block

    def _contract_checked(self, last: Block) -> tuple[CodeChecked, Checked]:
        node, domain = self._nodes[0], self._network.domain
        code = check_code(node, domain.contract, last.number, last.state_root, domain)
        return code, check_storage(node, domain.contract, last.number, last.state_root, self._house)

    def _take_snapshot(self, path: Path, storage: Checked) -> None:
        """Raises CannotCheck where the contract's storage is not proven to be what its history leads to."""
        if storage.findings or storage.not_checked:
            raise CannotCheck(
                f"No snapshot was written to {path}: the contract's storage is not proven to be what its history leads to. Run the "
                "audit without --snapshot to see what differs, and name a node with --rpc that offers eth_getProof."
            )
        take_snapshot(path, self._house, self._reporters.lots, self._succession.frozen_in)

    def _still_to_come(self, last: BlockSeen) -> Iterator[NotChecked]:
        """What the chain may still get before the end that was asked for: then the same audit says something else tomorrow."""
        options = self._options
        end = int(options.last.timestamp()) if isinstance(options.last, datetime) else None
        if options.as_of is not None:
            end = (day_number(options.as_of) + 1) * _DAY - self._network.utc_offset - 1
        if end is not None and last.number == self._newest and last.time < end:
            yield NotChecked(
                f"what comes after block {last.number}, until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M:%S} UTC",
                f"the chain ended with block {last.number} when it was read, before the end that the audit was asked for",
            )

    def _alone(self) -> Iterator[NotChecked]:
        if len({node.url for node in self._nodes}) == 1:
            yield NotChecked(
                "whether the node shows the chain that others have, up to its end",
                "one node was asked; name a second one, of another party, with --rpc",
            )

    def _believed(self) -> Iterator[NotChecked]:
        for contract, event, count in self._replay.believed_calls():
            yield NotChecked(
                f"{count} calls that the contract {contract} made, with the event {event}",
                "what they were and who signed them stands in no transaction of their own",
            )

    # ---------------------------------------------------------------- for the report

    def _counts(self) -> Mapping[str, int]:
        counted = {what: self._replay.count(what) for what in _COUNTED}
        return {**counted, "batches": self._house.count("batches")}

    def _seen(self, number: int) -> BlockSeen:
        """A block as the first node has it."""
        header = self._nodes[0].header(number)
        moment = self._nodes[0].quantity(header.get("timestamp"), "eth_getBlockByNumber")
        return BlockSeen(number, str(header.get("hash")).lower(), moment, (moment + self._network.utc_offset) // _DAY)

    def _scope(self, code: CodeChecked, first: BlockSeen, last: BlockSeen) -> Scope:
        as_of = self._options.as_of
        return Scope(
            self._chain_id,
            self._network.domain.contract,
            code.build,
            mark_of(self._seen(self._network.created)),
            mark_of(first),
            mark_of(last),
            None if as_of is None else day_text(day_number(as_of)),
            hex_of(self._house.head),
            self._network.utc_offset,
            self._options.currency,
            node_names(self._options.rpc),
        )


class _Progress:
    """Says how far an audit is, some times a second."""

    def __init__(self, tell: OnProgress, first: int, last: int, replay: Replay) -> None:
        self._tell = tell
        self._first, self._last = first, last
        self._replay = replay
        self._entries = replay.count("entries")
        self._began = time.monotonic()
        self._told = 0.0

    def show(self, block: int, *, at_once: bool = False) -> None:
        """Says it, if it is time."""
        now = time.monotonic()
        if at_once or now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            entries = self._replay.count("entries") - self._entries
            findings = self._replay.count("findings")
            self._tell(Progress(block, self._first, self._last, entries, findings, now - self._began))
