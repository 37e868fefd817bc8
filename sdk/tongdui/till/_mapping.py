"""What a till's export looks like and what its sales are worth: a small TOML file for each kind of till."""

from __future__ import annotations

import codecs
import re
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from tongdui._amounts import rate_of
from tongdui._canonical import canonical
from tongdui._errors import TillError

from ._points import PointsRule
from ._words import measure_of

RFC3339 = "rfc3339"
EXCEL = "excel"

_T = TypeVar("_T")

_ALWAYS = ("sale", "customer", "article", "quantity")
_OPTIONAL = ("till", "unit", "original", "date")
COLUMNS = ("time", "date", *_ALWAYS, "unit", "amount", "unit_price", "till", "original")
"""Our names of the columns."""

_SETTINGS: Mapping[str, frozenset[str]] = {
    "till": frozenset({"name", "zone", "times", "reference", "day_starts", "longest_sale", "amount_decimals"}),
    "file": frozenset({"encoding", "delimiter", "sheet", "header", "footer"}),
    "numbers": frozenset({"decimal", "thousands", "currency", "negative", "bare_fraction"}),
    "columns": frozenset({*COLUMNS, "optional"}),
    "rows": frozenset({"only", "skip", "ignore"}),
    "customers": frozenset({"none", "kind", "country"}),
    "returns": frozenset({"prefix"}),
}
"""The settings of each section; those of the other sections are categories."""
_CATEGORIES = ("articles", "points", "units")

CUSTOMER_KINDS = ("card", "phone", "plate")
"""What the customer column may have."""

_MOVED = {"delimiter": "file", "encoding": "file"}
_NEGATIVE = ("leading", "trailing", "parentheses")
_THOUSANDS = ("", ",", ".", " ", "'")
_DURATION = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
_UNITS_OF_TIME = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SAYS_SOMETHING = re.compile("[-+%‰()0-9\u2010-\u2015\u2212\uff0b\uff0d]")
_COUNTRY = re.compile(r"\+[1-9]\d{0,2}", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a till's file is written.

    Attributes:
        encoding: The encoding of a CSV file. A byte order mark in the file comes first.
        delimiter: What separates the fields of a CSV file. A first line such as `sep=;` comes first.
        sheet: The sheet of an .xlsx file; it may be left out when only one sheet has rows.
        header: The line that names the columns; None for the first of the first 30 lines that names them all.
        footer: How the first filled cell of a row begins that is no row, such as `Total`.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    header: int | None = None
    footer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How quantities, amounts and prices are written.

    Attributes:
        decimal: What separates the decimals: a point or a comma.
        thousands: What may separate thousands; empty for nothing.
        currency: Signs that may stand before or after a number, such as `¥`.
        negative: Where the sign of a number below zero may stand: `leading` (-5), `trailing` (5-), `parentheses` ((5)).
        bare_fraction: Whether the 0 before the decimals may be missing: `.50`.
    """

    decimal: str = "."
    thousands: str = ""
    currency: tuple[str, ...] = ()
    negative: tuple[str, ...] = ("leading",)
    bare_fraction: bool = False


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which rows count, by the values of columns. The columns have the file's own names.

    Attributes:
        only: A row counts only if its value is one of these.
        skip: A row does not count if its value is one of these.
        ignore: Columns that vary without meaning, such as how a sale was paid.
    """

    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TillMapping:
    """How to read one kind of till export.

    Attributes:
        name: What the mapping is called in errors.
        columns: What the file may call each column, by our names. One of the names must be in the header. There is either a
            `time` column, or `date` and `time`; either an `amount` column or a `unit_price` column, and then the amount is
            quantity x unit price, exactly.
        rule: What amounts and quantities are worth.
        optional: Columns that may be missing in a file, as in `columns`: `till`, `unit`, `original`, `date`.
        times: Forms of a time, tried one after another: `rfc3339`, `excel` (a serial day), or strptime formats.
        zone: The time zone of times that do not name one, and of the business day.
        reference: The reference of a sale's issuance, made of `{till}`, `{day}` and `{sale}`. None for
            `till:{till}:{day}:{sale}`, or `till:{day}:{sale}` in a file without a till column.
        day_starts: How long after midnight a business day begins.
        longest_sale: The longest time between two rows of one sale that follow each other.
        amount_decimals: The most decimals of an amount.
        no_customer: What the till writes where there was no customer.
        customer_kind: What the customer column has: `card`, `phone` or `plate`.
        customer_country: The country's code of phones that are written without one, such as `+86`.
        return_prefix: A sale whose number begins with it is a return. So is one with negative quantities only.
        units: Units that the articles of a category are sold in. A row with a different one is malformed.
        file: How the file is written.
        numbers: How its numbers are written.
        rows: Which of its rows count.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    rule: PointsRule
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    times: tuple[str, ...] = (RFC3339, "%Y-%m-%d %H:%M:%S")
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    reference: str | None = None
    day_starts: timedelta = timedelta(0)
    longest_sale: timedelta = timedelta(minutes=60)
    amount_decimals: int = 2
    no_customer: tuple[str, ...] = ()
    customer_kind: str = "card"
    customer_country: str = ""
    return_prefix: str = ""
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    file: FileFormat = field(default_factory=FileFormat)
    numbers: NumberFormat = field(default_factory=NumberFormat)
    rows: RowChoice = field(default_factory=RowChoice)

    def __post_init__(self) -> None:
        self._check_columns()
        if self.units and "unit" not in (*self.columns, *self.optional):
            raise TillError(f"mapping {self.name}: [units] needs a unit column")
        if unknown := sorted(set(self.units) - set(self.rule.rates) - set(self.rule.per_quantity)):
            raise TillError(f"mapping {self.name}: [units] names {', '.join(unknown)}, which [points] does not")
        self._check_reference()
        self._check_rows()

    def reference_of(self, till: str, day: date, sale: str) -> str:
        """The reference of a sale's issuance.

        Args:
            till: The till; empty if the file has no till column.
            day: The sale's business day.
            sale: The sale's number.

        Returns:
            The reference, the same whenever the sale is imported.
        """
        form = self.reference or ("till:{till}:{day}:{sale}" if till else "till:{day}:{sale}")
        return form.format(till=till, day=day.isoformat(), sale=sale)

    def measure_of(self, category: str, unit: str, quantity: Decimal) -> str:
        """What a quantity is told in.

        Args:
            category: The article's category.
            unit: The unit as the file writes it, or "".
            quantity: The quantity.

        Returns:
            `l`, `kg`, `kwh`, or `piece` for what is counted. Without a unit it is what [units] says of the category, if that leaves
            no doubt: a number that is not whole counts no pieces. Empty if nobody can say, or for another unit, such as `ml`.
        """
        if unit:
            return measure_of(unit)
        measures = {measure_of(one) for one in self.units.get(category, ())}
        if len(measures) > 1 and "piece" in measures:
            return "piece" if quantity % 1 == 0 else ""
        return measures.pop() if len(measures) == 1 else ""

    def day_of(self, time: datetime) -> date:
        """The business day that a time belongs to."""
        return self.day_of_local(time.astimezone(self.zone).replace(tzinfo=None))

    def day_of_local(self, time: datetime) -> date:
        """The business day that a time on the till's own clock belongs to."""
        return (time - self.day_starts).date()

    def _check_columns(self) -> None:
        missing = [name for name in (*_ALWAYS, "time") if name not in self.columns]
        if missing:
            raise TillError(f"mapping {self.name}: [columns] lacks {', '.join(missing)}")
        if ("amount" in self.columns) == ("unit_price" in self.columns):
            raise TillError(f"mapping {self.name}: [columns] needs either amount or unit_price")
        if unknown := sorted({*self.columns, *self.optional} - set(COLUMNS)):
            raise TillError(f"mapping {self.name}: [columns] has unknown names: {', '.join(unknown)}")
        if needed := sorted(set(self.optional) - set(_OPTIONAL)):
            raise TillError(f"mapping {self.name}: [columns.optional] cannot have {', '.join(needed)}: it is needed")
        if twice := sorted(set(self.optional) & set(self.columns)):
            raise TillError(f"mapping {self.name}: {', '.join(twice)} is in [columns] and in [columns.optional]")
        owner: dict[str, str] = {}
        for ours, names in (*self.columns.items(), *self.optional.items()):
            for theirs in names:
                if owner.setdefault(theirs, ours) != ours:
                    raise TillError(
                        f"mapping {self.name}: [columns] uses {theirs!r} for {owner[theirs]} and for {ours}"
                    )

    def _check_reference(self) -> None:
        if self.reference is None:
            return
        try:
            fields = [field for field in string.Formatter().parse(self.reference) if field[1] is not None]
        except ValueError as error:
            raise TillError(f"mapping {self.name}: reference {self.reference!r}: {error}") from error
        names = {name for _, name, _, _ in fields}
        plain = not any(form or conversion for _, _, form, conversion in fields)
        if not plain or not {"sale"} <= names <= {"sale", "day", "till"}:
            raise TillError(
                f"mapping {self.name}: reference {self.reference!r} must contain {{sale}}, and may contain {{day}} and {{till}}"
            )
        if "till" in names and "till" not in self.columns:
            raise TillError(
                f"mapping {self.name}: reference {self.reference!r} has {{till}}, but [columns] has no till"
            )
        if "till" not in names and "till" in (*self.columns, *self.optional):
            raise TillError(
                f"mapping {self.name}: reference {self.reference!r} must contain {{till}}: two tills use the same numbers"
            )

    def _check_rows(self) -> None:
        chosen = {*self.rows.only, *self.rows.skip}
        if twice := sorted(chosen & set(self.rows.ignore)):
            raise TillError(f"mapping {self.name}: [rows] ignores {', '.join(twice)} and chooses by it")
        for column in chosen:
            if both := sorted(set(self.rows.only.get(column, ())) & set(self.rows.skip.get(column, ()))):
                raise TillError(f"mapping {self.name}: [rows] has {', '.join(both)} of {column} in only and in skip")

    @staticmethod
    def shipped() -> tuple[str, ...]:
        """The names of the mappings that ship with the SDK."""
        files = (resources.files(__package__) / "mappings").iterdir()
        return tuple(sorted(one.name.removesuffix(".toml") for one in files if one.name.endswith(".toml")))

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
            ships = "; the SDK ships station and online_retail, and `tongdui till inspect` proposes one for a file"
            raise TillError(
                f"mapping {name}: {error.strerror or error}{ships if isinstance(error, FileNotFoundError) else ''}"
            ) from error
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
        try:
            return cls(**_Document(document, name).settings())
        except (TypeError, ValueError) as error:
            raise TillError(f"mapping {name}: {error}") from error


class _Section:
    """One section of a mapping, whose settings are checked when they are read."""

    def __init__(self, title: str, found: object) -> None:
        if not isinstance(found, dict):
            raise TypeError(f"[{title}] must be a table")
        self.title = title
        self.found: dict[str, Any] = found

    def __contains__(self, setting: str) -> bool:
        return setting in self.found

    def section(self, setting: str) -> _Section:
        return _Section(f"{self.title}.{setting}", self.found.get(setting, {}))

    def given(self, **readers: Callable[[str], Any]) -> dict[str, Any]:
        """The settings that are there, each as its reader reads it."""
        return {setting: read(setting) for setting, read in readers.items() if setting in self.found}

    def text(self, setting: str) -> str:
        return self._is(setting, str, "a text")

    def whole(self, setting: str) -> int:
        value = self._is(setting, int, "a whole number")
        if value < 0 or isinstance(value, bool):
            raise ValueError(f"[{self.title}] {setting} is a whole number, not {value}")
        return value

    def switch(self, setting: str) -> bool:
        return self._is(setting, bool, "true or false")

    def texts(self, setting: str) -> tuple[str, ...]:
        """One text or a list of them."""
        value = self.found[setting]
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise TypeError(f'[{self.title}] {setting} is a text or a list of texts, such as ["..."], not {value!r}')
        return tuple(values)

    def one_of(self, setting: str, allowed: Iterable[str]) -> str:
        value = self.text(setting)
        if value not in allowed:
            raise ValueError(f"[{self.title}] {setting} is one of {_listed(allowed)}, not {value!r}")
        return value

    def some_of(self, setting: str, allowed: Iterable[str]) -> tuple[str, ...]:
        values = self.texts(setting)
        if unknown := [value for value in values if value not in allowed]:
            raise ValueError(f"[{self.title}] {setting} is some of {_listed(allowed)}, not {unknown[0]!r}")
        return values

    def _is(self, setting: str, kind: type[_T], what: str) -> _T:
        value = self.found[setting]
        if not isinstance(value, kind):
            raise TypeError(f"[{self.title}] {setting} is {what}, not {value!r}")
        return value


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(repr(text) for text in texts)


@dataclass(slots=True)
class _Document:
    """A mapping's TOML document on its way to a `TillMapping`."""

    found: Mapping[str, Any]
    name: str

    def settings(self) -> dict[str, Any]:
        """The arguments of the mapping."""
        if unknown := sorted(set(self.found) - set(_SETTINGS) - set(_CATEGORIES)):
            raise ValueError(f"unknown section {', '.join(unknown)}")
        till, columns, customers = self._section("till"), self._section("columns"), self._section("customers")
        optional = columns.section("optional")
        return {
            "name": self.name,
            **till.given(
                name=till.text,
                times=till.texts,
                reference=till.text,
                amount_decimals=till.whole,
                zone=lambda setting: _zone(till.text(setting)),
                day_starts=lambda setting: _clock(till.text(setting)),
                longest_sale=lambda setting: _duration(till.text(setting)),
            ),
            "columns": {ours: _names(columns, ours) for ours in columns.found if ours != "optional"},
            "optional": {ours: _names(optional, ours) for ours in optional.found},
            "rule": self._rule(),
            "units": self._units(),
            "file": self._file(),
            "numbers": self._numbers(),
            "rows": self._rows(),
            "no_customer": customers.texts("none") if "none" in customers else (),
            "customer_kind": customers.one_of("kind", CUSTOMER_KINDS) if "kind" in customers else "card",
            "customer_country": _country(customers.text("country")) if "country" in customers else "",
            "return_prefix": canonical(self._section("returns").found.get("prefix", "")),
        }

    def _section(self, title: str) -> _Section:
        section = _Section(title, self.found.get(title, {}))
        if title in _SETTINGS and (unknown := sorted(set(section.found) - _SETTINGS[title])):
            moved = "".join(f"; {one} is a setting of [{_MOVED[one]}]" for one in unknown if one in _MOVED)
            raise ValueError(f"[{title}] has unknown settings: {', '.join(unknown)}{moved}")
        return section

    def _file(self) -> FileFormat:
        file = self._section("file")
        return FileFormat(
            **file.given(
                encoding=lambda setting: _encoding(file.text(setting)),
                delimiter=lambda setting: _delimiter(file.text(setting)),
                sheet=file.text,
                header=lambda setting: _line_number(file.whole(setting)),
                footer=lambda setting: _not_empty(file.texts(setting), "[file] footer"),
            )
        )

    def _numbers(self) -> NumberFormat:
        numbers = self._section("numbers")
        found = NumberFormat(
            **numbers.given(
                decimal=lambda setting: numbers.one_of(setting, (".", ",")),
                thousands=lambda setting: numbers.one_of(setting, _THOUSANDS),
                currency=lambda setting: _currency(numbers.texts(setting)),
                negative=lambda setting: numbers.some_of(setting, _NEGATIVE),
                bare_fraction=numbers.switch,
            )
        )
        if found.decimal == found.thousands:
            raise ValueError(f"[numbers] decimal and thousands are both {found.decimal!r}")
        return found

    def _rows(self) -> RowChoice:
        rows = self._section("rows")
        only, skip = rows.section("only"), rows.section("skip")
        return RowChoice(
            only={column: only.texts(column) for column in only.found},
            skip={column: skip.texts(column) for column in skip.found},
            ignore=rows.texts("ignore") if "ignore" in rows else (),
        )

    def _rule(self) -> PointsRule:
        """Read [points] (by category) and [articles] (by category, `"*"` for all others)."""
        points = self._section("points")
        rates: dict[str, Fraction] = {}
        per_quantity: dict[str, Fraction] = {}
        for category, value in points.found.items():
            rate = value if isinstance(value, dict) else {"amount": value}
            if not rate or not set(rate) <= {"amount", "quantity"}:
                raise ValueError(
                    f'[points] {category} is a rate, or a table such as {{ amount = "1", quantity = "2" }}'
                )
            rates[category] = _rate(rate.get("amount", "0"), f"[points] {category}")
            if "quantity" in rate:
                per_quantity[category] = _rate(rate["quantity"], f"[points] {category} quantity")
        articles, default = _articles(self._section("articles"))
        return PointsRule(rates, articles, default, per_quantity)

    def _units(self) -> dict[str, tuple[str, ...]]:
        """The units of each category: [units] has one or several."""
        units = self._section("units")
        return {category: tuple(canonical(unit) for unit in units.texts(category)) for category in units.found}


def _names(columns: _Section, ours: str) -> tuple[str, ...]:
    names = tuple(canonical(name) for name in columns.texts(ours))
    if not names or not all(names):
        raise ValueError(f"[{columns.title}] {ours} is the name of a column or a list of names")
    return tuple(dict.fromkeys(names))


def _not_empty(texts: tuple[str, ...], what: str) -> tuple[str, ...]:
    if not all(map(canonical, texts)):
        raise ValueError(f"{what} has an empty text")
    return texts


def _currency(signs: tuple[str, ...]) -> tuple[str, ...]:
    """Signs of currencies. A minus or a percent among them would be left out, and a refund would become a sale."""
    if wrong := next((sign for sign in signs if _SAYS_SOMETHING.search(sign)), None):
        raise ValueError(f"[numbers] currency has {wrong!r}, which changes what a number means")
    return _not_empty(signs, "[numbers] currency")


def _rate(value: Any, what: str) -> Fraction:
    return Fraction(0) if str(value) == "0" else rate_of(value, what)


def _articles(section: _Section) -> tuple[dict[str, str], str | None]:
    """The category of each article, and that of all others."""
    pairs = [
        (canonical(article), category) for category in section.found for article in section.texts(category)
    ]  # fmt: skip
    found = dict(pairs)
    if len(found) != len(pairs):
        articles = [article for article, _ in pairs]
        twice = sorted({article for article in articles if articles.count(article) > 1})
        raise ValueError(f"[articles] names {', '.join(map(repr, twice))} twice")
    return {article: category for article, category in found.items() if article != "*"}, found.get("*")


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"this machine knows no time zone {zone!r} (pip install tzdata?)") from error


def _country(code: str) -> str:
    if not _COUNTRY.fullmatch(code):
        raise ValueError(f'[customers] country is the code of a country such as "+86", not {code!r}')
    return code


def _clock(text: str) -> timedelta:
    if not (found := _CLOCK.fullmatch(text)):
        raise ValueError(f'[till] day_starts is a time of day such as "04:00", not {text!r}')
    return timedelta(hours=int(found[1]), minutes=int(found[2]))


def _duration(text: str) -> timedelta:
    if not (found := _DURATION.fullmatch(text)):
        raise ValueError(f'[till] longest_sale is a time such as "60m" or "2h", not {text!r}')
    return timedelta(**{_UNITS_OF_TIME[found[2]]: int(found[1])})


def _encoding(encoding: str) -> str:
    try:
        "".encode(encoding)  # a codec that does not encode text, such as hex, is no encoding
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise ValueError(f"there is no encoding {encoding!r}") from error


def _line_number(line: int) -> int:
    if line == 0:
        raise ValueError("[file] header is the number of a line, counted from 1")
    return line


def _delimiter(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"the delimiter is one character, not {delimiter!r}")
    return delimiter
