"""Writes a file as a whole or not at all: a process that is killed meanwhile leaves what was there before."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Writes the file; only its owner may read it. What a killed process has left of a draft goes first."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)
