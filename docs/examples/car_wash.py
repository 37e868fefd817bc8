"""A car wash takes 1,000 FUEL for a wash. It has no points of its own: the gas station pays it in the same transaction.

python car_wash.py wash 17 K7Q2M-9XD4R     sale 17, paid with the code that the member shows
python car_wash.py refund 17               the brushes broke: all points go back
python car_wash.py refund 17 400           or some of them
"""

import argparse
import sys

from tongdui import (
    Client,
    DuplicateReferenceError,
    NotFoundError,
    RateLimitedError,
    SigningError,
    UnprocessableError,
    format_micros,
)

PRICE = 1_000
PROGRAM = "FUEL"


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="The till of a car wash")
    actions = parser.add_subparsers(dest="action", required=True)
    wash = actions.add_parser("wash")
    wash.add_argument("sale", help="your number of the sale")
    wash.add_argument("code", help="the member's code, typed or scanned")
    refund = actions.add_parser("refund")
    refund.add_argument("sale")
    refund.add_argument("points", type=int, nargs="?", help="all that is left, if it is missing")
    options = parser.parse_args()
    with Client.from_env() as client:
        if options.action == "wash":
            return take(client, options.sale, options.code)
        return give_back(client, options.sale, options.points)


def take(client: Client, sale: str, code: str) -> int:
    """Takes the points. The sale's number makes it happen once, however often the till tries."""
    try:
        spend = client.spends.create(program=PROGRAM, member_code=code, points=PRICE, reference=f"wash-{sale}", wait=30)
    except DuplicateReferenceError:
        print(f"sale {sale} is paid already")
        return 0
    except RateLimitedError as error:
        print(f"no wash: too many wrong codes, wait {error.retry_after:.0f} seconds")
        return 1
    except UnprocessableError as error:  # a wrong code; or too few points, and then the code is still good
        print(f"no wash: {error.detail}")
        return 1
    entry = spend.settled()
    print(f"{entry.points} {PROGRAM} taken, {format_micros(entry.settled_micros)} CNY received: start the brushes")
    return 0


def give_back(client: Client, sale: str, points: int | None) -> int:
    """Undoes the sale, or a part of it: the member's points return as they were, and what was paid for them flows back."""
    try:
        reversal = client.reversals.create(original_reference=f"wash-{sale}", points=points, wait=30)
    except (NotFoundError, SigningError, UnprocessableError) as error:  # no such sale, or more than is left of it
        print(f"no refund: {error}")
        return 1
    entry = reversal.settled()
    print(f"{entry.points} {PROGRAM} given back, {format_micros(entry.settled_micros)} CNY returned")
    return 0


if __name__ == "__main__":
    sys.exit(main())
