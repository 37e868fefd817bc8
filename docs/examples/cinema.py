"""A cinema sells a ticket for 90 CINE to a member who has only FUEL.

The member shows a code of the gas station's app. One atomic order turns FUEL into CINE and redeems it for the ticket: both
happen, or neither.

    python cinema.py join C-1 2F7K-9QXM-4RT0     a new customer, known to the gas station
    python cinema.py ticket C-1 K7Q2M-9XD4R      a ticket, paid with the code
    python cinema.py received                    what came in, and the proof of it
"""

import argparse
import os
import sys
import uuid

from tongdui import Client, Exchange, InsufficientPointsError, MemberCodeError, Quote, Redeem, format_micros

TICKET = 90
PROGRAM, SOURCE = "CINE", "FUEL"


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="The till of a cinema")
    actions = parser.add_subparsers(dest="action", required=True)
    for name, words in {"join": "link code", "ticket": "member's code"}.items():
        action = actions.add_parser(name)
        action.add_argument("customer", help="your number for the customer")
        action.add_argument("code", help=f"the {words} from the gas station's app")
    actions.add_parser("received")
    options = parser.parse_args()
    with Client.from_env() as client:
        if options.action == "join":
            member = client.members.create(external_id=options.customer, link_code=options.code)
            print(f"{options.customer} is {member.id}")
            return 0
        if options.action == "ticket":
            return sell(client, f"external:{options.customer}", options.code)
        return show_received(client)


def sell(client: Client, customer: str, code: str) -> int:
    """Exchanges and redeems at once. The quote locks the price while the customer decides."""
    quote = price(client)
    print(f"{quote.points} {SOURCE} are {quote.out} {PROGRAM}: one ticket")
    ticket = f"ticket-{uuid.uuid4().hex[:8]}"
    try:
        order = client.orders.create(
            [
                Exchange(quote=quote, member_code=code, points=quote.points, reference=ticket),
                Redeem(program=PROGRAM, member=customer, points=TICKET, reference=ticket),
            ],
            atomic=True,
            wait=30,
        )
    except (InsufficientPointsError, MemberCodeError) as error:
        print(f"no ticket: {error.detail}")
        return 1
    exchanged, redeemed = order.settled()
    print(f"{ticket}: {exchanged.points} {SOURCE} in, {redeemed.points} {PROGRAM} redeemed")
    print(f"received {format_micros(exchanged.settled_micros)} CNY")
    return 0


def price(client: Client) -> Quote:
    """What a ticket costs in the other program's points, at the rate that both merchants have signed."""
    agreements = client.agreements.list(kind="exchange", state="active", program=SOURCE)
    agreement = next(agreement for agreement in agreements if agreement.target_program == PROGRAM)
    points = -(-TICKET * agreement.rate_den // agreement.rate_num)  # rounded up: fewer would not do
    return client.quotes.create(agreement=agreement, points=points)


def show_received(client: Client) -> int:
    """Every movement has two sides: this lists those that the cinema receives, and asks the chain whether they are there."""
    for movement in client.movements.list(direction="in"):
        entry = movement.settled()
        client.entries.receipt(entry.leaf).verify(
            rpc_url=os.environ["TONGDUI_RPC_URL"], contract=os.environ["TONGDUI_CONTRACT"]
        )
        print(
            f"{movement.object} {movement.id}: {entry.points} {movement.program} gave {entry.out} {movement.target_program}"
            f" to {movement.external_id or movement.member} and {format_micros(entry.settled_micros)} CNY to us, proven"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
