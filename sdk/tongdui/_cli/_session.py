"""One run of a command: who it acts for, and how it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tongdui._errors import APIConnectionError

from ._outcomes import WrongUseError
from ._output import Output
from ._profiles import DEFAULT, Profile, directory, read_profiles

if TYPE_CHECKING:
    from tongdui._client import Client
    from tongdui._signing import LocalSigner


class Session:
    """Settings and output of one command. Environment variables win over the profile."""

    def __init__(self, *, as_json: bool, profile: str | None) -> None:
        self.out = Output(as_json=as_json)
        if profile == "":  # an unset variable of a script must not act for somebody else
            raise WrongUseError("--profile is empty: name a profile, or leave the option out")
        self.profile_name = profile or DEFAULT
        self._named = profile is not None

    def profile(self) -> Profile | None:
        """The chosen profile, or None where nobody has logged in. Raises WrongUseError for a name that there is not."""
        profiles = read_profiles()
        if self._named and self.profile_name not in profiles:
            from ._suggestions import did_you_mean

            near = did_you_mean(self.profile_name, profiles)
            raise WrongUseError(
                f"there is no profile {self.profile_name}{near}; `tongdui login --profile {self.profile_name}` makes one"
            )
        return profiles.get(self.profile_name)

    def variables(self) -> dict[str, str]:
        """The settings as the SDK reads them from the environment.

        Everything in a profile belongs to its gateway: where TONGDUI_URL names another one, nothing of the profile is
        used, so that no key ever goes to a gateway that it is not for.
        """
        own = {name: value for name, value in os.environ.items() if name.startswith("TONGDUI_") and value}
        profile = self.profile()
        if profile is None or own.get("TONGDUI_URL", profile.url).rstrip("/") != profile.url.rstrip("/"):
            return own
        return {**profile.variables(), **own}

    @contextmanager
    def client(self, *, signs: bool = False, password_file: Path | None = None, **options: Any) -> Iterator[Client]:
        """Open a client.

        Args:
            signs: Whether the command signs orders; then the keystore is opened, if there is one.
            password_file: The file with the keystore's password.
            options: Arguments of the client.

        Yields:
            The client.

        Raises:
            WrongUseError: A setting is missing.
            ValueError: A setting is wrong.
            SigningError: The keystore does not open.
        """
        from tongdui._client import Client
        from tongdui._environment import client_arguments

        variables = self.variables()
        if not variables.get("TONGDUI_URL"):
            raise WrongUseError("TONGDUI_URL is not set: where is the gateway? `tongdui login` remembers it")
        if signs and variables.get("TONGDUI_KEYSTORE"):
            variables["TONGDUI_KEYSTORE_PASSWORD"] = _password(variables["TONGDUI_KEYSTORE"], password_file)
            # A later process that is given the same --idempotency-key must sign the same order.
            options.setdefault("nonce_file", variables.get("TONGDUI_NONCE_FILE") or directory() / "nonces.sqlite")
        elif not signs:
            options["signer"] = None
        arguments = client_arguments(variables, options)
        if not arguments["api_key"]:
            raise WrongUseError("TONGDUI_API_KEY is not set: who are you? `tongdui login` remembers it")
        if arguments["signer"] is not None:
            directory().mkdir(mode=0o700, parents=True, exist_ok=True)
        # A process signs one order: what it leases beyond that would be lost.
        with Client(**{"nonce_block": 1, **arguments}) as client:
            try:
                yield client
            except APIConnectionError as error:
                error.add_note(f"the gateway is at {variables['TONGDUI_URL']}: does it run there?")
                raise


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def text_in(file: Path) -> str:
    """The text in a file. Raises WrongUseError for what is no UTF-8, OSError for what cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WrongUseError(f"{file} is not text in UTF-8 (byte {error.start + 1})") from None


def known_password(password_file: Path | None) -> str | None:
    """The password that a file or TONGDUI_KEYSTORE_PASSWORD says, or None.

    Raises:
        WrongUseError: The file's first line is empty.
        OSError: The file cannot be read.
    """
    if password_file is None:
        return os.environ.get("TONGDUI_KEYSTORE_PASSWORD")
    first = text_in(password_file).partition("\n")[0].rstrip("\r")
    if not first:
        raise WrongUseError(f"{password_file}: its first line, the password, is empty")
    return first


def opened_keystore(keystore: str, password_file: Path | None) -> LocalSigner:
    """The key in a keystore. Raises WrongUseError without a password, SigningError where it does not open."""
    from tongdui._signing import LocalSigner

    return LocalSigner.from_keystore(keystore, _password(keystore, password_file))


def _password(keystore: str, password_file: Path | None) -> str:
    password = known_password(password_file)
    if password is None and can_ask():
        password = getpass(f"Password for {keystore}: ")
    if password is None:
        raise WrongUseError(
            "TONGDUI_KEYSTORE_PASSWORD is not set: TONGDUI_KEYSTORE cannot be opened without it; set it, give "
            "--password-file, or run the command in a terminal"
        )
    return password
