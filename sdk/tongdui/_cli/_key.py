"""Keys that sign orders: key new."""

from __future__ import annotations

from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from ._arguments import PasswordFile
from ._command import command, group
from ._outcomes import GOOD, WrongUseError
from ._session import Session, can_ask, known_password


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    keys = group("key", "Make keys that sign orders.")
    command(keys, "new")(new)
    app.add_typer(keys)


def new(
    session: Session,
    keystore: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; an existing one is never overwritten.")
    ],
    password_file: PasswordFile = None,
) -> int:
    """Make a key, write it to an encrypted file, print its address. The operator registers the address."""
    if keystore.exists():
        raise WrongUseError(f"{keystore} exists already, and may be the only copy of a key")
    if not keystore.absolute().parent.is_dir():
        raise WrongUseError(f"{keystore}: there is no such directory")
    password = _new_password(keystore, password_file)
    from tongdui._signing import LocalSigner

    signer = LocalSigner.generate()
    signer.save_keystore(keystore, password)
    session.out.document({"address": signer.address, "keystore": str(keystore)})
    session.out.lines(signer.address)
    return GOOD


def _new_password(keystore: Path, password_file: Path | None) -> str:
    password = known_password(password_file)
    if password is None and can_ask():
        password = getpass(f"Password for {keystore}: ")
        if password and getpass("Again: ") != password:
            raise WrongUseError("the two passwords differ, so no key was made")
    if password is None:
        raise WrongUseError(
            "there is no terminal to ask for a password at: give --password-file, or set TONGDUI_KEYSTORE_PASSWORD"
        )
    if not password:
        raise WrongUseError(
            "a keystore needs a password: type one, give --password-file, or set TONGDUI_KEYSTORE_PASSWORD"
        )
    return password
