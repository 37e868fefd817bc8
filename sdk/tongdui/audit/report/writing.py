"""Writes the report's files where somebody wants them: each is whole, or is not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from ..findings import CannotCheck
from .document import Report
from .files import CSV_DIRECTORY, csv_files, report_json
from .page import page_name, pages_of
from .words import Language


@dataclass(frozen=True, slots=True)
class Rendered:
    """A report as files."""

    json: bytes
    pages: Mapping[str, bytes]
    """The page in each language, by its name in the JSON."""
    tables: Mapping[str, bytes]
    """The CSV files, by their names in the JSON."""

    def page(self, language: Language) -> bytes:
        """The page in a language."""
        return self.pages[page_name(language)]


def render(report: Report) -> Rendered:
    """Make all files of a report. The JSON names all of them, whichever are wanted, so it is always the same."""
    pages, tables = pages_of(report), csv_files(report)
    return Rendered(report_json(report, {**pages, **tables}), pages, tables)


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file from its pieces. One that was there stays until the new one is whole.

    Raises:
        CannotCheck: It cannot be written.
    """
    try:
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            written = Path(file.name)
            try:
                file.writelines(pieces)
                written.chmod(0o666 & ~_umask())
            except BaseException:
                written.unlink()
                raise
        written.replace(path)
    except OSError as error:
        raise CannotCheck(f"{path} cannot be written: {error.strerror}") from error


def _umask() -> int:
    """Which rights new files do not get, because temporary files have fewer. Asking for it means setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_tables(directory: Path, tables: Mapping[str, bytes]) -> None:
    """Write the CSV files into a new directory, or an empty one.

    Raises:
        CannotCheck: There is something in it already, or it cannot be written.
    """
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise CannotCheck(f"{directory} is there already and not empty; name a new directory for the CSV files")
        with TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}-") as name:
            written = Path(name) / CSV_DIRECTORY
            written.mkdir()
            for table, content in tables.items():
                (Path(name) / table).write_bytes(content)
            written.replace(directory)
    except OSError as error:
        raise CannotCheck(f"{directory} cannot be written: {error.strerror}") from error


def read_files(pages: Mapping[Language, Path], tables: Path | None) -> dict[str, bytes]:
    """Read what `signature.verify` compares with a report, by the names in its JSON.

    Raises:
        CannotCheck: One of them cannot be read.
    """
    wanted = {page_name(language): path for language, path in pages.items()}
    try:
        if tables is not None:
            if not tables.is_dir():
                raise CannotCheck(f"{tables} is no directory; name the one that `tongdui audit run --csv` has written")
            wanted |= {f"{CSV_DIRECTORY}/{path.name}": path for path in tables.iterdir()}
        return {name: path.read_bytes() for name, path in sorted(wanted.items())}
    except OSError as error:
        raise CannotCheck(f"{error.filename} cannot be read: {error.strerror}") from error
