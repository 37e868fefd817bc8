"""Arguments and options that several commands take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_POINTS = re.compile(r"[0-9]+", re.ASCII)
_MOST_POINTS = 2**64 - 1


def points(text: str) -> int:
    """Read a number of points. Raises BadParameter for what is not whole."""
    value = int(text) if _POINTS.fullmatch(text) and len(text) <= 20 else 0
    if not 1 <= value <= _MOST_POINTS:
        if _POINTS.fullmatch(text) and text.strip("0"):
            raise typer.BadParameter(f"{text!r} is more points than there can be")
        raise typer.BadParameter(f"{text!r} is not a whole number of points; write for example 200")
    return value


def url(text: str) -> str:
    """Read an URL. Raises BadParameter for what is none."""
    if not text.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{text!r} must begin with http:// or https://")
    from httpx import URL, InvalidURL

    try:
        read = URL(text)
    except InvalidURL as error:
        raise typer.BadParameter(f"{text!r} is no URL: {error}") from None
    if not read.host or not 0 < (read.port or 80) < 65_536:
        raise typer.BadParameter(f"{text!r} names no host and port, as http://localhost:3000 does")
    return text


def address(text: str) -> str:
    """Read an address of the chain. Raises BadParameter for what is none."""
    if not _ADDRESS.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not an address (0x and 40 hexadecimal digits)")
    return text


def member(text: str) -> str:
    """Read how a member is named: by its id, its address, or your own number with or without `external:`. Raises BadParameter."""
    if not text.removeprefix("external:"):
        raise typer.BadParameter("name a member: your own number for it, or its id (mem_...)")
    return text if text.startswith(("external:", "mem_")) or _ADDRESS.fullmatch(text) else f"external:{text}"


Points: TypeAlias = Annotated[int, typer.Argument(parser=points, metavar="POINTS", help="How many points.")]
Member: TypeAlias = Annotated[
    str, typer.Argument(parser=member, metavar="MEMBER", help="Your own number for the member, or its id (mem_...).")
]
Program: TypeAlias = Annotated[str, typer.Option("--program", metavar="CODE", help="The program, such as FUEL.")]
Types: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only events of this type (order.settled, exchange.*); repeatable."),
]
Timeout: TypeAlias = Annotated[
    float, typer.Option("--timeout", min=0, max=86_400, metavar="SECONDS", help="How long to wait for each order.")
]
ForwardTo: TypeAlias = Annotated[
    str, typer.Option("--forward-to", parser=url, metavar="URL", help="Where to send it: http://localhost:3000/hook")
]
Secret: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--secret", metavar="whsec_..", help="Sign with this secret. By default one that stays the same here."
    ),
]
PasswordFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="A file with the keystore's password on its first line. By default TONGDUI_KEYSTORE_PASSWORD, or you are asked.",
    ),
]
