"""Invariant 5: no cycle of exchanges returns more points than went in. Exact fractions, no floats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Refused
from clearing.parties.agreements.models import AgreementKind
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.programs.repository import ProgramRepository
from tongdui.orders import AgreementTerms


@dataclass(frozen=True, slots=True)
class Exchange:
    """One point of `source` gives `rate` points of `target`."""

    source: int
    target: int
    rate: Fraction
    renews: bool = False
    """Whether the points that it gives can expire later than those that it takes."""

    @classmethod
    def under(cls, terms: AgreementTerms) -> Exchange:
        """The exchange that these terms allow.

        Points that live for one day expire tomorrow, as early as any that are alive can, so they renew nothing.
        """
        renews = not terms.keep_expiry and terms.lifetime_days != 1
        return cls(terms.source_program, terms.target_program, Fraction(terms.rate_num, terms.rate_den), renews)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Programs in the order in which points pass them, the first one again at the end; one point becomes `gain` points."""

    programs: tuple[int, ...]
    gain: Fraction


def check_cycles(session: Session, terms: AgreementTerms) -> None:
    """Refuses terms that would let points multiply by being exchanged in a cycle.

    An agreement that these terms supersede counts as long as it can be used, which includes its grace.
    """
    if terms.kind != AgreementKind.EXCHANGE:
        return
    new = Exchange.under(terms)
    signed = AgreementRepository(session).exchanges_after(clock_of(session).unix())
    found = profitable_cycle([Exchange.under(agreement.terms) for agreement in signed], new)
    if found is None:
        return
    programs = ProgramRepository(session)
    codes = [program.code if (program := programs.by_number(n)) else str(n) for n in found.programs]
    raise Refused.at(
        "/rate_num",
        f"exchanging {' → '.join(codes)} would turn one point into {found.gain}: "
        f"lower the rate to at most {new.rate / found.gain}, or end one of the other agreements first",
        code="rate_cycle",
    )


def profitable_cycle(existing: Iterable[Exchange], new: Exchange) -> Cycle | None:
    """The most profitable cycle that `new` would close, or None where none makes more points of one."""
    found = best_cycle(existing, new)
    return found if found is not None and found.gain > 1 else None


def best_cycle(existing: Iterable[Exchange], new: Exchange) -> Cycle | None:
    """Of the cycles that `new` would close, the one that gives the most points back; None where it closes none.

    The existing exchanges contain no profitable cycle, so the best way back from the new target to the new source visits
    no program twice: Bellman-Ford (with products for sums) finds it in as many rounds as there are programs.
    """
    edges = list(existing)
    best: dict[int, Fraction] = {new.target: Fraction(1)}
    path: dict[int, tuple[int, ...]] = {new.target: (new.target,)}
    for _ in range(len({edge.source for edge in edges})):
        improved = False
        for edge in edges:
            if edge.source not in best or edge.target in path[edge.source]:
                continue
            value = best[edge.source] * edge.rate
            if value > best.get(edge.target, Fraction(0)):
                best[edge.target] = value
                path[edge.target] = (*path[edge.source], edge.target)
                improved = True
        if not improved:
            break
    if new.source not in best:
        return None
    return Cycle((new.source, *path[new.source]), best[new.source] * new.rate)
