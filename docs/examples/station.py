"""The gas station's app, as far as the other examples need it: the member has points, a code, and friends to give them to.

python station.py issue A-1 2000         points for petrol
python station.py link A-1               a code with which another merchant registers the same member
python station.py code A-1 1000          a code with which another merchant takes up to 1,000 points
python station.py exchange A-1 1000 VIDEO
python station.py balance A-1
"""

import argparse
from pathlib import Path

from tongdui import Client, Member

PROGRAM = "FUEL"


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="The gas station's app")
    parser.add_argument("action", choices=["issue", "link", "code", "exchange", "balance"])
    parser.add_argument("member", help="the number of the member's card")
    parser.add_argument("points", type=int, nargs="?", default=0)
    parser.add_argument("program", nargs="?", help="where exchanged points go")
    options = parser.parse_args()
    with Client.from_env() as client:
        member = client.members.create(external_id=options.member)  # the same member each time
        if options.action == "issue":
            client.issuances.create(program=PROGRAM, member=member, points=options.points, wait=30).settled()
            print(f"{options.points} {PROGRAM} for {options.member}")
        elif options.action == "link":
            print(client.members.create_link_code(member).code)
        elif options.action == "code":
            show_code(client, member, options.points)
        elif options.action == "exchange":
            exchange(client, member, options.points, options.program)
        else:
            for account in client.members.accounts(member):
                print(f"{account.available} {account.program}")


def show_code(client: Client, member: Member, points: int) -> None:
    """What the member's screen shows, and its text."""
    code = client.members.create_code(member, points=points, program=PROGRAM)
    Path("code.svg").write_text(code.qr_svg or "")
    print(code.code)


def exchange(client: Client, member: Member, points: int, program: str) -> None:
    """The member asks in the app: the station initiates, so no code is needed."""
    moved = client.exchanges.create(
        source_program=PROGRAM, target_program=program, member=member, points=points, wait=30
    )
    entry = moved.settled()
    print(f"{entry.points} {PROGRAM} became {entry.out} {program} ({moved.id})")


if __name__ == "__main__":
    main()
