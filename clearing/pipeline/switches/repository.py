"""SQL of the operator's switches."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from clearing.pipeline.switches.models import Switch

SEQUENCING = "sequencing"
"""The switch that stops the sequencer from putting orders into batches."""


class SwitchRepository:
    """Switches in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def off(self, name: str) -> Switch | None:
        """The row of a switch that is off; None while it is on."""
        return self._session.get(Switch, name)

    def turn_off(self, name: str, actor: str, reason: str) -> bool:
        """Turns a switch off; False if it was off already."""
        if self.off(name) is not None:
            return False
        self._session.add(Switch(name=name, actor=actor, reason=reason))
        self._session.flush()
        return True

    def turn_on(self, name: str) -> bool:
        """Turns a switch on again; False if it was on."""
        return bool(self._session.execute(delete(Switch).where(Switch.name == name).returning(Switch.name)).all())
