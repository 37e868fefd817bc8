"""What a process has loaded lives as long as it does, so the garbage collector need not look at it again and again."""

from __future__ import annotations

import gc


def freeze_startup_objects() -> None:
    """Leaves what is there now out of later collections: a group of sales makes so many objects that full ones are frequent."""
    gc.collect()
    gc.freeze()
