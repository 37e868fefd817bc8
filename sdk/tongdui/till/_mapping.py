"""What a till's export looks like and what its sales are worth: a small TOML file for each kind of till."""

from __future__ import annotations

import codecs
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tongdui._amounts import rate_of
from tongdui._errors import TillError

from ._points import PointsRule

RFC3339 = "rfc3339"
_NEEDED = ("time", "sale", "customer", "article", "quantity")
_COLUMNS = {*_NEEDED, "unit", "amount", "unit_price"}
_SECTIONS = {"till", "columns", "units", "returns", "articles", "points"}


@dataclass(frozen=True, slots=True)
class TillMapping:
    """How to read one kind of till export.

    Attributes:
        name: What the mapping is called in errors.
        columns: The file's column names, by our names. There is either an `amount` column or a `unit_price` column; then
            the amount is quantity x unit price, exactly.
        rule: What amounts are worth.
        times: Forms of a time, tried one after another: `rfc3339`, or strptime formats.
        zone: The time zone of times that do not name one.
        delimiter: What separates fields.
        encoding: The file's encoding.
        reference: The reference of a sale's issuance, with `{sale}` and perhaps `{day}` in it.
        amount_decimals: The most decimals of an amount.
        return_prefix: A sale whose number begins with it is a return. So is one with negative quantities only.
        units: Units that the articles of a category are sold in. A row with a different one is malformed.
    """

    name: str
    columns: Mapping[str, str]
    rule: PointsRule
    times: tuple[str, ...] = (RFC3339, "%Y-%m-%d %H:%M:%S")
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    reference: str = "till:{sale}"
    amount_decimals: int = 2
    return_prefix: str = ""
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in _NEEDED if name not in self.columns]
        if missing:
            raise TillError(f"mapping {self.name}: [columns] lacks {', '.join(missing)}")
        if ("amount" in self.columns) == ("unit_price" in self.columns):
            raise TillError(f"mapping {self.name}: [columns] needs either amount or unit_price")
        if unknown := sorted(set(self.columns) - _COLUMNS):
            raise TillError(f"mapping {self.name}: [columns] has unknown names: {', '.join(unknown)}")
        if self.units and "unit" not in self.columns:
            raise TillError(f"mapping {self.name}: [units] needs a unit column")
        if len(self.delimiter) != 1:
            raise TillError(f"mapping {self.name}: the delimiter is one character, not {self.delimiter!r}")
        self._check_reference()

    def _check_reference(self) -> None:
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(self.reference) if name is not None}
        except ValueError as error:
            raise TillError(f"mapping {self.name}: reference {self.reference!r}: {error}") from error
        if not {"sale"} <= names <= {"sale", "day"}:
            raise TillError(
                f"mapping {self.name}: reference {self.reference!r} must contain {{sale}}, and may contain {{day}}"
            )

    @classmethod
    def load(cls, name: str | Path) -> TillMapping:
        """Read a mapping file.

        Args:
            name: Its path, or the name of one that ships with the SDK (`station`, `online_retail`).

        Returns:
            The mapping.

        Raises:
            TillError: The file cannot be read, or has a mistake.
        """
        path = Path(name)
        try:
            if path.suffix == "" and not path.exists():
                text = (resources.files(__package__) / "mappings" / f"{path.name}.toml").read_text(encoding="utf-8")
            else:
                text = path.read_text(encoding="utf-8")
            return cls.parse(tomllib.loads(text), str(name))
        except OSError as error:
            raise TillError(f"mapping {name}: {error.strerror or error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TillError(f"mapping {name}: {error}") from error

    @classmethod
    def parse(cls, document: dict[str, Any], name: str) -> TillMapping:
        """Build a mapping from a parsed TOML document.

        Args:
            document: The document. Unknown sections and settings are errors, because a typo would change points.
            name: What to call the mapping in errors.

        Returns:
            The mapping.

        Raises:
            TillError: The document has a mistake.
        """
        if unknown := sorted(set(document) - _SECTIONS):
            raise TillError(f"mapping {name}: unknown section {', '.join(unknown)}")
        till = _table(document, "till", name)
        settings = {"name", "times", "zone", "delimiter", "encoding", "reference", "amount_decimals"}
        if unknown := sorted(set(till) - settings):
            raise TillError(f"mapping {name}: [till] has unknown settings: {', '.join(unknown)}")
        returns = _table(document, "returns", name)
        if unknown := sorted(set(returns) - {"prefix"}):
            raise TillError(f"mapping {name}: [returns] has unknown settings: {', '.join(unknown)}")
        given = {key: value for key, value in till.items() if key not in {"zone", "times", "encoding"}}
        return cls(
            **{"name": name, **given},
            columns=_table(document, "columns", name),
            rule=_rule(document, name),
            units=_units(document, name),
            return_prefix=str(returns.get("prefix", "")),
            **_times(till),
            **_zone(till, name),
            **_encoding(till, name),
        )


def _table(document: Mapping[str, Any], section: str, name: str) -> dict[str, Any]:
    found = document.get(section, {})
    if not isinstance(found, dict):
        raise TillError(f"mapping {name}: [{section}] must be a table")
    return found


def _rule(document: Mapping[str, Any], name: str) -> PointsRule:
    """Read [points] (points for a unit of currency, by category) and [articles] (by category, `"*"` for all others)."""
    try:
        rates = {
            category: Fraction(0) if str(rate) == "0" else rate_of(rate, f"[points] {category}")
            for category, rate in _table(document, "points", name).items()
        }
        articles, default = _articles(_table(document, "articles", name))
        return PointsRule(rates, articles, default)
    except (TypeError, ValueError) as error:
        raise TillError(f"mapping {name}: {error}") from error


def _articles(sections: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], str | None]:
    """The category of each article, and that of all others."""
    pairs = [(article, category) for category, articles in sections.items() for article in articles]
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = sorted({article for article, category in pairs if found[article] != category})
        raise ValueError(f"[articles] names {', '.join(map(repr, twice)) or 'an article'} twice")
    return {article: category for article, category in found.items() if article != "*"}, found.get("*")


def _units(document: Mapping[str, Any], name: str) -> dict[str, tuple[str, ...]]:
    """The units of each category: [units] has one or several."""
    units = _table(document, "units", name)
    return {category: (unit,) if isinstance(unit, str) else tuple(unit) for category, unit in units.items()}


def _times(till: Mapping[str, Any]) -> dict[str, Any]:
    times = till.get("times")
    if times is None:
        return {}
    return {"times": (times,) if isinstance(times, str) else tuple(times)}


def _zone(till: Mapping[str, Any], name: str) -> dict[str, Any]:
    zone = till.get("zone", "Asia/Shanghai")
    try:
        return {"zone": ZoneInfo(zone)}
    except (KeyError, ValueError, OSError) as error:
        raise TillError(f"mapping {name}: this machine knows no time zone {zone!r} (pip install tzdata?)") from error


def _encoding(till: Mapping[str, Any], name: str) -> dict[str, Any]:
    if "encoding" not in till:
        return {}
    try:
        codec = codecs.lookup(till["encoding"]).name
    except LookupError as error:
        raise TillError(f"mapping {name}: there is no encoding {till['encoding']!r}") from error
    return {"encoding": "utf-8-sig" if codec == "utf-8" else codec}
