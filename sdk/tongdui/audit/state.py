"""Where an audit keeps what it knows, so that a stopped one goes on: a directory with one file, or nothing but memory."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from .chain.code import Network
from .chain.node import Node
from .chain.proving import Block
from .findings import CannotCheck
from .tables import Tables

FORMAT = "tongdui-audit-state/1"
_FILE = "state.sqlite"


class State:
    """What an audit knows, and up to which block."""

    def __init__(self, directory: Path | None) -> None:
        """Opens a directory, which is made if it is not there; None keeps everything in memory and temporary files.

        Raises:
            CannotCheck: It belongs to something else, is damaged or in use.
        """
        self._directory = directory
        self._of: tuple[object, ...] = ()
        self.tables = Tables() if directory is None else _tables_in(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tables.close()

    @property
    def block(self) -> int | None:
        """The block of the last checkpoint."""
        return self.tables.note("block")  # type: ignore[no-any-return]

    @property
    def hash(self) -> str | None:
        """Its hash."""
        return self.tables.note("hash")  # type: ignore[no-any-return]

    def resume(self, node: Node, network: Network, last: int) -> int:
        """The block with which the replay begins.

        Args:
            node: Is asked whether the checkpoint's block is still on the chain.
            network: What is audited.
            last: The last block of the audit.

        Raises:
            CannotCheck: The directory is about another network, or the chain is another one since.
        """
        block = self.block
        self._of = self._subject(network)
        if block is None:  # nothing is durable before the contract's creation is behind us: it has to be seen whole
            return network.created
        if self.tables.note("of") != self._of:
            raise CannotCheck(
                f"{self._directory} is the state of an audit of another network, or of another contract. "
                "Name its directory with --state, or a new one."
            )
        if block > last:
            raise CannotCheck(
                f"The audit in {self._directory} has come to block {block}, and shall end with block {last}: "
                "leave --to out, or begin anew in another directory."
            )
        found = str(node.header(block).get("hash")).lower()
        if found != self.hash:
            raise CannotCheck(
                f"The audit in {self._directory} has come to block {block} with hash {self.hash}, and the node at {node.name} has "
                f"{found} there: the chain was replaced, or this is another node's. Begin anew in another directory."
            )
        return block + 1

    def checkpoint(self, block: Block) -> None:
        """Makes everything up to this block durable."""
        self.tables.checkpoint(of=self._of, block=block.number, hash=block.hash)

    def _subject(self, network: Network) -> tuple[object, ...]:
        return FORMAT, network.domain.chain_id, network.domain.contract, network.created


def _tables_in(directory: Path) -> Tables:
    """The tables of the directory's file, which is made if it is not there."""
    file = directory / _FILE
    try:
        if directory.is_dir() and any(directory.iterdir()) and not file.is_file():
            raise CannotCheck(
                f"{directory} is not empty, and not the state of an audit: it has no {_FILE}. Name an empty or a new directory."
            )
        directory.mkdir(parents=True, exist_ok=True)
        tables = Tables(file)
    except OSError as error:
        raise CannotCheck(f"{directory} cannot be used for the state: {error.strerror}.") from error
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise CannotCheck(
                f"Another audit works in {directory}: wait for its end, or name another directory."
            ) from error
        raise CannotCheck(f"{file} cannot be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise _damaged(file) from error
    if not tables.is_whole():
        tables.close()
        raise _damaged(file)
    return tables


def _damaged(file: Path) -> CannotCheck:
    return CannotCheck(f"{file} is damaged. Remove {file.parent} and begin anew: nothing in it can be trusted.")
