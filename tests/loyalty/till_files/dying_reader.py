"""Takes a till file in and is killed: `python -m tests.loyalty.till_files.dying_reader URL FILE N`.

It has three documents in a transaction, and dies in the Nth one, when all has been written and nothing committed.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

import loyalty.models  # noqa: F401 (all tables)
from loyalty.kit.database import Database
from loyalty.till_files import work
from loyalty.till_files.mappings import mapping_named
from loyalty.till_files.service import TillFileService, fingerprint_of


def main(url: str, file: str, at: str) -> None:
    steps = count(1)

    def dying(step: Any) -> Any:
        def died(*arguments: Any, **named: Any) -> Any:
            result = step(*arguments, **named)
            if next(steps) == int(at):
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return died

    work._PIECE = 3
    for name in ("take", "finish"):
        setattr(TillFileService, name, dying(getattr(TillFileService, name)))
    database, path, mapping = Database(url), Path(file), mapping_named("station", None)
    with database.session.begin() as session:
        sent = TillFileService(session).send("S17", path.name, fingerprint_of(path.read_bytes()), mapping, actor="test")
    work.take_in(database, sent.id, path, mapping)


if __name__ == "__main__":
    main(*sys.argv[1:])
