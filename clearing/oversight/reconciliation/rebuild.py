"""Rebuilds the read model from the chain into an empty database, and compares two databases by digests.

A digest covers what the chain determines. It leaves out what is not in the chain: ids and names that the gateway gave, what is
still on its way, and what an event replaced (which a reorganisation would put back).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.ledger.journal.repository import BlockRepository
from clearing.oversight.reconciliation.digest_repository import DETERMINED_PARTS, DeterminedPart, DigestRepository
from clearing.oversight.reconciliation.repository import read_one_snapshot
from clearing.pipeline.projector import Projector
from tongdui.encoding import hex_of

_ATTEMPTS = 20


class NotEmpty(Exception):
    """The database to rebuild into has something in it already."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """A table's rows, counted and hashed in order."""

    table: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Digest:
    """The read model after a block."""

    block: int
    block_hash: str
    tables: tuple[TableDigest, ...]

    @property
    def overall(self) -> str:
        """One hash for all of it."""
        return sha256("".join(table.digest for table in self.tables).encode()).hexdigest()

    def differing(self, other: Digest) -> list[str]:
        """Names of the tables that are not the same."""
        return [ours.table for ours, theirs in zip(self.tables, other.tables, strict=True) if ours != theirs]


def digest(session: Session) -> Digest | None:
    """The digest of what this session sees; None where there is no block yet. The session should see one snapshot."""
    block = BlockRepository(session).last()
    if block is None:
        return None
    repository = DigestRepository(session)
    return Digest(block.number, hex_of(block.hash), tuple(_digest_of(repository, part) for part in DETERMINED_PARTS))


def _digest_of(repository: DigestRepository, part: DeterminedPart) -> TableDigest:
    hasher = sha256()
    count = 0
    for row in repository.rows(part):
        hasher.update(json.dumps([_plain(value) for value in row], sort_keys=True).encode() + b"\n")
        count += 1
    return TableDigest(part.table, count, hasher.hexdigest())


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


class RebuildService:
    """Projects the chain into an empty database."""

    def __init__(self, target: Database, client: ChainClient, settings: Settings) -> None:
        self._target = target
        self._client = client
        self._settings = settings

    def prepare(self, *, resume: bool = False) -> None:
        """Makes the tables. Raises NotEmpty where they have rows: a rebuild never overwrites a database.

        With `resume` there may be what an earlier rebuild has projected; but nothing that only a network writes.
        """
        self._target.upgrade()
        with self._target.session.begin() as session:
            occupied = DigestRepository(session).occupied_table(projected=not resume)
        if occupied is not None:
            raise NotEmpty(f"there are rows in {occupied}: rebuild into an empty database")

    def rebuild(self, first: int | None = None, last: int | None = None) -> Digest:
        """Projects the blocks from `first` (default: the contract's own block) to `last` (default: the newest)."""
        projector = Projector(self._target, self._client, self._settings, first_block=first, last_block=last)
        while projector.step():
            pass
        with self._target.session.begin() as session:
            DigestRepository(session).continue_nonces()
            found = digest(session)
        if found is None:
            raise NotEmpty("the chain has no block to project")
        return found

    def compare(self, live: Database) -> tuple[Digest, Digest]:
        """Rebuilds as far as a live database has come, and digests both. The live one may go on working meanwhile."""
        with live.reading() as session:
            blocks = DigestRepository(session).block_range()
        if blocks is None:
            raise NotEmpty("the live database has no block yet")
        first, last = blocks
        self.rebuild(first, last)  # most of the work, before the snapshot
        for _ in range(_ATTEMPTS):
            with live.reading() as session:
                read_one_snapshot(session)
                theirs = digest(session)
            assert theirs is not None
            ours = self.rebuild(first, theirs.block)
            if ours.block_hash == theirs.block_hash:
                return ours, theirs  # otherwise one of the two has not followed a reorganisation yet
        raise NotEmpty("the live database does not stand on the node's chain")
