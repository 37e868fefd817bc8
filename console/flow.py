"""How a movement looks to whoever sees it: which points go or come, and for what."""

from __future__ import annotations

from dataclasses import dataclass

from tongdui import Movement

_BRINGS = frozenset({"issuance"})


@dataclass(frozen=True, slots=True)
class Flow:
    """`points` of `program`, with a sign if they go or come. For them: other points, or money between the merchants, or nothing."""

    points: int
    program: str
    sign: bool
    other_points: int | None = None
    other_program: str | None = None
    micros: int | None = None


def flow_of(movement: Movement) -> Flow:
    """What moved, or what was asked for as long as nothing has."""
    leaving, entering = movement.source_program, movement.target_program
    comes = movement.direction == "in" or (movement.direction is None and movement.object in _BRINGS)
    own = (entering if comes and entering else leaving or entering) or movement.program
    other = next((program for program in (leaving, entering) if program and program != own), None)
    points = _points_of(movement, own)
    sign = movement.direction is not None or movement.object in _BRINGS or entering is None
    return Flow(
        points=(points if comes else -points) if sign else points,
        program=own,
        sign=sign,
        other_points=_points_of(movement, other) if other and (movement.entry or other == movement.program) else None,
        other_program=other,
        micros=movement.entry.settled_micros or None if movement.entry and other is None else None,
    )


def other_program_of(movement: Movement) -> str | None:
    """The program on the other side, whose points `entry.out` counts. In a reversal it is the one that points leave."""
    sides = (movement.source_program, movement.target_program)
    return next((program for program in sides if program and program != movement.program), None)


def _points_of(movement: Movement, program: str) -> int:
    if movement.entry is None:
        return movement.points
    return movement.entry.points if program == movement.program else movement.entry.out
