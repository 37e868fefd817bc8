"""What an issuer has to say about its points, because the chain does not know it: a TOML file.

```toml
[[program]]
code = "FUEL"                  # as on the chain
point_value = "0.01"           # what a point is worth to who redeems it, in the settlement currency
sales_per_point = "0.10"       # goods sold for each point that is issued; leave it out if points are given without a sale
expected_redemption = "97/100" # or "97%", or "estimate": from the program's own history

[[program.change]]             # a later estimate
from = 2026-07-01
expected_redemption = "99/100"
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..._amounts import yuan
from ..findings import CannotCheck

ESTIMATE = "estimate"
_RATIO = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?%|(\d{1,9})/(\d{1,9})|([01])(?:\.(\d{1,9}))?", re.ASCII)
_KEYS = ("code", "point_value", "sales_per_point", "expected_redemption", "change")
_CHANGE_KEYS = ("from", "expected_redemption")

Expectation = Fraction | None
"""Share of points that are redeemed in the end; None is estimated from history."""


@dataclass(frozen=True, slots=True)
class ProgramTerms:
    """What the issuer says of one program."""

    code: str
    point_value: int
    """Micros."""
    sales_per_point: int | None
    """Micros; None where points are given without a sale."""
    expectations: tuple[tuple[int, Expectation], ...]
    """From which day on which estimate holds, the first from day 0."""

    def expectation(self, day: int) -> Expectation:
        """The estimate that holds on a day (since 1970-01-01)."""
        return next(expected for start, expected in reversed(self.expectations) if start <= day)


def read_settings(path: Path) -> dict[str, ProgramTerms]:
    """Read a settings file.

    Returns:
        The terms by the program's code.

    Raises:
        CannotCheck: The file cannot be read, or a field is missing, unknown or wrong; the message names it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotCheck(f"{path} is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise CannotCheck(f"{path} is not TOML: {error}") from error
    try:
        return _settings(document)
    except _WrongFieldError as error:
        raise CannotCheck(f"{path}: {error}") from error


class _WrongFieldError(Exception):
    """A field, and what is wrong with it."""


def _settings(document: Mapping[str, Any]) -> dict[str, ProgramTerms]:
    _require_known(document, ("program",), "")
    programs = document.get("program")
    if not isinstance(programs, list) or not programs:
        raise _WrongFieldError("there is no [[program]]; write one for each program to value")
    found: dict[str, ProgramTerms] = {}
    for position, fields in enumerate(programs):
        terms = _terms(fields, f"program[{position}]")
        if terms.code in found:
            raise _WrongFieldError(f"program[{position}].code: {terms.code!r} was there before; keep one of the two")
        found[terms.code] = terms
    return found


def _terms(fields: Any, where: str) -> ProgramTerms:
    if not isinstance(fields, dict):
        raise _WrongFieldError(f"{where} is no table; begin it with [[program]]")
    _require_known(fields, _KEYS, f"{where}.")
    code = fields.get("code")
    if not isinstance(code, str) or not code:
        raise _WrongFieldError(f'{where}.code: write the program\'s code as on the chain, such as "FUEL"')
    where = f"{where} ({code})"
    if "point_value" not in fields:
        raise _WrongFieldError(f'{where}.point_value is missing: what a point is worth, such as "0.01"')
    return ProgramTerms(
        code,
        _money(fields["point_value"], f"{where}.point_value"),
        _money(fields["sales_per_point"], f"{where}.sales_per_point") if "sales_per_point" in fields else None,
        _expectations(fields, where),
    )


def _expectations(fields: Mapping[str, Any], where: str) -> tuple[tuple[int, Expectation], ...]:
    """The first estimate and its changes, which must be in order."""
    found = [(0, _expectation(fields, where))]
    changes = fields.get("change", [])
    if not isinstance(changes, list):
        raise _WrongFieldError(f"{where}.change is no list; begin each change with [[program.change]]")
    for position, change in enumerate(changes):
        place = f"{where}.change[{position}]"
        if not isinstance(change, dict):
            raise _WrongFieldError(f"{place} is no table; begin it with [[program.change]]")
        _require_known(change, _CHANGE_KEYS, f"{place}.")
        start = change.get("from")
        if type(start) is not date:
            raise _WrongFieldError(f"{place}.from: write a day without quotes, such as 2026-07-01")
        day = (start - date(1970, 1, 1)).days
        if day <= found[-1][0]:
            raise _WrongFieldError(f"{place}.from: {start} is not after the change before it; write changes in order")
        found.append((day, _expectation(change, place)))
    return tuple(found)


def _expectation(fields: Mapping[str, Any], where: str) -> Expectation:
    text = fields.get("expected_redemption")
    advice = 'write "97%", "97/100", "0.97" or "estimate", with the quotes'
    if text is None:
        raise _WrongFieldError(f"{where}.expected_redemption is missing: {advice}")
    if text == ESTIMATE:
        return None
    match = _RATIO.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _WrongFieldError(f"{where}.expected_redemption: {text!r} is not a share; {advice}")
    share = _share(match)
    if share is None or share > 1:
        raise _WrongFieldError(f"{where}.expected_redemption: {text} is not from 0 to 1; {advice}")
    return share


def _share(match: re.Match[str]) -> Fraction | None:
    percent, percent_decimals, numerator, denominator, whole, decimals = match.groups()
    if percent is not None:
        return Fraction(f"{percent}.{percent_decimals or 0}") / 100
    if numerator is not None:
        return Fraction(int(numerator), int(denominator)) if int(denominator) else None
    return Fraction(f"{whole}.{decimals or 0}")


def _money(value: Any, field: str) -> int:
    if isinstance(value, float):
        raise _WrongFieldError(f'{field}: {value} is not exact; write it with quotes, "{value}"')
    try:
        micros = yuan(value)
    except (TypeError, ValueError) as error:
        raise _WrongFieldError(f"{field}: {error}") from error
    if micros < 0:
        raise _WrongFieldError(f"{field}: {value} is below zero")
    return micros


def _require_known(fields: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in fields:
        if name not in known:
            raise _WrongFieldError(f"{where}{name} is not known; a field here is one of {', '.join(known)}")
