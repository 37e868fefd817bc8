"""Where actions write: tables for people, JSON for programs; and who acts."""

from __future__ import annotations

import getpass
import json
import sys
from typing import Any

from rich.console import Console

console = Console()

DIFFERS = 1
"""Exit code of a command that found something wrong."""


def write_json(content: dict[str, Any]) -> None:
    """Writes JSON without colours or wrapping, so that it can be piped."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def actor() -> str:
    """Who runs the command, for the events that it records."""
    return f"cli:{getpass.getuser()}"[:40]
