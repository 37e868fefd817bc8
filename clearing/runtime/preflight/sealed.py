"""Checks that passwords open what the database keeps, before a process works with them."""

from __future__ import annotations

from contextlib import closing, suppress

from sqlalchemy.exc import SQLAlchemyError

from clearing.kit.config import Settings, variable
from clearing.kit.database import Database
from clearing.kit.signing.passwords import Purpose, passwords_of, variable_of
from clearing.oversight.sealing.repository import PLACES
from clearing.oversight.sealing.service import SealingService
from clearing.runtime.preflight.keys import NEEDS, kept_purposes
from clearing.runtime.preflight.refusal import CannotRun


def check_sealed(settings: Settings, process: str) -> None:
    """Refuses passwords of a process of `NEEDS` that do not open what is there."""
    for purpose in kept_purposes(settings, NEEDS[process].purposes):
        check_opens(settings, purpose)


def check_opens(settings: Settings, purpose: Purpose) -> None:
    """Refuses passwords that do not open what is kept for this purpose. A database that does not answer is waited for."""
    if purpose not in PLACES:
        return
    with closing(Database(settings.database_url)) as database, suppress(SQLAlchemyError):
        closed = SealingService(database, purpose, passwords_of(settings, purpose)).closed_end()
        if closed is not None:
            raise CannotRun(
                f"{variable_of(purpose)}: does not open {closed}; give the password that it was made with, or, if that is an old "
                f"one, both: each a line of the file that {variable(f'{purpose}_password_file')} names"
            )
