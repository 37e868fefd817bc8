"""Commands that move points: issue, redeem, exchange, spend, transfer, reverse; and quote, which locks what they would cost."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeAlias

import typer

from ._arguments import Member, Points, Program, member
from ._arguments import points as points_of
from ._command import command
from ._moving import Reference, Submission, money, submit
from ._outcomes import GOOD, WrongUseError
from ._output import document_of
from ._session import Session
from ._suggestions import suggesting_programs

OptionalMember: TypeAlias = Annotated[
    str | None,
    typer.Argument(parser=member, metavar="MEMBER", help="Your own number for the member, or its id; or give --code."),
]
Code: TypeAlias = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="The one-time code that the member shows you.")
]
Agreement: TypeAlias = Annotated[
    str | None, typer.Option("--agreement", metavar="ID", help="The agreement to use. By default the newest that fits.")
]
Quoted: TypeAlias = Annotated[
    str | None, typer.Option("--quote", metavar="ID", help="The quote that fixes the amounts.")
]
Source: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="CODE", help="The program that the points leave.")
]
Target: TypeAlias = Annotated[str | None, typer.Option("--to", metavar="CODE", help="The program that they enter.")]
At: TypeAlias = Annotated[
    str | None, typer.Option("--at", metavar="MERCHANT", help="The merchant that takes the points. By default you.")
]


Expiry: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="YYYY-MM-DD", help="The first day without the points. By default the program decides."),
]
Undone: TypeAlias = Annotated[str | None, typer.Argument(metavar="MOVEMENT", help="The movement's id.")]
Recipient: TypeAlias = Annotated[
    str, typer.Argument(parser=member, metavar="RECIPIENT", help="The member who gets the points.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "issue")(issue)
    command(app, "redeem")(redeem)
    command(app, "exchange")(exchange)
    command(app, "spend")(spend)
    command(app, "transfer")(transfer)
    command(app, "reverse")(reverse)
    command(app, "quote")(quote)


def issue(
    session: Session,
    points: Points,
    member: Member,
    how: Submission,
    program: Program,
    expires_on: Expiry = None,
    reference: Reference = None,
) -> int:
    """Give a member new points of your program.

    Example: tongdui issue 200 FC-1001 --program FUEL
    """
    from tongdui._kinds.issue import Issue

    day = _day(expires_on) if expires_on is not None else None
    instruction = Issue(program=program, member=member, points=points, expires_on=day, reference=reference)
    return submit(session, instruction, how, [program])


def redeem(
    session: Session, points: Points, member: Member, how: Submission, program: Program, reference: Reference = None
) -> int:
    """Take points of your own program in payment.

    Example: tongdui redeem 95 FC-1001 --program FUEL
    """
    from tongdui._kinds.redeem import Redeem

    instruction = Redeem(program=program, member=member, points=points, reference=reference)
    return submit(session, instruction, how, [program])


def exchange(
    session: Session,
    points: Points,
    how: Submission,
    member: OptionalMember = None,
    code: Code = None,
    source: Source = None,
    target: Target = None,
    agreement: Agreement = None,
    quote: Quoted = None,
    min_out: Annotated[
        int | None, typer.Option(min=0, metavar="POINTS", help="The fewest target points that the member accepts.")
    ] = None,
    reference: Reference = None,
) -> int:
    """Change points of one program into another's.

    Example: tongdui exchange 100 FC-1001 --from FUEL --to CINE
    """
    from tongdui._kinds.exchange import Exchange

    _require_one_holder(member, code)
    if agreement is None and quote is None and (source is None or target is None):
        raise WrongUseError("say what to exchange: --from and --to, or --agreement, or --quote")
    instruction = Exchange(
        points=points,
        member=member,
        member_code=code,
        agreement=agreement,
        source_program=source,
        target_program=target,
        min_out=min_out,
        quote=quote,
        reference=reference,
    )
    return submit(session, instruction, how, [source, target])


def spend(
    session: Session,
    points: Points,
    how: Submission,
    member: OptionalMember = None,
    code: Code = None,
    program: Annotated[str | None, typer.Option(metavar="CODE", help="The program whose points are taken.")] = None,
    at: At = None,
    agreement: Agreement = None,
    quote: Quoted = None,
    reference: Reference = None,
) -> int:
    """Take another merchant's points for goods.

    Example: tongdui spend 50 --code 4711-0815 --program FUEL
    """
    from tongdui._kinds.spend import Spend

    _require_one_holder(member, code)
    instruction = Spend(
        points=points,
        member=member,
        member_code=code,
        agreement=agreement,
        program=program,
        target_merchant=at,
        quote=quote,
        reference=reference,
    )
    return submit(session, instruction, how, [program])


def transfer(
    session: Session,
    points: Points,
    member: Member,
    recipient: Recipient,
    how: Submission,
    program: Program,
    reference: Reference = None,
) -> int:
    """Move points of your program to another member.

    Example: tongdui transfer 50 FC-1001 FC-1002 --program FUEL
    """
    from tongdui._kinds.transfer import Transfer

    instruction = Transfer(program=program, member=member, recipient=recipient, points=points, reference=reference)
    return submit(session, instruction, how, [program])


def reverse(
    session: Session,
    how: Submission,
    movement: Undone = None,
    original: Annotated[
        str | None,
        typer.Option("--reference", metavar="TEXT", help="In place of the id: your document number of the movement."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="With --reference, if several movements have it: issue, redeem, spend, ..."),
    ] = None,
    points: Annotated[
        int | None, typer.Option(parser=points_of, metavar="POINTS", help="How many. By default all that are left.")
    ] = None,
    own: Annotated[
        str | None, typer.Option("--own-reference", metavar="TEXT", help="Your document number of the reversal.")
    ] = None,
) -> int:
    """Undo a movement, or a part of it.

    Example: tongdui reverse --reference sale-1 --points 20
    """
    from tongdui._kinds.reverse import Reverse

    if (movement is None) == (original is None):
        raise WrongUseError("say what to undo: either MOVEMENT, its id, or --reference, your document number of it")
    instruction = Reverse(
        movement=movement, original_reference=original, original_kind=kind, points=points, reference=own
    )
    return submit(session, instruction, how)


def quote(
    session: Session,
    points: Points,
    member: OptionalMember = None,
    source: Source = None,
    target: Target = None,
    at: At = None,
    agreement: Agreement = None,
) -> int:
    """Lock what an exchange or a spend would give and cost; nothing moves.

    Example: tongdui quote 100 --from FUEL --to CINE
    """
    if agreement is None and (source is None or (target is None) == (at is None)):
        raise WrongUseError("say what to lock: --from, with --to or --at, or --agreement")
    with session.client() as client, suggesting_programs(client, source, target):
        currency = client.network.get().currency
        quoted = client.quotes.create(
            points=points,
            agreement=agreement,
            source_program=source,
            target_program=target,
            target_merchant=at,
            member=member,
        )
    session.out.document(document_of(quoted))
    session.out.lines(f"quote {quoted.id}")
    session.out.facts(
        {
            "points": f"{quoted.points_burnt:,}",
            "out": f"{quoted.out:,}" if quoted.out else None,
            "rate": f"{quoted.rate_num}/{quoted.rate_den}",
            "to pay": money(quoted.settled_micros, currency),
            "fee": money(quoted.fee_micros, currency),
            "agreement": quoted.agreement,
            "good until": quoted.expires_at.isoformat(),
        }
    )
    return GOOD


def _require_one_holder(member: str | None, code: str | None) -> None:
    if (member is None) == (code is None):
        raise WrongUseError("say whose points: either MEMBER, if you issue them, or --code, which the member shows you")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUseError(f"--expires-on {text!r} is not a day; write it as 2027-12-31") from None
