"""Keeps the daily totals: adds what a block's entries did, and takes it back when the block falls out of the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from clearing.ledger.activity.repository import ActivityRepository
from clearing.ledger.activity.totals import Totals, bank_total, negated, totals_of
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.programs.directory import programs_in
from tongdui.receipts import Entry


class ActivityRecorder:
    """Writes daily totals in the transaction of the entries. Only the projector writes them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._activity = ActivityRepository(session)

    def add(self, entries: Sequence[Entry], day: int, originals: Mapping[bytes, Entry]) -> None:
        """Adds the entries of a block of this day. `originals` are those that reversals among them undo, by leaf."""
        if entries:
            self._activity.add(self._totals_of(entries, day, originals))

    def take_back(self, entries: Sequence[Entry], day: int, originals: Mapping[bytes, Entry]) -> None:
        """Takes back what `add` did."""
        if entries:
            self._take_back(self._totals_of(entries, day, originals))

    def add_bank_event(self, name: str, arguments: Mapping[str, Any], day: int) -> None:
        """Adds a deposit or a withdrawal that the chain has booked; any other event is none of ours."""
        self._activity.add(_totals_of_event(name, arguments, day))

    def take_bank_event_back(self, name: str, arguments: Mapping[str, Any], day: int) -> None:
        """Takes back what `add_bank_event` did."""
        self._take_back(_totals_of_event(name, arguments, day))

    def _take_back(self, totals: Totals) -> None:
        self._activity.add(negated(totals))
        self._activity.remove_empty(totals)

    def _totals_of(self, entries: Sequence[Entry], day: int, originals: Mapping[bytes, Entry]) -> Totals:
        routes = agreements_in(self._session).routes({entry.agreement for entry in entries if entry.agreement})
        owners = programs_in(self._session).owners({entry.program for entry in entries if not entry.agreement})
        return totals_of(entries, day, routes=routes, owners=owners, originals=originals)


def _totals_of_event(name: str, arguments: Mapping[str, Any], day: int) -> Totals:
    if name not in ("Deposited", "Withdrawn"):
        return {}
    deposited = name == "Deposited"
    return bank_total(arguments["merchant"], day, deposited=deposited, micros=arguments["micros"])
