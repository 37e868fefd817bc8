"""api-keys: list, create and revoke API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._approvals import show_approval
from ._command import command, group
from ._outcomes import GOOD, WrongUseError
from ._output import document_of
from ._session import Session

if TYPE_CHECKING:
    from tongdui._models import ApiKey


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    keys = group("api-keys", "List, create and revoke API keys.")
    command(keys, "list")(list_keys)
    command(keys, "create")(create)
    command(keys, "revoke")(revoke)
    app.add_typer(keys)


def list_keys(
    session: Session,
    created_by: Annotated[
        str | None,
        typer.Option(metavar="ACTOR", help="Only what this key (key_...) or person (staff:stf_...) has made."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many to show at most.")] = 50,
) -> int:
    """List the keys that you may see, newest first, without their secrets."""
    with session.client() as client:
        listed = client.api_keys.list(created_by=created_by, page_size=min(limit, 200))
        shown = list(islice(listed, limit))
    session.out.document([document_of(key) for key in shown])
    rows = [(key.id, key.name, " ".join(key.scopes) or key.role, _state(key), key.parent) for key in shown]
    session.out.table(("key", "name", "may", "state", "made by key"), rows)
    if len(shown) == limit:
        session.out.note(f"the first {limit}; --limit shows more")
    return GOOD


def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it, such as the till that has it.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", metavar="SCOPE", help="What it may do, such as redeem; repeatable.")
    ] = None,
    role: Annotated[str, typer.Option(metavar="ROLE", help="merchant, operator, treasury or auditor.")] = "merchant",
    expires: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], metavar="TIME", help="When it ends by itself, in UTC."
        ),
    ] = None,
    networks: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="CIDR", help="From where alone it may be used (203.0.113.0/24); repeatable."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, for a key of the operator or the treasury.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key again gets the first answer, without the secret.")
    ] = None,
) -> int:
    """Make a key and print its secret, this once. Your own key needs the scope keys.

    A key of the operator or the treasury is good once another person has approved it (`tongdui approvals`).

    Example: tongdui api-keys create "till 3" --scope redeem --scope read --network 203.0.113.0/24
    """
    wanted: dict[str, Any] = {
        "role": role,
        "name": name,
        "scopes": scopes,
        "expires_at": expires.replace(tzinfo=UTC) if expires is not None else None,
        "networks": networks,
        "idempotency_key": idempotency_key,
    }
    with session.client() as client:
        if role in ("operator", "treasury"):
            if reason is None:
                raise WrongUseError("another person has to approve this key, and wants to know why: give --reason")
            return show_approval(session, client.api_keys.request(**wanted, reason=reason))
        made = client.api_keys.create(**wanted)
    session.out.document(document_of(made))
    session.out.lines(made.secret or "this key was shown already; its secret is not shown again")
    _facts(session, made)
    return GOOD


def revoke(session: Session, key: Annotated[str, typer.Argument(metavar="KEY", help="Its id: key_...")]) -> int:
    """End a key at once, and with it all keys that come from it. Each key may end itself."""
    with session.client() as client:
        ended = client.api_keys.revoke(key)
    session.out.document(document_of(ended))
    _facts(session, ended)
    return GOOD


def _facts(session: Session, key: ApiKey) -> None:
    session.out.facts(
        {
            "key": key.id,
            "name": key.name or None,
            "may": " ".join(key.scopes) or key.role,
            "made by key": key.parent,
            "until": key.expires_at.isoformat() if key.expires_at else None,
            "from": " ".join(key.networks) or None,
            "revoked at": key.revoked_at.isoformat() if key.revoked_at else None,
        }
    )


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at is not None else "good"
