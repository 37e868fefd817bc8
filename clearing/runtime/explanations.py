"""What a failure of the database, the node or the domain means to the person who runs a command."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.chain.fees import FeesTooLow
from clearing.chain.sender import CannotSend
from clearing.kit.config import variable
from clearing.kit.database import CannotUpgrade
from clearing.kit.errors import ClearingError
from clearing.kit.signing.signer import SignerUnavailable
from clearing.oversight.reconciliation.rebuild import NotEmpty
from clearing.oversight.reconciliation.service import CannotReconcile
from clearing.runtime.preflight.database import reason
from tongdui.audit.findings import CannotCheck


def explanation(error: Exception) -> str | None:
    """The failure as a sentence; None for a bug of ours, which wants a traceback."""
    if isinstance(error, ClearingError):
        return error.detail
    if isinstance(
        error,
        CannotReconcile
        | NotEmpty
        | CannotSend
        | CannotCheck
        | FeesTooLow
        | SignerUnavailable
        | ChainError
        | ChainUnreachable,
    ):
        return str(error)
    if isinstance(error, CannotUpgrade):
        return f"{variable('database_url')}: the schema is of another version, which this one cannot upgrade: {error}"
    if isinstance(error, SQLAlchemyError):
        return f"{variable('database_url')}: the database failed: {reason(error)}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None
