"""SQL of recovery codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from clearing.parties.staff.models import RecoveryCode


class RecoveryCodeRepository:
    """Recovery codes in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def replace(self, person_id: str, hashes: Sequence[bytes]) -> None:
        """Stores these codes in the place of all that the person had."""
        self._session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
        self._session.add_all(RecoveryCode(person_id=person_id, code_hash=hash) for hash in hashes)  # noqa: A001
        self._session.flush()

    def use(self, person_id: str, code_hash: bytes, at: datetime) -> bool:
        """Uses a code up. False if there is none, or it was used before."""
        statement = (
            update(RecoveryCode)
            .where(
                RecoveryCode.person_id == person_id,
                RecoveryCode.code_hash == code_hash,
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=at)
            .returning(RecoveryCode.person_id)
            .execution_options(synchronize_session=False)
        )
        return self._session.scalar(statement) is not None

    def count_unused(self, person_id: str) -> int:
        """How many codes a person has not used."""
        query = select(func.count()).where(RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None))
        return self._session.scalar(query) or 0
