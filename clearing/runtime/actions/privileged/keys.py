"""The key with which a privileged call is signed here."""

from __future__ import annotations

import sys
from getpass import getpass
from json import JSONDecodeError
from pathlib import Path

from clearing.kit.config import Settings
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.signer import LocalSigner, Signer
from clearing.oversight.calls.call import Power
from clearing.runtime.actions.privileged.options import Choices
from clearing.runtime.preflight.keys import open_role_keys
from clearing.runtime.preflight.refusal import CannotRun

_ROLE_KEYS = {Power.OWNER: "admin", Power.OPERATOR: "operator", Power.PAUSER: "pauser", Power.ANYONE: "operator"}


def signer_of(settings: Settings, power: Power, choices: Choices) -> Signer:
    """What signs the call: the role's own key, or that of --key-file."""
    if choices.key_file is not None:
        return LocalSigner(_opened(choices.key_file, choices.password_file))
    if power is Power.NEXT_OWNER:
        raise CannotRun("--key-file: is missing; the ownership is accepted with the key of the next owner")
    role = _ROLE_KEYS[power]
    return open_role_keys(settings, [role]).signer(role)


def _opened(path: Path, password_file: Path | None) -> bytes:
    try:
        keystore = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CannotRun(f"--key-file: there is no file {path}") from None
    password = _password(path, password_file)
    try:
        return Keyring(password).private_key(keystore)
    except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise CannotRun(f"--key-file: {path} is not a key file (Ethereum keystore, V3)") from None
    except ValueError:
        where = "--password-file" if password_file is not None else "--key-file"
        raise CannotRun(f"{where}: the password does not open {path}") from None


def _password(path: Path, password_file: Path | None) -> str:
    if password_file is not None:
        return first_line(password_file)
    if not sys.stdin.isatty():
        raise CannotRun(f"--password-file: is missing, and there is no terminal to ask for the password of {path}")
    return getpass(f"Password for {path}: ")


def first_line(file: Path) -> str:
    """The password in a file: its first line, as `tongdui` reads it too, so that one file opens the keystore everywhere."""
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise CannotRun(f"--password-file: {file} is not text in UTF-8") from None
