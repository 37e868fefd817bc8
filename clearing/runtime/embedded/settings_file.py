"""The file with the settings of a network of `clearing up`: the commands that one runs beside it find it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clearing.kit.config import ENV_FILE, variable
from clearing.runtime.embedded import DIRECTORY
from clearing.runtime.embedded.whole_file import write_whole

SETTINGS_FILE = "network.env"


def write_settings(path: Path, variables: Mapping[str, str]) -> None:
    """Writes the file as a whole; only its owner may read it, because it holds the password of the keys."""
    lines = [f"{name}={_quoted(value)}\n" for name, value in variables.items()]
    write_whole(path, "".join(lines).encode())


def use_network_here() -> None:
    """Has this command use the network in the working directory, unless the environment names another one."""
    here = DIRECTORY / SETTINGS_FILE
    if ENV_FILE not in os.environ and variable("database_url") not in os.environ and here.is_file():
        os.environ[ENV_FILE] = str(here)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
