"""Follows the chain: reads blocks in order, applies each in one transaction, and rolls back when the chain replaces blocks.

`Projector.step()` does one bounded piece of work and returns whether there was any; tests call it between crashes.
"""

from __future__ import annotations

import structlog

from clearing.chain.client import BlockData, ChainClient
from clearing.chain.deployment import deployment_block
from clearing.chain.errors import ChainError
from clearing.chain.lineage import Lineage
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.ledger.journal.repository import BlockRepository
from clearing.pipeline.projection import project_block
from clearing.pipeline.reorg import roll_back_to_chain

log = structlog.get_logger(__name__)

_BLOCKS_A_STEP = 16
_FIRST_PAUSE = 0.004
_PAUSE_AFTER_BLOCK = 0.05
"""Seconds in which another block is unlikely, unless another transaction was sent."""
_GROWTH = 1.25


class Projector:
    """Follows the chain. Only one may run at a time: a second one would fail on the blocks' primary key."""

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        settings: Settings,
        *,
        first_block: int | None = None,
        last_block: int | None = None,
    ) -> None:
        """`first_block` is where to begin in an empty database (default: the contract's own block), `last_block` where to stop."""
        self._database = database
        self._client = client
        self._settings = settings
        self._network = NetworkIdentity.of(settings)
        self._lineage = Lineage.of(settings)
        self._first_block = first_block if first_block is not None else settings.start_block
        self._last_block = last_block
        self._behind_since: float | None = None
        self._has_all = False
        """Whether the last step read all blocks that there were."""
        self._pause = settings.poll_interval

    def pause(self, *, worked: bool, woken: bool) -> Pause:
        """How long to do nothing after a step; `woken`: a transaction was sent before it.

        Its block may come at once or in a second. So the pauses begin short and grow: they add a fifth to how long it takes.
        """
        if worked:
            self._pause = _PAUSE_AFTER_BLOCK if self._has_all else 0.0
        elif woken:
            self._pause = _FIRST_PAUSE
        else:
            self._pause = max(self._pause, _FIRST_PAUSE) * _GROWTH
        self._pause = min(self._pause, self._settings.poll_interval)
        return Pause(self._pause, (Channel.SENT,))

    def step(self) -> bool:
        """Projects some blocks, or rolls back a reorganisation. False when there was nothing to do."""
        self._has_all = False
        with self._database.reading() as session:
            last = BlockRepository(session).last()
        if last is None:
            blocks = self._blocks(self._start_block(), self._client.head())
        else:
            is_wanted = not self._settings.confirmations  # otherwise there usually is one, and it has to wait
            tip = self._client.tip(last.number, self._lineage.at(last.number + 1) if is_wanted else None)
            if tip.known_hash != last.hash:
                return self._follow_replaced(is_missing=tip.known_hash is None)
            blocks = self._blocks(last.number + 1, tip.head, tip.following)
        self._behind_since = None
        blocks = self._client.agreed(blocks, self._settings.block_quorum)
        parent = last.hash if last is not None else None
        for block in blocks:
            if parent is not None and block.parent_hash != parent:
                return True  # the chain changed under us: the next step rolls back
            with self._database.session.begin() as session:
                project_block(session, block, self._network)
            parent = block.hash
        self._has_all = len(blocks) < _BLOCKS_A_STEP
        return bool(blocks)

    def _follow_replaced(self, *, is_missing: bool) -> bool:
        """The node's chain lacks our newest block. False while the node may only be slower than the one that had it."""
        self._check_node()
        if is_missing and self._may_be_behind():
            return False
        roll_back_to_chain(self._database, self._client)
        return True

    def _blocks(self, first: int, newest: int, read: BlockData | None = None) -> list[BlockData]:
        """The blocks from `first` on that have enough others on top of them, but not too many. `read` is the first one, if it was
        read already."""
        last = min(newest - self._settings.confirmations, first + _BLOCKS_A_STEP - 1)
        if self._last_block is not None:
            last = min(last, self._last_block)
        span = next(self._lineage.spans(first, last), None)
        if span is None:
            return []
        contract, _, last = span
        if read is None:
            return self._client.blocks(first, last, contract)
        if first == last:
            return [read]
        return [read, *self._client.blocks(first + 1, last, contract)]

    def _start_block(self) -> int:
        if self._first_block is None:
            self._first_block = deployment_block(self._client, self._lineage.founder)
        return self._first_block

    def _may_be_behind(self) -> bool:
        """Whether the node has a part of our blocks and may only be slower than the node that we read them from.

        Once it has been behind for too long, it has lost the others.
        """
        head = self._client.head()
        with self._database.reading() as session:
            ours = BlockRepository(session).by_number(head)
        if ours is None or self._client.block_hash(head) != ours.hash:
            return False
        if self._behind_since is None:
            self._behind_since = self._database.clock.monotonic()
            log.warning("the node is behind what was read from the chain", head=head)
        return self._database.clock.monotonic() - self._behind_since < self._settings.node_patience

    def _check_node(self) -> None:
        """Raises ChainError where the node has no contract: that is no reason to roll the whole read model back."""
        if not self._client.has_code(self._settings.contract):
            raise ChainError("eth_getCode", 0, "the node has no contract: it is still catching up, or on another chain")
