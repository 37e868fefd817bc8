"""verify: a receipt against the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._arguments import address, url
from ._command import command
from ._outcomes import GOOD
from ._output import document_of
from ._session import Session


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "verify")(verify)


def verify(
    session: Session,
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="A file that Receipt.save wrote.")],
    rpc: Annotated[
        str,
        typer.Option(parser=url, metavar="URL", envvar="TONGDUI_RPC_URL", help="JSON-RPC endpoint of a chain node."),
    ],
    contract: Annotated[
        str,
        typer.Option(
            parser=address,
            metavar="0x..",
            envvar="TONGDUI_CONTRACT",
            help="Address of the clearing house, from a source that you trust.",
        ),
    ],
    chain_id: Annotated[
        int | None, typer.Option(metavar="N", help="The chain's id, from a source that you trust.")
    ] = None,
) -> int:
    """Check a receipt against the chain, without trusting the gateway.

    A profile is not looked at: what `login` remembers is the gateway's own word.
    """
    from tongdui._receipt import Receipt

    checks: dict[str, str] = {}

    def show(name: str, detail: str) -> None:
        checks[name] = detail
        session.out.lines(f"  ok  {name:<12} {detail}")

    loaded = Receipt.load(receipt)
    loaded.verify(rpc_url=rpc, contract=contract, chain_id=chain_id, on_check=show)
    entry = loaded.entry
    session.out.document({"valid": True, "checks": checks, "entry": document_of(entry)})
    session.out.lines(
        f"VALID  merchant {entry.merchant}, program {entry.program}: {entry.points} points, member {entry.member}"
    )
    return GOOD
