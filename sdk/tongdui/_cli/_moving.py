"""Submitting one instruction from the command line: under which key, how long to wait, what to print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from tongdui._errors import APIConnectionError, ServerError

from ._arguments import PasswordFile, Timeout
from ._outcomes import BAD, GOOD
from ._output import document_of
from ._session import Session
from ._suggestions import suggesting_programs

if TYPE_CHECKING:
    from tongdui._client import Client
    from tongdui._dry_run import Outcome
    from tongdui._instruction import InstructionRequest
    from tongdui._models import Movement

Reference: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Your document number. A second movement of this kind with it is refused."),
]
_DONE = {
    "issuance": "issued {points} points of {program} to {member}",
    "redemption": "redeemed {points} points of {program} from {member}",
    "exchange": "exchanged {points} points of {source} from {member} for {out} points of {target}",
    "spend": "spent {points} points of {program} from {member}",
    "transfer": "moved {points} points of {program} from {member} to {recipient}",
    "reversal": "undid {points} points of {reverses}",
}
"""What has happened, by the kind of movement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How an instruction is submitted: the options that all such commands have."""

    idempotency_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The same key again gets the first answer again: nothing moves twice."),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Let the gateway check everything, but move nothing and sign nothing.")
    ] = False
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the chain has decided, or only until it is accepted.")
    ] = True
    timeout: Timeout = 60.0
    password_file: PasswordFile = None


def submit(
    session: Session, instruction: InstructionRequest, how: Submission, programs: Iterable[str | None] = ()
) -> int:
    """Submit an instruction, or try it, and print what became of it.

    Args:
        session: Who submits it.
        instruction: What to do.
        how: The options.
        programs: The program codes as they were typed, to name the nearest one if there is none of that name.

    Returns:
        The exit code.

    Raises:
        TongduiError: The gateway refused it, or did not answer.
    """
    with (
        session.client(signs=not how.dry_run, password_file=how.password_file) as client,
        suggesting_programs(client, *programs),
    ):
        if how.dry_run:
            return _try(session, client, instruction)
        currency = client.network.get().currency  # now: what has moved must not be hidden by a failure of this
        movement = _create(client, instruction, how)
    return _report(session, movement, currency, waited=how.wait)


def _create(client: Client, instruction: InstructionRequest, how: Submission) -> Movement:
    from tongdui._gateway import new_key

    key = how.idempotency_key or new_key()
    members = {field.name: getattr(instruction, field.name) for field in fields(instruction)}  # type: ignore[arg-type]
    resource: Any = getattr(client, instruction.collection)
    try:
        created: Movement = resource.create(**members, idempotency_key=key, wait=how.timeout if how.wait else None)
    except (APIConnectionError, ServerError, KeyboardInterrupt) as error:
        error.add_note(
            f"it may have been accepted: run the same command with `--idempotency-key {key}`, and nothing moves twice"
        )
        raise
    return created


def _report(session: Session, movement: Movement, currency: str, *, waited: bool) -> int:
    session.out.document(document_of(movement))
    session.out.lines(_headline(movement))
    entry = movement.entry
    session.out.facts(
        {
            "movement": movement.id,
            "state": movement.state,
            "reference": movement.reference,
            "paid": money(entry.settled_micros, currency) if entry and entry.settled_micros else None,
            "fee": money(entry.fee_micros, currency) if entry and entry.fee_micros else None,
            "block": entry.block_number if entry else None,
            "transaction": entry.tx_hash if entry else None,
        }
    )
    if movement.is_final:
        return GOOD if movement.is_settled else BAD
    if not waited:
        return GOOD
    session.out.note(f"tongdui: the chain has not decided yet; see `tongdui get /v1/movements/{movement.id}`")
    return BAD


def _headline(movement: Movement) -> str:
    entry = movement.entry
    names = {
        "points": f"{entry.points if entry else movement.points:,}",
        "out": f"{entry.out:,}" if entry else "the",
        "program": movement.program,
        "source": movement.source_program or movement.program,
        "target": movement.target_program or "another program",
        "member": f"external:{movement.external_id}" if movement.external_id else movement.member or "the member",
        "recipient": movement.recipient or "another member",
        "reverses": movement.reverses or "a movement",
    }
    what = _DONE.get(movement.object, f"{movement.object}: {{points}} points of {{program}}").format(**names)
    if movement.is_settled:
        return what
    if movement.is_final:
        return (
            f"nothing moved: the chain has {movement.state} the {movement.object}: {movement.reason or movement.state}"
        )
    return f"accepted, not settled yet: {what}"


def _try(session: Session, client: Client, instruction: InstructionRequest) -> int:
    resource: Any = getattr(client, instruction.collection)
    tried = resource.dry_run(instruction)
    session.out.document({"dry_run": True, **document_of(tried), "result": document_of(tried.result)})
    session.out.lines(f"this {instruction.noun} would be accepted; nothing moved (dry run)")
    currency = "" if session.out.as_json else client.network.get().currency
    for outcome in tried.outcomes:
        session.out.facts(outcome_facts(outcome, currency))
    return GOOD


def outcome_facts(outcome: Outcome, currency: str) -> dict[str, object]:
    """What an entry would say, for people."""
    return {
        "points": f"{outcome.points:,}",
        "out": f"{outcome.out:,}" if outcome.out else None,
        "paid": money(outcome.settled_micros, currency) if outcome.settled_micros else None,
        "fee": money(outcome.fee_micros, currency) if outcome.fee_micros else None,
    }


def money(micros: int, currency: str) -> str:
    """Write micros exactly, with the currency."""
    from tongdui._amounts import format_micros

    return f"{format_micros(micros)} {currency}"
