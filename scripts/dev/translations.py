"""Keeps the catalogues of pages/, console/ and loyalty/ in step with their texts: `--check` refuses what is untranslated,
stale or fuzzy, and text in a template that nobody can translate.

A folder's texts stand in its own zh.po, except those that a shared folder above it has already.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from pages.translations import load_catalogues
from scripts.dev.template_texts import untranslated_texts

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / "pages", ROOT / "console")
"""Their texts are everybody's in the console. The first comes first."""
PROGRAMME = tuple(ROOT / "loyalty" / name for name in ("web", "pages", "customer_pages"))
"""Pages without the console: of the shared texts they have those of the first folder only, and of the programme's own those of its
first. Staff and customers have nothing else in common."""
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "extensions": "jinja2.ext.do,jinja2.ext.loopcontrols"}}
_SPOKEN_BY = {ROOT / "console/settlement": ROOT / "sdk/tongdui/bank"}
"""The SDK speaks English only: whose pages translate which part of it."""
_KEYWORDS = {
    "_": None,
    "BankFileError": None,
    "lazy": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
_WIDTH = 132


def folders() -> list[Path]:
    """Every folder with a catalogue of its own: the shared ones, and each page's."""
    pages = {path.parents[1] for path in (ROOT / "console").glob("*/templates/*.html")}
    pages |= {path.parent for path in (ROOT / "console").glob("*/routes.py")}
    return [*SHARED, *PROGRAMME, *sorted(pages)]


def texts_of(folder: Path, below: set[Path]) -> Catalog:
    """The texts of a folder, without those of folders below it that have their own catalogue."""
    catalogue = Catalog(locale="zh")
    for source in filter(None, (folder, _SPOKEN_BY.get(folder))):
        found = extract_from_dir(source, _METHODS, _OPTIONS, keywords=_KEYWORDS, comment_tags=("Translators:",))
        for name, _line, message, comments, context in found:
            path = source / name
            if any(path.is_relative_to(other) for other in below):
                continue
            places = [(str(path.relative_to(ROOT)), 0)]
            catalogue.add(message, locations=places, auto_comments=comments, context=context)
    return catalogue


def wanted() -> dict[Path, Catalog]:
    """What each catalogue should hold, without translations."""
    all_folders = folders()
    found: dict[Path, Catalog] = {}
    shared: set[object] = set()
    programmes: set[object] = set()
    for folder in all_folders:
        below = {other for other in all_folders if other != folder and other.is_relative_to(folder)}
        catalogue = texts_of(folder, below)
        known = programmes if folder in PROGRAMME else shared
        for message in [one for one in catalogue if one.id and _key(one) in known]:
            catalogue.delete(message.id, message.context)
        found[folder] = catalogue
        if folder in SHARED:
            shared |= {_key(one) for one in catalogue if one.id}
        if folder in (SHARED[0], PROGRAMME[0]):
            programmes |= {_key(one) for one in catalogue if one.id}
    return found


def _key(message: Message) -> tuple[object, str | None]:
    return (message.id, message.context)


def present(folder: Path) -> Catalog:
    """The folder's catalogue as it is."""
    path = folder / "zh.po"
    if not path.exists():
        return Catalog(locale="zh")
    with path.open("rb") as file:
        return read_po(file, locale="zh")


def write(folder: Path, texts: Catalog) -> None:
    """Writes the folder's catalogue: its texts of now, with the translations that there are."""
    known = {_key(message): message for message in present(folder) if message.id}
    for message in texts:
        if message.id and (old := known.get(_key(message))) is not None:
            message.string = old.string
            message.flags = {flag for flag in old.flags if flag != "fuzzy"} | set(message.flags)
    if not len(texts):
        return
    with (folder / "zh.po").open("wb") as file:
        write_po(file, texts, width=_WIDTH, omit_header=True, sort_output=True, include_lineno=False)


def mistakes(folder: Path, texts: Catalog) -> Iterator[str]:
    """What is wrong with the folder's catalogue and templates."""
    have = {_key(message): message for message in present(folder) if message.id}
    name = folder.relative_to(ROOT) / "zh.po"
    for message in texts:
        if not message.id:
            continue
        found = have.pop(_key(message), None)
        if found is None or not _is_complete(found):
            yield f"{name}: not translated: {message.id!r}"
        elif found.fuzzy:
            yield f"{name}: is the translation right (fuzzy)? {message.id!r}"
        else:
            yield from (f"{name}: {error} {message.id!r}" for error in _placeholder_errors(found, message))
    yield from (f"{name}: stale, no page says this any more: {key[0]!r}" for key in have)


def _is_complete(message: Message) -> bool:
    strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return bool(strings) and all(strings)


def _placeholder_errors(found: Message, wanted_message: Message) -> Iterator[str]:
    found.flags |= wanted_message.flags
    for error in found.check():
        yield f"{error}:"


def main() -> int:
    """Writes the catalogues, or checks them; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is wrong")
    chosen = parser.parse_args()
    found: list[str] = []
    for folder, texts in wanted().items():
        if not chosen.check:
            write(folder, texts)
        found += mistakes(folder, texts)
    try:
        load_catalogues(folders())
    except ValueError as error:  # one text with two translations
        found.append(str(error))
    for package in (*SHARED, *PROGRAMME):
        for template in sorted(package.rglob("templates/**/*.html")):
            source = template.read_text(encoding="utf-8")
            found += [
                f"{template.relative_to(ROOT)}:{line}: text that nobody can translate: {text!r}"
                for line, text in untranslated_texts(source)
            ]
    for line in found:
        print(line)
    if found and chosen.check:
        print("`make translations` writes the catalogues anew; then fill in what is empty.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
