"""The keystore file of a merchant's new key."""

from __future__ import annotations

import json
import re
import sys
from getpass import getpass
from pathlib import Path

from clearing.runtime.actions.privileged.keys import first_line
from clearing.runtime.preflight.refusal import CannotRun
from tongdui import LocalSigner

_ADDRESS = re.compile(r"(0x)?([0-9a-fA-F]{40})")


def address_in(path: Path, password_file: Path | None) -> str:
    """The address of the key in the keystore file; makes the file if there is none."""
    if path.exists():
        return _address(path)
    if not path.absolute().parent.is_dir():
        raise CannotRun(f"--new-key: there is no directory {path.absolute().parent}")
    signer = LocalSigner.generate()
    signer.save_keystore(path, _password(path, password_file))
    return signer.address


def _address(path: Path) -> str:
    """The address that the file says; its key stays closed."""
    try:
        found = _ADDRESS.fullmatch(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (ValueError, KeyError, TypeError):
        found = None
    if found is None:
        raise CannotRun(f"--new-key: {path} is there and is no keystore file; name another file")
    return f"0x{found[2].lower()}"


def _password(path: Path, password_file: Path | None) -> str:
    if password_file is not None:
        password = first_line(password_file)
    elif sys.stdin.isatty():
        password = getpass(f"Password for {path}: ")
        if getpass("Again: ") != password:
            raise CannotRun("--new-key: the two passwords differ")
    else:
        raise CannotRun("--new-key: there is no terminal to ask for a password; name a file with --password-file")
    if not password:
        raise CannotRun(f"--new-key: the password of {path} is empty")
    return password
