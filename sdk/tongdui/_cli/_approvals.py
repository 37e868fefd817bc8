"""What needs two persons: approvals list, show, approve, decline, withdraw; deposit, withdrawal, credit-limit; and join."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ._arguments import url
from ._command import command, group
from ._members import Key, Limit
from ._outcomes import GOOD, WrongUseError
from ._output import document_of
from ._session import Session

if TYPE_CHECKING:
    from tongdui._approval import Approval

Id: TypeAlias = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id: apr_...")]
Reason: TypeAlias = Annotated[str, typer.Option(metavar="TEXT", help="Why: the other person reads it.")]
Merchant: TypeAlias = Annotated[str, typer.Argument(metavar="MERCHANT", help="The merchant's id: mer_...")]
Amount: TypeAlias = Annotated[
    str, typer.Argument(metavar="AMOUNT", help="In the settlement currency, such as 1234.50.")
]
Reference: TypeAlias = Annotated[str, typer.Option("--reference", metavar="TEXT", help="The bank's own reference.")]
_WAIT = 30.0


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    approvals = group("approvals", "See, approve, decline and withdraw what needs two persons (operator, treasury).")
    command(approvals, "list")(list_approvals)
    command(approvals, "show")(show)
    command(approvals, "approve")(approve)
    command(approvals, "decline")(decline)
    command(approvals, "withdraw")(withdraw)
    app.add_typer(approvals)
    command(app, "deposit")(deposit)
    command(app, "withdrawal")(withdrawal)
    command(app, "credit-limit")(credit_limit)
    command(app, "join")(join)


def list_approvals(
    session: Session,
    state: Annotated[
        str, typer.Option(metavar="STATE", help="requested, approved, declined, withdrawn, expired or all.")
    ] = "requested",
    limit: Limit = 50,
) -> int:
    """List what waits for approval, newest first."""
    wanted = None if state == "all" else state
    with session.client() as client:
        found = list(islice(client.approvals.list(state=wanted, page_size=min(limit, 200)), limit))
    session.out.document([document_of(one) for one in found])
    rows = [(one.id, one.kind, one.state, "you" if one.is_yours else one.maker.name, one.reason) for one in found]
    session.out.table(("approval", "for", "state", "asked by", "reason"), rows)
    return GOOD


def show(session: Session, approval: Id) -> int:
    """Show what was asked for and why, and what would change."""
    with session.client() as client:
        return show_approval(session, client.approvals.get(approval))


def approve(session: Session, approval: Id, idempotency_key: Key = None) -> int:
    """Approve what somebody else has asked for. It takes effect at once."""
    with session.client() as client:
        return show_approval(session, client.approvals.approve(approval, idempotency_key=idempotency_key, wait=_WAIT))


def decline(session: Session, approval: Id, reason: Reason, idempotency_key: Key = None) -> int:
    """Decline what somebody else has asked for."""
    with session.client() as client:
        return show_approval(session, client.approvals.decline(approval, reason, idempotency_key=idempotency_key))


def withdraw(session: Session, approval: Id, idempotency_key: Key = None) -> int:
    """Take back what you have asked for."""
    with session.client() as client:
        return show_approval(session, client.approvals.withdraw(approval, idempotency_key=idempotency_key))


def deposit(
    session: Session,
    merchant: Merchant,
    amount: Amount,
    reference: Reference,
    reason: Reason,
    idempotency_key: Key = None,
) -> int:
    """Ask to book money that has arrived at the bank (treasury)."""
    return _booked(session, "deposits", merchant, amount, reference, reason, idempotency_key)


def withdrawal(
    session: Session,
    merchant: Merchant,
    amount: Amount,
    reference: Reference,
    reason: Reason,
    idempotency_key: Key = None,
) -> int:
    """Ask to book money that will be paid out (treasury)."""
    return _booked(session, "withdrawals", merchant, amount, reference, reason, idempotency_key)


def credit_limit(
    session: Session, merchant: Merchant, amount: Amount, reason: Reason, idempotency_key: Key = None
) -> int:
    """Ask for another limit to how far below zero a merchant's position may go (operator)."""
    micros = _micros(amount)
    with session.client() as client:
        asked = client.merchants.set_credit_limit(merchant, micros, reason=reason, idempotency_key=idempotency_key)
        return show_approval(session, asked)


def join(
    session: Session,
    link: Annotated[str, typer.Argument(metavar="LINK", help="The link of your merchant's invitation, or its token.")],
    code: Annotated[
        str | None, typer.Option(metavar="CODE", help="The code that came by another way, if you got one.")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option("--url", parser=url, metavar="URL", help="Where the gateway is.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What you call the key.")] = None,
    scopes: Annotated[
        str | None, typer.Option(metavar="LIST", help="What the key may do, such as issue,members,read (default: all).")
    ] = None,
) -> int:
    """Redeem your merchant's invitation for its first API key, which is shown this once.

    Example: tongdui join 'https://console.example/invitation?token=tdi_...' --code abcdef-ghijkl-mnopqr-stuvwx --url https://gateway.example
    """
    from tongdui._client import Client

    where = gateway or os.environ.get("TONGDUI_URL")
    if not where:
        raise WrongUseError("where is the gateway? give --url, or set TONGDUI_URL")
    wanted = [scope.strip() for scope in scopes.split(",")] if scopes else None
    with Client(where.rstrip("/"), max_retries=1) as client:
        made = client.invitations.redeem(link, code=code, name=name, scopes=wanted)
    session.out.document(document_of(made))
    session.out.lines(made.secret or "")
    session.out.facts({"merchant": made.merchant, "may": ", ".join(made.scopes)})
    session.out.note("the key is shown only this once; `tongdui login` keeps it")
    return GOOD


def _booked(
    session: Session,
    kind: str,
    merchant: str,
    amount: str,
    reference: str,
    reason: str,
    key: str | None,
) -> int:
    micros = _micros(amount)
    with session.client() as client:
        resource = client.deposits if kind == "deposits" else client.withdrawals
        asked = resource.create(
            merchant=merchant, micros=micros, bank_reference=reference, reason=reason, idempotency_key=key
        )
        return show_approval(session, asked)


def _micros(amount: str) -> int:
    from tongdui._amounts import yuan

    try:
        return yuan(amount)
    except ValueError as error:
        raise WrongUseError(f"AMOUNT: {error}") from None


def show_approval(session: Session, approval: Approval) -> int:
    """Print an approval, with what is shown only this once."""
    once = {name: value for name in ("code", "link", "secret") if (value := getattr(approval, name))}
    session.out.document(document_of(approval))
    facts: dict[str, Any] = {
        "approval": approval.id,
        "for": approval.kind,
        "state": approval.state + (", on its way to the chain" if approval.is_pending else ""),
        "merchant": approval.merchant,
        **{name.replace("_", " "): value for name, value in approval.change.items() if name != "merchant"},
        **{f"{name} before".replace("_", " "): value for name, value in approval.before.items()},
        **{f"{name} after".replace("_", " "): value for name, value in approval.after.items()},
        "reason": approval.reason,
        "asked by": "you" if approval.is_yours else approval.maker.name,
        "decided by": approval.decided_by.name if approval.decided_by else None,
        "why not": approval.decision_reason or None,
        "ends unapproved": approval.expires_at.isoformat() if approval.state == "requested" else None,
        "result": approval.result,
        **once,
    }
    session.out.facts(facts)
    return GOOD
