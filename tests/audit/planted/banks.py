"""What a bank may say of an honest network. Each function makes such a statement."""

from __future__ import annotations

from tests.audit.planted import onchain
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


def a_deposit_without_money(world: World) -> str:
    """A deposit is booked for which no money came, and the statement is of the days after it, too."""
    onchain.deposit_without_money(world)
    return bank_file((*BANK_LINES, (world.today() + 9, "BANK-9", YUAN)))


def the_other_way(world: World) -> str:
    """What was withdrawn came in."""
    (day, reference, micros) = BANK_LINES[2]
    return bank_file((*BANK_LINES[:2], (day, reference, -micros)))
