"""A dry run: a request that is carried out in full and then undone. Its session says that it is one, as it says what time it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from clearing.kit.events.recorder import stop_recording
from clearing.parties.agreements.conversion import Conversion

_KEY = "dry_run"


@dataclass(slots=True)
class DryRun:
    """What a dry run has found out."""

    outcomes: list[Conversion] = field(default_factory=list)
    """For each accepted instruction, in its order, what its entry would say."""


def begin_dry_run(session: Session) -> DryRun:
    """Makes the session a dry run's. Whoever calls this undoes everything that the session does."""
    dry_run = DryRun()
    session.info[_KEY] = dry_run
    stop_recording(session)
    return dry_run


def dry_run_of(session: Session) -> DryRun | None:
    """The dry run to which the session belongs; None if what it does is meant to stay."""
    found: DryRun | None = session.info.get(_KEY)
    return found
