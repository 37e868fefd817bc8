"""Keys that sign orders: key new, key replace."""

from __future__ import annotations

import json
import secrets
import time
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from ._arguments import PasswordFile
from ._command import command, group
from ._outcomes import GOOD, WrongUseError
from ._session import Session, can_ask, known_password, opened_keystore

_DAY = 86_400
_FOREVER = 2**40 - 1
_UNUSED_NONCES = 2**40
"""So many of the highest nonces are left to key changes: no order ever gets there."""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    keys = group("key", "Make and replace keys that sign orders.")
    command(keys, "new")(new)
    command(keys, "replace")(replace)
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


def replace(
    session: Session,
    new_keystore: Annotated[Path, typer.Argument(metavar="FILE", help="The keystore of the new key.")],
    merchant: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Your number on the chain.")],
    overlap: Annotated[
        int, typer.Option(metavar="SECONDS", min=0, help="For so long the present key stays valid; 0: it ends at once.")
    ] = _DAY,
    password_file: PasswordFile = None,
    new_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with the new keystore's password.")
    ] = None,
) -> int:
    """Sign that a new key takes the place of the one that signs now, and print that as JSON. Nothing is sent.

    Whoever has the output can bring it to the chain, as the operator with `clearing merchant change-signer`; nobody can change it.
    """
    variables = session.variables()
    for name in ("TONGDUI_KEYSTORE", "TONGDUI_CONTRACT", "TONGDUI_CHAIN_ID"):
        if not variables.get(name):
            raise WrongUseError(f"{name} is not set; `tongdui login --keystore FILE` remembers it")
    present = opened_keystore(variables["TONGDUI_KEYSTORE"], password_file)
    new_one = opened_keystore(str(new_keystore), new_password_file)
    if new_one.address == present.address:
        raise WrongUseError(f"{new_keystore} has the key that signs now; `tongdui key new` makes another one")
    from tongdui.encoding import hex_of
    from tongdui.orders import NONCE_MAX, Domain, full_signature, signer_change_digest

    domain = Domain(int(variables["TONGDUI_CHAIN_ID"]), variables["TONGDUI_CONTRACT"])
    nonce = NONCE_MAX - secrets.randbelow(_UNUSED_NONCES)
    changes = []
    for number, key, until in (
        (nonce, new_one, _FOREVER),
        (nonce - 1, present, int(time.time()) + overlap),
    ):
        digest = signer_change_digest(domain, merchant, key.address, 0, until, number)
        by_key = hex_of(full_signature(key.sign(digest))) if key is new_one else "0x"
        changes.append(
            {
                "key": key.address,
                "valid_from": 0,
                "valid_until": until,
                "nonce": number,
                "signature": hex_of(full_signature(present.sign(digest))),
                "key_signature": by_key,
            }
        )
    document = {"merchant": merchant, "contract": domain.contract, "changes": changes}
    session.out.document(document)
    session.out.lines(json.dumps(document, indent=2))
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
