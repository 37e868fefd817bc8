"""Takes a till file in, some documents in each transaction. A crash anywhere loses nothing: who comes next goes on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.exc import OperationalError

from loyalty.kit.database import Database, in_pieces
from loyalty.kit.errors import Contradiction, Malformed
from loyalty.till_files.documents import Entry, entries_of
from loyalty.till_files.mappings import KnownMapping, mapping_named
from loyalty.till_files.models import TillFile
from loyalty.till_files.service import TillFileService
from tongdui import TillError
from tongdui.till import read_till

_PIECE = 100
"""Documents in one transaction."""


def take_in(database: Database, file_id: str, path: Path, mapping: KnownMapping) -> TillFile:
    """Books what a till file says, from where it was left.

    Raises:
        Contradiction: Another process takes it in.
    """
    with database.reading() as session:
        service = TillFileService(session)
        file = service.get(file_id)
        at_station = mapping.at(service.time_zone(file))
    try:
        with read_till(path, at_station, now=file.read_at) as sheet:
            position = file.position
            for piece in in_pieces(islice(entries_of(sheet, at_station, file.station_id), position, None), _PIECE):
                _take(database, file_id, position, piece)
                position += len(piece)
            with database.session.begin() as session:
                return TillFileService(session).finish(file_id, position, sheet.rows_read, sheet.skipped)
    except TillError as error:
        problem = str(error).replace(f"{path.parent}/", "")
        with database.session.begin() as session:
            return TillFileService(session).refuse(file_id, file.position, problem)


def take_in_kept(database: Database, file_id: str, mappings: Path | None) -> TillFile:
    """The same for a file that was sent over HTTP. Raises Contradiction as `take_in` does."""
    with database.reading() as session:
        service = TillFileService(session)
        file, content = service.get(file_id), service.content(file_id)
    if content is None:
        raise Contradiction("file_in_work", f"another process has taken {file_id} in")
    try:
        mapping = mapping_named(file.mapping, mappings)
    except Malformed as error:  # it was there when the file was sent
        with database.session.begin() as session:
            return TillFileService(session).refuse(file_id, file.position, error.detail)
    with TemporaryDirectory(prefix="till-file-") as directory:
        path = Path(directory) / file.name
        path.write_bytes(content)
        del content
        return take_in(database, file_id, path, mapping)


def _take(database: Database, file_id: str, position: int, piece: Sequence[Entry]) -> None:
    """Books some documents together; if the database cannot, such as because two files wait for each other, one by one."""
    try:
        with database.session.begin() as session:
            TillFileService(session).take(file_id, position, piece)
    except OperationalError:
        if len(piece) == 1:
            raise
        for place, entry in enumerate(piece):
            _take(database, file_id, position + place, [entry])
