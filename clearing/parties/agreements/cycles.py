"""Invariant 5: no round of exchanges returns more points than went in. Exact fractions, no floats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Exchange:
    """One point of `source` gives `rate` points of `target`."""

    source: int
    target: int
    rate: Fraction


@dataclass(frozen=True, slots=True)
class Round:
    """Programs in the order in which the points go, ending where they began, and what comes back of one point."""

    programs: tuple[int, ...]
    gain: Fraction


def profitable_round(existing: Iterable[Exchange], new: Exchange) -> Round | None:
    """The most profitable round that `new` would open, or None.

    The existing exchanges open none among themselves, so the best way back from the new one's target to its source
    visits no program twice: as many steps as there are programs find it (Bellman-Ford, with products for sums).
    """
    edges = list(existing)
    best: dict[int, Fraction] = {new.target: Fraction(1)}
    way: dict[int, tuple[int, ...]] = {new.target: (new.target,)}
    for _ in range(len({edge.source for edge in edges})):
        improved = False
        for edge in edges:
            if edge.source not in best or edge.target in way[edge.source]:
                continue
            value = best[edge.source] * edge.rate
            if value > best.get(edge.target, Fraction(0)):
                best[edge.target] = value
                way[edge.target] = (*way[edge.source], edge.target)
                improved = True
        if not improved:
            break
    gain = best.get(new.source, Fraction(0)) * new.rate
    return Round((new.source, *way[new.source]), gain) if gain > 1 else None
