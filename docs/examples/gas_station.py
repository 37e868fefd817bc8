"""A gas station's till and pumps. The till writes a file of its sales; a member may also pay at the pump with points.

python gas_station.py night day.csv         points for the sales in the file, and back for its returns; any number of times
python gas_station.py pump 17 A-7 40 32.1   filling 17: up to 40 litres for points of card A-7, and the pump gave 32.1
"""

import argparse
import sys
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from tongdui import Client, InsufficientPointsError
from tongdui.till import TillImport, TillResult, TillSheet, read_till

PROGRAM = "FUEL"
LITRE = 100
"""Points that a litre costs."""
PATIENCE = 900
"""Seconds until held points are free again by themselves: the member drove away, or this machine lost its power."""


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="A gas station's till and pumps")
    actions = parser.add_subparsers(dest="action", required=True)
    night = actions.add_parser("night")
    night.add_argument("file", help="what the till has written")
    pump = actions.add_parser("pump")
    pump.add_argument("filling", help="your number of the filling")
    pump.add_argument("card", help="the number of the member's card")
    pump.add_argument("most", type=Decimal, help="litres that the member wants at most")
    pump.add_argument("drawn", type=Decimal, help="litres that the pump gave; at a real pump its meter says so")
    options = parser.parse_args()
    with Client.from_env() as client:
        if options.action == "night":
            return settle_the_day(client, options.file)
        return sell_fuel(client, options.filling, options.card, options.most, options.drawn)


def settle_the_day(client: Client, file: str) -> int:
    """Issues what the file's sales are worth, and takes back what its returns had been given."""
    with read_till(file) as sheet:
        result = TillImport(client, PROGRAM, reverse=True).run(sheet)
        print(
            f"{len(result.issued)} sales issued for {result.points} {PROGRAM}, {len(result.already)} were issued before"
        )
        for taken in result.reversed:
            print(f"{taken.points} {PROGRAM} taken back for return {taken.source.number}")
        for owed in result.owed:
            print(f"{owed.points} {PROGRAM} owed for return {owed.source.number}: the member has spent them")
        return 1 if show_doubts(sheet, result) else 0


def show_doubts(sheet: TillSheet, result: TillResult) -> bool:
    """Names everything that a person has to look at, and says whether there is anything."""
    for problem in sheet.problems:
        print(problem)  # file, line, field and reason
    for sale in sheet.held_back:
        print(f"sale {sale.number} waits: {sale.reason}")
    for back in result.unmatched:
        print(f"return {back.source.number}: {back.reason}")
    for change in result.changed:
        print(f"sale {change.source.number} has changed: {change.difference}")
    for refusal in result.refused:
        print(f"sale {refusal.source.number} was refused: {refusal.detail}")
    return sheet.needs_attention or result.needs_attention


def sell_fuel(client: Client, filling: str, card: str, most: Decimal, drawn: Decimal) -> int:
    """Holds points before the pump starts, takes what was drawn, and frees the rest.

    While the pump runs nobody can spend the held points elsewhere. The filling's number makes the payment happen once.
    """
    reference = f"filling-{filling}"
    if any(payment.is_settled or not payment.is_final for payment in client.redemptions.list(reference=reference)):
        print(f"filling {filling} is paid already")
        return 0
    member = client.members.create(external_id=card)  # the same member each time
    try:
        hold = client.holds.create(
            program=PROGRAM, member=member, points=price(most, ROUND_CEILING), expires_in=PATIENCE, reference=reference
        )
    except InsufficientPointsError as error:
        print(f"the pump stays locked: {error.detail}")
        return 1
    print(f"{hold.points} {PROGRAM} held: the pump is free for {most} litres")
    points = min(price(drawn, ROUND_FLOOR), hold.points)  # the pump fills, and its meter stops
    if points == 0:
        client.holds.release(hold)
        print("nothing drawn, nothing taken")
        return 0
    payment = client.holds.capture(hold, points=points, reference=reference, wait=30)
    print(f"{drawn} litres: {payment.settled().points} {PROGRAM} taken, {hold.points - points} are free again")
    return 0


def price(litres: Decimal, rounding: str) -> int:
    """What litres cost in points: rounded up to be safe before, down in the member's favour after."""
    return int((litres * LITRE).to_integral_value(rounding))


if __name__ == "__main__":
    sys.exit(main())
