"""Rules of till files: a file is taken in from where it was left, each document once, and what was not booked is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Unknown
from loyalty.kit.ids import new_id
from loyalty.stations.service import StationService
from loyalty.till_files.documents import Entry
from loyalty.till_files.mappings import KnownMapping
from loyalty.till_files.models import Fate, FileState, TillFile, TillFileRefusal
from loyalty.till_files.repository import TillFileRepository
from loyalty.till_files.taking import Taken, Taking

_KEPT_DAYS = 90


class TillFileService:
    """Till files in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._files = TillFileRepository(session)
        self._stations = StationService(session)
        self._log = AuditLog(session)

    def send(
        self,
        station: str,
        name: str,
        fingerprint: bytes,
        mapping: KnownMapping,
        *,
        actor: str,
        content: bytes | None = None,
    ) -> TillFile:
        """Has a file taken in: from where it was left, if that was never finished; else from its beginning, which books
        nothing twice. Its content is kept for the worker, unless whoever sends it takes it in.

        Raises:
            Unknown: There is no such station.
        """
        self._stations.get(station, "/station")
        lock(self._session, f"till-file:{station}:{fingerprint.hex()}")
        file = self._files.with_content(station, fingerprint)
        if file is None:
            file = TillFile(id=new_id("tlf"), station_id=station, fingerprint=fingerprint, mapping_fingerprint=b"")
        goes_on = file.state is FileState.WAITING and file.mapping_fingerprint == mapping.fingerprint
        if not goes_on:
            self._begin(file)
        file.name, file.sent_by = _shown(name), actor
        file.mapping, file.mapping_fingerprint = mapping.name, mapping.fingerprint
        if content is not None:
            file.content = content
        self._files.add(file)
        after = {"station": station, "name": file.name, "sha256": fingerprint.hex(), "mapping": mapping.name}
        self._log.note(actor, "till_file.sent", file.id, after=after)
        return file

    def take_again(self, file_id: str, mapping: KnownMapping, *, actor: str) -> TillFile:
        """Has the worker take a file in again of which not everything was booked: what is booked stays as it is.

        Raises:
            Unknown: There is no such file.
            Contradiction: It waits for the worker, or is not kept.
        """
        sent = self.get(file_id)
        lock(self._session, f"till-file:{sent.station_id}:{sent.fingerprint.hex()}")
        file = self.get(file_id)
        if file.state is FileState.WAITING:
            raise Contradiction("file_in_work", f"{file_id} has not been taken in yet: look at it a little later")
        if not file.is_kept:
            raise Contradiction("file_not_kept", f"{file_id} is not kept: send the file again")
        before = {"state": file.state.value, **_fates_of(file)}
        self._begin(file)
        file.mapping_fingerprint = mapping.fingerprint
        self._session.flush()
        self._log.note(actor, "till_file.taken_again", file.id, before=before)
        return file

    def clean_up(self) -> None:
        """Forgets what is kept of files that were taken in a quarter of a year ago. What was refused of them stays."""
        self._files.drop_contents(clock_of(self._session).now() - timedelta(days=_KEPT_DAYS))

    def _begin(self, file: TillFile) -> None:
        self._files.forget_refusals(file.id)
        file.state, file.problem, file.finished_at = FileState.WAITING, None, None
        file.read_at, file.position = clock_of(self._session).now(), 0
        file.rows_read = file.skipped = file.booked = file.known = file.differs = file.refused = file.not_booked = 0

    # ---------------------------------------------------------------- taking in

    def take(self, file_id: str, position: int, entries: Sequence[Entry]) -> None:
        """Books the documents of a file that stand at a position and after it.

        Raises:
            Contradiction: Somebody else has taken them in meanwhile, or takes the file in anew.
        """
        file = self._held(file_id, position)
        taken = Taking(self._session).take(entries)
        self._files.add_refusals(
            [_refusal(file, one, position + place) for place, one in enumerate(taken) if one.fault is not None]
        )
        fates = [one.fate for one in taken]
        file.position += len(entries)
        file.booked += fates.count(Fate.BOOKED)
        file.known += fates.count(Fate.KNOWN)
        file.differs += fates.count(Fate.DIFFERS)
        file.refused += fates.count(Fate.REFUSED)
        file.not_booked += fates.count(Fate.NOT_BOOKED)
        self._session.flush()

    def finish(self, file_id: str, position: int, rows_read: int, skipped: int) -> TillFile:
        """All of a file has been taken in. Raises Contradiction as `take` does."""
        file = self._held(file_id, position)
        file.rows_read, file.skipped = rows_read, skipped
        return self._end(file, FileState.DONE)

    def refuse(self, file_id: str, position: int, problem: str) -> TillFile:
        """Notes that a file cannot be read at all. Raises Contradiction as `take` does."""
        file = self._held(file_id, position)
        file.problem = problem
        return self._end(file, FileState.UNREADABLE)

    def _end(self, file: TillFile, state: FileState) -> TillFile:
        file.state, file.finished_at = state, clock_of(self._session).now()
        self._session.flush()
        if state is FileState.DONE and not file.differs + file.refused + file.not_booked:
            self._files.drop_content(file.id)
        after = {"state": state.value, **_fates_of(file)}
        self._log.note(file.sent_by, "till_file.taken_in", file.id, after=after)
        return file

    def _held(self, file_id: str, position: int) -> TillFile:
        lock(self._session, f"till-file:{file_id}")
        file = self.get(file_id)
        if file.state is not FileState.WAITING or file.position != position:
            raise Contradiction("file_in_work", f"another process takes {file_id} in: look at it a little later")
        return file

    # ---------------------------------------------------------------- looking

    def get(self, file_id: str) -> TillFile:
        """The till file with this id. Raises Unknown."""
        file = self._files.get(file_id)
        if file is None:
            raise Unknown("unknown_till_file", f"there is no till file {file_id}")
        return file

    def time_zone(self, file: TillFile) -> str:
        """The time zone of the file's station."""
        return self._stations.get(file.station_id).time_zone

    def content(self, file_id: str) -> bytes | None:
        """What is kept of a file until it has been taken in."""
        return self._files.content(file_id)

    def waiting(self, limit: int) -> Sequence[str]:
        """Ids of files that wait for the worker, the oldest first."""
        return self._files.waiting(limit)

    def page(self, *, station: str | None, cursor: str | None, limit: int) -> tuple[Sequence[TillFile], str | None]:
        """Till files, newest first."""
        return self._files.page(station, cursor, limit)

    def refusals(self, file_id: str, *, cursor: str | None, limit: int) -> tuple[Sequence[TillFileRefusal], str | None]:
        """What was not booked of a file. Raises Unknown."""
        self.get(file_id)
        return self._files.refusals(file_id, cursor, limit)

    def refusals_after(self, file_id: str, after: str, limit: int) -> tuple[Sequence[TillFileRefusal], str | None]:
        """What was not booked of a file, the first of it first, and after which the next ones come."""
        found = self._files.refusals_after(file_id, after, limit)
        return found, found[-1].id if len(found) == limit else None


def fingerprint_of(content: bytes) -> bytes:
    """Which file it is."""
    return sha256(content).digest()


def _fates_of(file: TillFile) -> dict[str, int]:
    """How many documents of a file have had each fate."""
    return {fate.value: getattr(file, fate.value) for fate in Fate}


def _refusal(file: TillFile, taken: Taken, place: int) -> TillFileRefusal:
    fault = taken.fault
    assert fault is not None, "what was booked is not kept here"
    return TillFileRefusal(
        id=f"{file.id}_{place:09}",
        file_id=file.id,
        fate=taken.fate,
        line=fault.line,
        field=fault.field[:200],
        till=fault.till[:200],
        number=fault.number[:200],
        detail=fault.detail[:2_000],
    )


def _shown(name: str) -> str:
    """A file's name as it can be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(one if one.isprintable() else "?" for one in last)[:200] or "?"
