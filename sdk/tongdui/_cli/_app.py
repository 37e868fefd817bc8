"""All commands of `tongdui`."""

from __future__ import annotations

from typing import Annotated

import typer

from . import (
    _access,
    _api_keys,
    _approvals,
    _audit,
    _entries,
    _events,
    _key,
    _listening,
    _members,
    _points,
    _raw,
    _receipts,
    _till,
)
from ._command import group

_HELP = "Points of the Tongdui clearing network from a terminal: issue them, move them, watch them, check them."

app = group("tongdui", _HELP)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tongdui {version('tongdui')}")
        raise typer.Exit


def _install_completion(context: typer.Context, wanted: bool) -> None:
    if wanted:
        from typer.completion import install_callback

        install_callback(context, None, wanted)  # type: ignore[arg-type]


def _show_completion(context: typer.Context, wanted: bool) -> None:
    if wanted:
        from typer.completion import show_callback

        show_callback(context, None, wanted)  # type: ignore[arg-type]


# typer's own options of this kind have no default, so that it would load pydantic before every command.
@app.callback(help=_HELP)
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    install: Annotated[
        bool,
        typer.Option("--install-completion", callback=_install_completion, help="Install completion for your shell."),
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--show-completion", callback=_show_completion, help="Print what --install-completion installs."),
    ] = False,
) -> None:
    """What `tongdui` takes without a command."""


for _group in (
    *(_access, _api_keys, _approvals, _members, _points, _entries, _events, _listening),
    *(_raw, _receipts, _audit, _till, _key),
):
    _group.add_to(app)
