"""The file in which anvil keeps its chain, and a copy that is always whole."""

from __future__ import annotations

import shutil
from pathlib import Path


class ChainStateFile:
    """Anvil writes its state in place, so a kill may leave half of it. This keeps the last whole state beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copy = path.with_suffix(".whole.json")
        self._copied = 0

    def keep(self) -> None:
        """Copies the file if it has changed and is whole."""
        written = self.path.stat().st_mtime_ns if self.path.exists() else 0
        if written == self._copied or (content := self._whole()) is None:
            return
        draft = self._copy.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(self._copy)
        self._copied = written

    def repair(self) -> None:
        """Replaces a broken file with the copy. Later blocks are lost, as in a reorganisation."""
        if self.path.exists() and self._copy.exists() and self._whole() is None:
            shutil.copyfile(self._copy, self.path)

    def _whole(self) -> bytes | None:
        content = self.path.read_bytes()  # a truncated file never closes its first bracket
        return content if content.count(b"{") == content.count(b"}") > 0 else None
