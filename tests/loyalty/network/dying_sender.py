"""A sender that dies: `python -m tests.loyalty.network.dying_sender STEP WHEN`, with the settings of the environment.

STEP is a step of the sender, WHEN is `before` or `after`. The process ends with `os._exit`, so nothing is tidied up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import loyalty.models  # noqa: F401 (all tables)
from loyalty.kit.database import Database
from loyalty.kit.settings import load_settings
from loyalty.network.client import network_client
from loyalty.network.sender import Sender

DIED = 77
STEPS = ("take", "prepare", "keep_signed", "submit", "keep_accepted", "book")


def dying(step: Callable[..., Any], when: str) -> Callable[..., Any]:
    """The step, before or after which the process dies."""

    def died(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            os._exit(DIED)
        result = step(*arguments, **named)
        if result is not None or step.__name__ != "take":  # to take nothing is no step
            os._exit(DIED)
        return result

    return died


def main(name: str, when: str) -> None:
    settings = load_settings()
    database = Database(settings.database_url)
    with network_client(settings) as client:
        sender = Sender(database, client, settings)
        owner: Any = sender.orders if hasattr(sender.orders, name) else sender
        setattr(owner, name, dying(getattr(owner, name), when))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not sender.step():
                time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
