"""The file in which anvil keeps its chain, and a copy that is always whole."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from clearing.runtime.embedded.whole_file import write_whole

_PERSON = re.compile(rb'"(0x[0-9a-f]{40})":\{"nonce":(\d+),"balance":"0x[0-9a-f]+","code":"0x"')
_BEST_BLOCK = re.compile(rb'"best_block_number":(\d+)')
_SENT = re.compile(rb'"transaction_index":\d+,"from":"(0x[0-9a-f]{40})"')
_IN_BLOCK = re.compile(rb'"block_number":(\d+)\}')


class ChainStateFile:
    """Anvil writes its state in place, so a kill may leave half of it; and it goes on mining while it writes, so the accounts may
    know of a transaction that no block in the file has. This keeps the last whole state beside it.

    A chain that once came back from such a state stays like that, and its copies, too: then half a file is all that is repaired.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copy = path.with_suffix(".whole.json")
        self._seen = 0

    def keep(self) -> None:
        """Copies the file if it has changed and is whole."""
        written = self.path.stat().st_mtime_ns if self.path.exists() else 0
        if written == self._seen:
            return
        content = self.path.read_bytes()
        if not _is_complete(content):
            return  # it is being written: look again
        if is_of_one_moment(content) or self._is_mixed_for_ever():
            write_whole(self._copy, content)
        self._seen = written

    def repair(self) -> None:
        """Replaces a file that is not whole with the copy. Later blocks are lost, as in a reorganisation. Without a copy all are,
        as if the chain had never written any: the file is moved aside."""
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        if _is_complete(content) and (is_of_one_moment(content) or self._is_mixed_for_ever()):
            return
        if self._copy.exists():
            write_whole(self.path, self._copy.read_bytes())
        else:
            self.path.replace(self.path.with_suffix(".broken.json"))

    def _is_mixed_for_ever(self) -> bool:
        return self._copy.exists() and not is_of_one_moment(self._copy.read_bytes())


def _is_complete(content: bytes) -> bool:
    """A truncated file never closes its first bracket."""
    return content.count(b"{") == content.count(b"}") > 0


def is_of_one_moment(content: bytes) -> bool:
    """Whether the accounts and the transactions are those of the newest block: each account without code has sent as many
    transactions as its nonce says, and no block is missing."""
    best = _BEST_BLOCK.search(content)
    sent = Counter(_SENT.findall(content))
    nonces = {address: int(nonce) for address, nonce in _PERSON.findall(content) if nonce != b"0"}
    newest = max(map(int, _IN_BLOCK.findall(content)), default=0)
    return best is not None and nonces == sent and newest <= int(best[1])
