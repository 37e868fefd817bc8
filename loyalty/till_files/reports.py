"""What `loyalty till-file` does and says."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from loyalty.audit_log.service import COMMAND_LINE
from loyalty.kit.database import Database
from loyalty.kit.paging import LARGEST_PAGE
from loyalty.till_files.mappings import KnownMapping, mapping_at, mapping_named
from loyalty.till_files.models import FileState, TillFile, TillFileRefusal
from loyalty.till_files.service import TillFileService
from loyalty.till_files.work import take_in

_GOOD, _NOT_ALL, _NOTHING = 0, 1, 2


def take_in_and_tell(database: Database, path: Path, station: str, mapping: str, mappings: Path | None) -> int:
    """Takes a file in and writes what became of it; the exit code.

    Raises:
        OSError: The file cannot be opened.
        Refusal: There is no such station or mapping, or another process takes the file in.
    """
    known = _mapping(mapping, mappings)
    with path.open("rb") as opened:
        fingerprint = hashlib.file_digest(opened, "sha256").digest()
    with database.session.begin() as session:
        sent = TillFileService(session).send(station, path.name, fingerprint, known, actor=COMMAND_LINE)
    file = take_in(database, sent.id, path, known)
    if file.state is FileState.UNREADABLE:
        sys.stderr.write(f"{file.problem}\n")
        return _NOTHING
    sys.stdout.write(
        f"{file.id} {path.name}: {file.rows_read} rows, {file.skipped} of them do not count\n"
        f"{file.booked} booked, {file.known} known already, {file.differs} differ, {file.refused} refused, "
        f"{file.not_booked} failed\n"
    )
    for one in _refusals(database, file):
        number = f" ({one.till}:{one.number})" if one.number else ""
        sys.stdout.write(f"{path.name}:{one.line}: {one.field}{number}: {one.detail}\n")
    return _NOT_ALL if file.differs or file.refused or file.not_booked else _GOOD


def _mapping(mapping: str, mappings: Path | None) -> KnownMapping:
    return mapping_at(mapping) if Path(mapping).suffix or "/" in mapping else mapping_named(mapping, mappings)


def _refusals(database: Database, file: TillFile) -> Iterator[TillFileRefusal]:
    """What was not booked, in the order in which it was refused."""
    cursor: str | None = ""
    while cursor is not None:
        with database.reading() as session:
            some, cursor = TillFileService(session).refusals_after(file.id, cursor, LARGEST_PAGE)
        yield from some
