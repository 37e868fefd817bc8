"""What a failure of the database, the node or the domain means to the person who runs a command."""

from __future__ import annotations

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from clearing.chain.client import ChainError, ChainUnreachable
from clearing.kit.errors import ClearingError
from clearing.oversight.reconciliation.rebuild import NotEmpty
from clearing.oversight.reconciliation.service import CannotReconcile


def explanation(error: Exception) -> str | None:
    """The failure as a sentence; None for a fault of ours, whose traceback is wanted."""
    if isinstance(error, ClearingError):
        return error.detail
    if isinstance(error, CannotReconcile | NotEmpty | ChainError | ChainUnreachable):
        return str(error)
    if isinstance(error, CommandError):
        return f"TONGDUI_DATABASE_URL: another version of this program made the schema, and this one cannot upgrade it ({error})"
    if isinstance(error, SQLAlchemyError):
        return f"TONGDUI_DATABASE_URL: the database failed: {reason(error)}"
    return None


def reason(error: SQLAlchemyError) -> str:
    """Why the database failed, in the driver's words, without the statement."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return said.strip().partition("\n")[0]
