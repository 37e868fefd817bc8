"""Sorts the articles of a file into categories: fuel, shop goods, and what most programmes give no points for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tongdui._canonical import canonical

from ._detect_columns import Columns
from ._detect_layout import Layout
from ._words import (
    DIESEL_GRADES,
    FUELS,
    MEASURED_UNITS,
    NOT_FUEL,
    PETROL_GRADES,
    PIECE_UNITS,
    POSTAGE,
    STANDARD_GRADES,
    TOP_UPS,
    is_measured,
    word,
)

_GRADE = re.compile(r"(?<![\d.])(?P<grade>[+-]?\d{1,3})(?P<mark>\s*(?:#|号))?")
_TOKEN = re.compile(r"[a-z0-9]+|[^\x00-\x7f]+")
_KNOWN = {word(unit) for unit in (*MEASURED_UNITS, *PIECE_UNITS)}
_VOLUMES = {word(unit) for unit in ("l", "ltr", "litre", "litres", "liter", "liters", "升", "公升", "gal", "gallon")}
_GRADES = {*PETROL_GRADES, *DIESEL_GRADES}
_SOME = 0.01
_EMPTY = 0.05
EVERYTHING_ELSE = "*"


@dataclass(slots=True)
class Article:
    """An article of the file: on how many rows it is, in which units, and whether it was ever sold in fractions."""

    name: str
    rows: int = 0
    units: Counter[str] = field(default_factory=Counter)
    in_fractions: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether it is sold by volume or weight: its units say so, or no unit does and its quantities do."""
        named = [unit for unit in self.units if unit]
        return any(map(is_measured, named)) if named else self.in_fractions

    @property
    def is_by_volume(self) -> bool:
        """Whether it is sold in fractions of litres."""
        return self.in_fractions and any(word(unit) in _VOLUMES for unit in self.units)


@dataclass(slots=True)
class Category:
    """A category as the mapping proposes it.

    Attributes:
        name: Its name.
        rate: Points for a unit of currency.
        listed: The articles that the mapping lists, `*` for all others.
        seen: The articles of the file in it, the most frequent first.
        units: The units its articles may be sold in; empty for any.
    """

    name: str
    rate: str
    listed: list[str]
    seen: list[Article]
    units: tuple[str, ...] = ()


def detect_articles(layout: Layout, columns: Columns) -> list[Article]:
    """Count a file's articles.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which.

    Returns:
        The articles in canonical form, the most frequent first.
    """
    names = layout.column(columns.theirs["article"])
    units = layout.column(columns.theirs["unit"]) if "unit" in columns.theirs else [""] * len(names)
    quantities = layout.column(columns.theirs["quantity"])
    found: dict[str, Article] = {}
    for text, unit, quantity in zip(names, units, quantities, strict=True):
        name = canonical(text)
        if not name or not name.isprintable():
            continue
        article = found.setdefault(name, Article(name))
        article.rows += 1
        article.units[canonical(unit)] += 1
        if not article.in_fractions and not quantity.isdigit():
            value = columns.numbers.value_of(quantity)
            article.in_fractions = value is not None and value % 1 != 0
    return sorted(found.values(), key=lambda article: -article.rows)


def prefer_names(layout: Layout, columns: Columns) -> None:
    """Take the column with the names of fuels for the article, if there is one beside a column of codes.

    A code does not tell what is fuel, so that a mapping by codes would have to be written by hand.

    Args:
        layout: The file's layout, with its rows.
        columns: Which column is which; changed where names are better.
    """
    others = columns.others.get("article", [])
    if any(map(is_fuel, detect_articles(layout, columns))):
        return
    codes = columns.theirs["article"]
    for name in others:
        columns.theirs["article"] = name
        if any(map(is_fuel, detect_articles(layout, columns))):
            columns.others["article"] = [codes, *(other for other in others if other != name)]
            return
    columns.theirs["article"] = codes


def propose_categories(articles: Sequence[Article]) -> list[Category]:
    """Sort articles into categories, with rates that a person must check.

    Args:
        articles: The articles, the most frequent first.

    Returns:
        Fuel and shop goods, or goods where there is no fuel; and what most programmes give no points for.
    """
    fuel = [article for article in articles if is_fuel(article)]
    # The grades that this file does not have are sold on other days, and they are no shop goods.
    listed = list(
        dict.fromkeys(
            [article.name for article in fuel] + [name for article in fuel for name in _siblings(article.name)]
        )
    )
    topup = [article for article in articles if article.name not in listed and _says(article.name, TOP_UPS)]
    postage = [
        article
        for article in articles
        if article.name not in listed and article not in topup and _says(article.name, POSTAGE)
    ]
    special = {*listed, *(article.name for article in (*topup, *postage))}
    other = [article for article in articles if article.name not in special]
    found = [Category("fuel", "1", listed, [article for article in articles if article.name in listed])] if fuel else []
    found.append(
        Category("shop", "2", [EVERYTHING_ELSE], other) if fuel else Category("goods", "1", [EVERYTHING_ELSE], other)
    )
    for name, without in (("top_up", topup), ("postage", postage)):
        if without:
            found.append(Category(name, "0", [article.name for article in without], without))
    for category in found:
        category.units = _units(category)
    return found


def is_fuel(article: Article) -> bool:
    """Whether an article is fuel: by its grade, by a word in its name, or because it is sold in fractions of litres.

    Args:
        article: The article.

    Returns:
        True for fuel.
    """
    name = article.name.casefold()
    by_piece = any(article.units) and not article.is_measured
    if by_piece or _says(name, NOT_FUEL):
        return False
    if _says(name, FUELS) or article.is_by_volume:
        return True
    found = _GRADE.match(name)
    if found is None or found["grade"] not in _GRADES:
        return False
    return found.end() == len(name) and (bool(found["mark"]) or article.is_measured)


def _says(name: str, words: Iterable[str]) -> bool:
    """Whether a name has one of the words: a whole one in English, a part of the text in Chinese."""
    folded = name.casefold()
    tokens = set(_TOKEN.findall(folded))
    return any((one in folded if not one.isascii() or " " in one else one in tokens) for one in words)


def _siblings(name: str) -> list[str]:
    """The other grades that nearly every station sells, written as this one is."""
    found = _GRADE.search(name)
    if found is None or found["grade"] not in _GRADES:
        return []
    petrol, diesel = STANDARD_GRADES
    is_bare = found["mark"] is not None and found.end() == len(name) and found.start() == 0
    grades = (*petrol, *diesel) if is_bare else petrol if found["grade"] in PETROL_GRADES else diesel
    return [name[: found.start("grade")] + grade + name[found.end("grade") :] for grade in grades]


def _units(category: Category) -> tuple[str, ...]:
    """The units that its articles are sold in, without those that a few rows have by mistake."""
    units: Counter[str] = Counter()
    for article in category.seen:
        units.update(article.units)
    if not units or units[""] > _EMPTY * units.total():
        return ()
    measured = [unit for unit in units if is_measured(unit)]
    if category.name == "fuel" and measured:
        return tuple(measured)
    known = (unit for unit, rows in units.most_common() if word(unit) in _KNOWN or rows >= _SOME * units.total())
    return tuple(unit for unit in known if unit and unit.isprintable())
