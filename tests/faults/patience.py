"""How long a test waits: until nothing has changed any more, not so many seconds. A busy machine is slow, but it gets on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LOOKS = 1_000
"""So often somebody looks before asking whether anything has changed."""
SECONDS = 60.0
"""So long a standstill takes at the least: a quick machine is done with its looks before a database has started."""


class Patience:
    """The patience of somebody who waits until `what` is true, and looks again and again."""

    def __init__(self, what: str, progress: Callable[[], Any]) -> None:
        self._what = what
        self._progress = progress
        """What changes while it gets on. It is seldom asked, because asking takes steps, too."""
        self._seen: Any = None
        self._looks = 0
        self._since = time.monotonic()

    def look(self) -> None:
        """Raises TimeoutError where nothing has changed in very many looks."""
        self._looks += 1
        if self._looks < LOOKS or time.monotonic() - self._since < SECONDS:
            return
        seen = self._progress()
        if seen == self._seen:
            raise TimeoutError(f"not yet {self._what}, and nothing has changed in {self._looks} looks: {seen}")
        self._seen, self._looks, self._since = seen, 0, time.monotonic()
