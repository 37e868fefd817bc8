"""Follows the chain: reads blocks in order, applies each in one transaction, rolls back when the chain changed its mind.

`Projector.step()` does one bounded piece of work and returns whether there was any; tests call it between crashes.
"""

from __future__ import annotations

from ..config import Settings
from ..database import Database
from .client import ChainClient
from .projection import project_block
from .reorg import roll_back_to_chain
from .repository import BlockRepository

_BLOCKS_A_STEP = 16


class Projector:
    """Follows the chain. There must be one at a time; a second one would fail on the blocks' primary key."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings) -> None:
        self._database = database
        self._client = client
        self._settings = settings

    def step(self) -> bool:
        """Projects some blocks, or rolls back a reorganisation. False when there was nothing to do."""
        head = self._client.head() - self._settings.confirmations
        with self._database.session.begin() as session:
            last = BlockRepository(session).last()
        if last is not None and self._client.block_hash(last.number) != last.hash:
            roll_back_to_chain(self._database, self._client)
            return True
        first = last.number + 1 if last is not None else 0
        blocks = self._client.blocks(first, min(head, first + _BLOCKS_A_STEP - 1), self._settings.contract)
        parent = last.hash if last is not None else None
        for block in blocks:
            if parent is not None and block.parent_hash != parent:
                return True  # the chain changed under us: the next step rolls back
            with self._database.session.begin() as session:
                project_block(session, block)
            parent = block.hash
        return bool(blocks)
