"""A listener that is killed at a message: `python -m tests.loyalty.mqtt.dying_listener WHEN`, with the settings of the environment.

WHEN is `before` (all is written, nothing committed) or `after` (committed, and not acknowledged).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import loyalty.models  # noqa: F401 (all tables)
from loyalty.kit.database import Database
from loyalty.kit.settings import load_settings
from loyalty.mqtt.listener import Listener
from loyalty.mqtt.service import DeviceMessageService


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(when: str) -> None:
    settings = load_settings()
    listener = Listener(Database(settings.database_url), settings)
    if when == "before":
        take = DeviceMessageService.take

        def dying(self: DeviceMessageService, topic: str, payload: bytes) -> None:
            take(self, topic, payload)
            die()

        DeviceMessageService.take = dying  # type: ignore[method-assign, assignment]
    else:
        listener.client.ack = die  # type: ignore[method-assign, assignment]
    listener.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
