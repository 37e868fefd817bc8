"""Where an audit keeps what it knows, so that a stopped one goes on: a directory with one file, or nothing but memory."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from .chain.code import Network
from .chain.node import Node
from .chain.proving import Block
from .findings import CannotCheck
from .tables import Tables

FORMAT = "tongdui-audit-state/1"
_FILE, _LOCK = "state.sqlite", "lock"


class State:
    """What an audit knows, and up to which block."""

    def __init__(self, directory: Path | None) -> None:
        """Opens a directory, which is made if it is not there; None keeps everything in memory and temporary files.

        Raises:
            CannotCheck: It belongs to something else, is damaged or in use.
        """
        self._directory = directory
        self._opened = ExitStack()
        try:
            self.tables = Tables(None if directory is None else self._prepared(directory))
        except BaseException:
            self._opened.close()
            raise
        self._opened.callback(self.tables.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

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
        if block is None:
            self.tables.checkpoint(of=self._subject(network))
            return network.created
        if self.tables.note("of") != self._subject(network):
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
        self.tables.checkpoint(block=block.number, hash=block.hash)

    def _subject(self, network: Network) -> tuple[object, ...]:
        return FORMAT, network.domain.chain_id, network.domain.contract, network.created

    def _prepared(self, directory: Path) -> Path:
        try:
            if directory.is_dir() and any(directory.iterdir()) and not (directory / _FILE).is_file():
                raise CannotCheck(
                    f"{directory} is not empty, and not the state of an audit: it has no {_FILE}. Name an empty or a new directory."
                )
            directory.mkdir(parents=True, exist_ok=True)
            lock: IO[str] = self._opened.enter_context((directory / _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotCheck(
                f"Another audit works in {directory}: wait for its end, or name another directory."
            ) from error
        except OSError as error:
            raise CannotCheck(f"{directory} cannot be used for the state: {error.strerror}.") from error
        self._require_whole(directory / _FILE)
        return directory / _FILE

    def _require_whole(self, file: Path) -> None:
        """Refuses a file that something has damaged."""
        if not file.exists():
            return
        try:
            db = sqlite3.connect(file)
            try:
                whole = db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
            finally:
                db.close()
        except sqlite3.DatabaseError:
            whole = False
        if not whole:
            raise CannotCheck(f"{file} is damaged. Remove {file.parent} and begin anew: nothing in it can be trusted.")
