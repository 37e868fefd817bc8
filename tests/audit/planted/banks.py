"""What a bank may say of an honest network. Each function makes such a statement."""

from __future__ import annotations

from tests.audit.planted.world import BANK_LINES, FIRST_DAY, YUAN, World, bank_file


def another_amount(world: World) -> str:
    """The second deposit was of less money."""
    first, (day, reference, micros), last = BANK_LINES
    return bank_file((first, (day, reference, micros - 10_000), last))


def a_line_that_nobody_booked(world: World) -> str:
    """Money came that is not on the chain."""
    return bank_file((*BANK_LINES, (FIRST_DAY - 9, "BANK-9", 5 * YUAN)))


def a_deposit_that_never_came(world: World) -> str:
    """The first deposit is not at the bank."""
    return bank_file(BANK_LINES[1:])


def the_other_way(world: World) -> str:
    """What was withdrawn came in."""
    (day, reference, micros) = BANK_LINES[2]
    return bank_file((*BANK_LINES[:2], (day, reference, -micros)))
