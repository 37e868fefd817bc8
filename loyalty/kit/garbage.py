"""Spares the garbage collector what a process loads at its start."""

from __future__ import annotations

import gc


def freeze_startup_objects() -> None:
    """Excludes everything that exists now from later collections.

    Modules, classes and schemas live as long as the process. Without this, every full collection walks through them again, and
    groups of sales make so many small objects that full collections are frequent. Call it when the process is ready to work.
    """
    gc.collect()
    gc.freeze()
