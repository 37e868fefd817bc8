"""Texts in the language of the request. English is the key of a message; Chinese stands in the `zh.po` of each folder of pages.

The catalogues are read as they stand, so nothing needs to be compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import LazyProxy, NullTranslations, Translations

from pages.presentation import presentation

LANGUAGES = {"zh": "中文", "en": "English"}
"""What a person can choose, each in its own words. The first is the default."""
DEFAULT_LANGUAGE = "zh"
CATALOGUE = "zh.po"

Text = str | LazyProxy
"""A text, or one that is translated when it is shown."""

_catalogues: dict[Path, Catalog] = {}
_translations: dict[str, NullTranslations] = {"en": NullTranslations(), "zh": NullTranslations()}


def load_catalogues(folders: Iterable[Path]) -> None:
    """Adds the catalogues of these folders to what is translated. Loading one twice does no harm."""
    for folder in folders:
        path = folder / CATALOGUE
        if path in _catalogues or not path.exists():
            continue
        with path.open("rb") as file:
            _catalogues[path] = read_po(file, locale="zh")
        _refuse_two_meanings(_catalogues)
        _translations["zh"] = _merged(_catalogues.values())


def _merged(catalogues: Iterable[Catalog]) -> Translations:
    merged: Translations | None = None
    for catalogue in catalogues:
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        one = Translations(compiled)
        merged = one if merged is None else merged.merge(one)
    assert merged is not None, "there is a catalogue whenever this is called"
    return merged


def _refuse_two_meanings(catalogues: Mapping[Path, Catalog]) -> None:
    """All folders share their messages, so one that had two translations would be shown in the wrong one somewhere."""
    known: dict[tuple[object, object], tuple[object, Path]] = {}
    for path, catalogue in catalogues.items():
        for message in catalogue:
            key = (message.context, str(message.id))
            translation, first = known.setdefault(key, (message.string, path))
            if message.id and translation != message.string:
                raise ValueError(f"{message.id!r} is {translation!r} in {first}, and {message.string!r} in {path}")


def gettext(message: str) -> str:
    """The message in the language of the request."""
    return str(_translations[presentation().language].gettext(message))


def ngettext(one: str, many: str, number: int) -> str:
    """The message for so many things, in the language of the request."""
    return str(_translations[presentation().language].ngettext(one, many, number))


def pgettext(context: str, message: str) -> str:
    """The message in the language of the request, where the same English words mean different things."""
    return str(_translations[presentation().language].pgettext(context, message))


def lazy(message: str) -> LazyProxy:
    """A message that is translated when it is shown: for what stands at the top of a module."""
    return LazyProxy(gettext, message, enable_cache=False)


def chosen_language(asked: str | None, accepted: str | None) -> str:
    """The language of a page: what was asked for, else the best of an Accept-Language header, else Chinese."""
    if asked in LANGUAGES:
        return str(asked)
    weighed: list[tuple[float, str]] = []
    for place, part in enumerate((accepted or "").split(",")):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().partition("-")[0].lower()
        if language in LANGUAGES and (weight := _weight(parameters)) > 0:
            weighed.append((-weight + place / 1_000, language))
    return min(weighed)[1] if weighed else DEFAULT_LANGUAGE


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
