"""The network's rates: which programs' points become which others, under the agreements that are live now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.viewer import Viewer
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.agreements.models import Agreement
from clearing.parties.programs.directory import programs_in
from clearing.parties.programs.models import Program


@dataclass(frozen=True, slots=True)
class RateGraph:
    """Programs, and the agreements that lead from one to another, or to a merchant that takes its points for goods."""

    programs: Sequence[Program]
    agreements: Sequence[Agreement]


def rate_graph(session: Session, viewer: Viewer) -> RateGraph:
    """The graph that the viewer may see: its own programs, and the live agreements to which it is a party; or everything."""
    live = [
        agreement
        for agreement in agreements_in(session).usable_at(clock_of(session).unix())
        if viewer.sees(agreement.source_merchant, agreement.target_merchant)
    ]
    named = {number for agreement in live for number in (agreement.source_program, agreement.target_program)}
    shown = [
        program
        for program in programs_in(session).all()
        if program.number in named or viewer.sees(program.merchant_number)
    ]
    return RateGraph(shown, live)
