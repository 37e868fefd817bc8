"""Files that are whole, or are not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name, and the rights of any new file, when all of it is written. One that was there stays until then.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        written = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            written.chmod(0o666 & ~_umask())
            written.replace(path)
        except BaseException:
            written.unlink()
            raise


def _umask() -> int:
    """Which rights new files do not get, because temporary files have fewer. Asking for it means setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
