"""Arguments that the auditor's commands have in common, and what they do where the kit is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated, TypeAlias

import typer

from ._arguments import address, url
from ._outcomes import WrongUseError

EXIT_CODES = (
    "Exit codes: 0 all holds; 1 something does not (each is named); "
    "2 it could not be checked (one sentence says what to do)."
)
_KIT = {"cbor2", "coincurve", "defusedxml", "jinja2", "markupsafe", "pygal", "rlp"}
"""What the kit needs beside the command line."""


_NODES = typer.Option(
    "--rpc",
    parser=url,
    metavar="URL",
    envvar="TONGDUI_RPC_URL",
    help="JSON-RPC of a chain node that the operator does not control. Repeat it: all nodes must say the same.",
)
Nodes: TypeAlias = Annotated[list[str], _NODES]
NodesIfAny: TypeAlias = Annotated[list[str] | None, _NODES]
Contract: TypeAlias = Annotated[
    str,
    typer.Option(
        parser=address,
        metavar="0x..",
        envvar="TONGDUI_CONTRACT",
        help="Address of the clearing house, from a source that you trust.",
    ),
]
ChainId: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="The chain's id, from a source that you trust.")
]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Where to look."""

    rpc: Nodes
    contract: Contract
    chain_id: ChainId = None


Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers", min=0, max=64, metavar="N", help="Processes that check signatures. By default one a processor."
    ),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Overwrite files that exist already.")]


def day_of(option: str, text: str | None) -> date | None:
    """A day. Raises WrongUseError for what is none."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise WrongUseError(f"{option} {text} is not a day: write it as 2026-12-31") from None


@contextmanager
def with_kit() -> Iterator[None]:
    """Says what to install where a part of the kit is missing."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _KIT:
            raise
        raise WrongUseError(
            f"the auditor's kit needs {error.name}; install it: pip install 'tongdui[audit]'"
        ) from error
