"""Profiles: who you are at which gateway, in a file that only you can read. Passwords of keystores are never in it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ._outcomes import WrongUseError

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A gateway and your key there. Each field is what the variable `TONGDUI_<FIELD>` would say."""

    url: str
    api_key: str
    keystore: str | None = None
    nonce_file: str | None = None
    contract: str | None = None
    chain_id: str | None = None
    rpc_url: str | None = None

    def variables(self) -> dict[str, str]:
        """The profile as environment variables."""
        return {f"TONGDUI_{name.upper()}": value for name, value in asdict(self).items() if value is not None}


def directory() -> Path:
    """Where the command keeps its files: `$XDG_CONFIG_HOME/tongdui`, by default `~/.config/tongdui`."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "tongdui"


def profiles_file() -> Path:
    """The file with all profiles."""
    return directory() / "profiles.json"


def read_profiles() -> dict[str, Profile]:
    """Read all profiles; none if there is no file.

    Returns:
        The profiles by name.

    Raises:
        WrongUseError: The file is not one of ours, or others can read it.
    """
    path = profiles_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    _require_private(path)
    try:
        return {name: _profile(values) for name, values in json.loads(text)["profiles"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise WrongUseError(f"{path} is not a file of profiles ({error}): remove it, and log in again") from error


def write_profiles(profiles: Mapping[str, Profile]) -> Path:
    """Replace the file with these profiles, all at once. Returns its path."""
    document = {name: _given(profile) for name, profile in profiles.items()}
    return write_private(profiles_file(), json.dumps({"profiles": document}, indent=2, ensure_ascii=False) + "\n")


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read: whole, or not at all. Returns the path."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return path


@contextmanager
def changing_profiles() -> Iterator[dict[str, Profile]]:
    """Read the profiles, let the caller change them, and write them. Two commands at once do so one after the other."""
    lock = directory() / "lock"
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        profiles = read_profiles()
        yield profiles
        write_profiles(profiles)


def _require_private(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise WrongUseError(f"{path} holds API keys, and others can read it: run `chmod 600 {path}`")


def _profile(values: Mapping[str, str]) -> Profile:
    names = {field.name for field in fields(Profile)}
    if unknown := set(values) - names:
        raise ValueError(f"it has {', '.join(sorted(unknown))}")
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError("it has a value that is no text")
    return Profile(**values)


def _given(profile: Profile) -> dict[str, str]:
    return {name: value for name, value in asdict(profile).items() if value is not None}
