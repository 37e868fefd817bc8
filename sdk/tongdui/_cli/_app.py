"""All commands of `tongdui`."""

from __future__ import annotations

from typing import Annotated

import typer

from . import _access, _events, _key, _listening, _members, _points, _raw, _receipts, _till
from ._command import group


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tongdui {version('tongdui')}")
        raise typer.Exit


_HELP = "Points of the Tongdui clearing network from a terminal: issue them, move them, watch them, check them."

app = group("tongdui", _HELP, completion=True)


@app.callback(help=_HELP)
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What `tongdui` takes without a command."""


for _group in (_access, _members, _points, _events, _listening, _raw, _receipts, _till, _key):
    _group.add_to(app)
