"""The files that an audit writes: all of them appear, or none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tongdui._whole_file import replacing

from ._outcomes import WrongUseError


def require_room(files: Iterable[Path], directories: Iterable[Path], *, force: bool) -> None:
    """Checks that files can be written later.

    Args:
        files: Files that must not exist, in directories that do.
        directories: Directories that must be empty, or not exist.
        force: Whether what exists may be overwritten.

    Raises:
        WrongUseError: They cannot.
    """
    for path in files:
        if not path.absolute().parent.is_dir():
            raise WrongUseError(f"{path}: there is no such directory; make it first")
        if path.is_dir():
            raise WrongUseError(f"{path} is a directory; name a file in it")
        if path.exists() and not force:
            raise WrongUseError(f"{path} exists already; name another file, or say --force to overwrite it")
    for path in directories:
        if path.exists() and not path.is_dir():
            raise WrongUseError(f"{path} is not a directory")
        if not path.absolute().parent.is_dir():
            raise WrongUseError(f"{path}: there is no directory to make it in")
        if path.is_dir() and any(path.iterdir()) and not force:
            raise WrongUseError(f"{path} is not empty; name another directory, or say --force to overwrite files in it")


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Writes files: first all of them beside their places, then each to its place. A fault before that leaves nothing."""
    with ExitStack() as files:
        for path, content in contents.items():
            path.parent.mkdir(exist_ok=True)
            file = files.enter_context(replacing(path))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # so that a full disk is met before any of them has its name
