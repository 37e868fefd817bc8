"""The texts of what customers can agree to, as a file has them. A changed text has another version, and is agreed to anew.

[marketing]
version = "2026-11"
title = {en = "Offers", zh = "优惠信息"}
text = {en = "You may send me offers.", zh = "我同意接收优惠信息。"}
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loyalty.kit.settings import WrongSettings

_SETTING: Final = "LOYALTY_CONSENTS_FILE"
_WORD: Final = r"[A-Za-z0-9._-]{1,40}"
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class Said(BaseModel):
    """A text in both languages."""

    model_config = _STRICT

    en: Annotated[str, Field(min_length=1, max_length=4_000)]
    zh: Annotated[str, Field(min_length=1, max_length=4_000)]


class ConsentText(BaseModel):
    """What customers can agree to for one purpose."""

    model_config = _STRICT

    purpose: Annotated[str, Field(pattern=f"^{_WORD}$")]
    version: Annotated[str, Field(pattern=f"^{_WORD}$")]
    title: Said
    text: Said


def consent_texts(path: Path | None) -> tuple[ConsentText, ...]:
    """The texts of a file, in its order; none without one. Raises WrongSettings, which names what is at fault."""
    if path is None:
        return ()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongSettings(f"{_SETTING}: {path}: {error}") from None
    return tuple(_text_of(purpose, found) for purpose, found in content.items())


def _text_of(purpose: str, found: object) -> ConsentText:
    if not re.fullmatch(_WORD, purpose):
        raise WrongSettings(f"{_SETTING}: {purpose!r} is no purpose: use at most 40 letters, digits, dots, - and _")
    if not isinstance(found, dict):
        raise WrongSettings(
            f"{_SETTING}: {purpose} is no table: write [{purpose}], and version, title and text below it"
        )
    try:
        return ConsentText.model_validate({"purpose": purpose, **found})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([purpose, *map(str, first["loc"])])
        raise WrongSettings(f"{_SETTING}: {place}: {first['msg']}") from None
