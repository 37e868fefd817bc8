"""Members and their points: balance, members list, show, create, search, code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ._arguments import Member, Points
from ._command import command, group
from ._outcomes import GOOD
from ._output import document_of
from ._session import Session
from ._suggestions import suggesting_programs

if TYPE_CHECKING:
    from tongdui._models import Account, Closing
    from tongdui._models import Member as MemberModel

Limit: TypeAlias = Annotated[int, typer.Option(min=1, metavar="N", help="How many to show at most.")]
State: TypeAlias = Annotated[str | None, typer.Option(metavar="STATE", help="Only active or only frozen members.")]
Key: TypeAlias = Annotated[
    str | None, typer.Option(metavar="KEY", help="The same key again gets the first answer again.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "balance")(balance)
    members = group("members", "List, show, register and search members.")
    command(members, "list")(list_members)
    command(members, "show")(show)
    command(members, "create")(create)
    command(members, "search")(search)
    command(members, "code")(code)
    app.add_typer(members)


def balance(
    session: Session,
    member: Member,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="As they were at the end of this day, which is over."),
    ] = None,
) -> int:
    """Show a member's points.

    Example: tongdui balance FC-1001
    """
    if as_of is not None:
        return _show_closing(session, member, as_of.date())
    with session.client() as client:
        accounts = client.members.accounts(member)
    session.out.document([document_of(account) for account in accounts])
    _show_accounts(session, member, accounts)
    return GOOD


def list_members(session: Session, state: State = None, limit: Limit = 50) -> int:
    """List the members that you know, newest first."""
    with session.client() as client:
        _show_members(session, client.members.list(state=state, page_size=min(limit, 200)), limit)
    return GOOD


def search(
    session: Session,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="How a number of yours begins.")],
    state: State = None,
    limit: Limit = 50,
) -> int:
    """List members of whom a number of yours begins like this."""
    with session.client() as client:
        _show_members(session, client.members.list(prefix=prefix, state=state, page_size=min(limit, 200)), limit)
    return GOOD


def show(session: Session, member: Member) -> int:
    """Show a member: its numbers, its state, its points."""
    with session.client() as client:
        found = client.members.get(member)
        accounts = client.members.accounts(found.id)
    session.out.document({**document_of(found), "accounts": [document_of(account) for account in accounts]})
    _facts(session, found)
    _show_accounts(session, member, accounts)
    return GOOD


def create(
    session: Session,
    external_id: Annotated[
        str, typer.Argument(metavar="NUMBER", help="Your own number for the member: a card, an account.")
    ],
    link_code: Annotated[
        str | None, typer.Option(metavar="CODE", help="Another merchant's link code: it is the same member as there.")
    ] = None,
    idempotency_key: Key = None,
) -> int:
    """Register a member, or find the one that has this number already."""
    number = external_id.removeprefix("external:")
    with session.client() as client:
        made = client.members.create(external_id=number, link_code=link_code, idempotency_key=idempotency_key)
    session.out.document(document_of(made))
    _facts(session, made)
    return GOOD


def code(
    session: Session,
    points: Points,
    member: Member,
    program: Annotated[str | None, typer.Option(metavar="CODE", help="Only points of this program.")] = None,
    seconds: Annotated[int, typer.Option(min=60, max=600, metavar="SECONDS", help="For how long it is good.")] = 300,
) -> int:
    """Make a one-time code with which another merchant may take up to so many points of a member."""
    with session.client() as client, suggesting_programs(client, program):
        made = client.members.create_code(member, points=points, program=program, expires_in=seconds)
    session.out.document(document_of(made))
    session.out.lines(f"{made.code}")
    session.out.facts({"code": made.id, "up to": f"{points:,} points", "good until": made.expires_at.isoformat()})
    return GOOD


def _show_members(session: Session, members: Iterable[MemberModel], limit: int) -> None:
    shown = list(islice(members, limit))
    session.out.document([document_of(member) for member in shown])
    rows = [(member.id, " ".join(member.external_ids), member.state) for member in shown]
    session.out.table(("member", "your numbers", "state"), rows)
    if len(shown) == limit:
        session.out.note(f"the first {limit}; --limit shows more")


def _show_accounts(session: Session, member: str, accounts: Iterable[Account]) -> None:
    rows = [(a.program, f"{a.available:,}", f"{a.reserved:,}", f"{a.posted:,}") for a in accounts]
    if rows:
        session.out.table(("program", "available", "reserved", "posted"), rows)
    else:
        session.out.lines(f"{member} has no points")


def _show_closing(session: Session, member: str, day: date) -> int:
    with session.client() as client:
        accounts = client.members.accounts_as_of(member, day)
    session.out.document([document_of(account) for account in accounts])
    if accounts:
        session.out.table(("program", "posted"), [(each.program, f"{each.posted:,}") for each in accounts])
        session.out.note(_block_words(accounts[0]))
    else:
        session.out.lines(f"{member} has no points")
    return GOOD


def _block_words(closing: Closing) -> str:
    if closing.block_number is None:
        return f"the chain began after {closing.as_of}"
    day_is_open = "" if closing.final else "; no block of a later day is there yet"
    return f"at the end of {closing.as_of}, block {closing.block_number} of the chain{day_is_open}"


def _facts(session: Session, member: MemberModel) -> None:
    session.out.facts(
        {
            "member": member.id,
            "your numbers": " ".join(member.external_ids) or member.external_id,
            "state": member.state,
            "frozen": "; ".join(freeze.reason for freeze in member.freezes) or None,
            "address": member.address,
        }
    )
