"""A coefficient for what is bought together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, model_validator

from loyalty.earning.effects.base import Code, Granted
from loyalty.earning.names import Facts
from loyalty.plans.fields import STRICT
from loyalty.sales.types import Line


class Goods(BaseModel):
    """One article, or all articles of a category."""

    model_config = STRICT

    article: Code | None = None
    category: Code | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.article is None) == (self.category is None):
            raise ValueError("must name an article or a category, and not both")
        return self

    def has(self, line: Line) -> bool:
        """Whether the line is of these goods."""
        return line.article == self.article if self.category is None else line.category == self.category


class Pair(Granted):
    """The coefficient of the lines of two goods, such as oil and filter, where one sale has both."""

    kind: Literal["pair"] = "pair"
    first: Goods
    second: Goods

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.first == self.second:
            raise ValueError("first and second are the same goods: name two")
        return self

    def grants(self, facts: Facts) -> bool:
        """Whether two different lines of the sale are of the two goods."""
        lines = facts.sale.lines
        first = {line.number for line in lines if self.first.has(line)}
        second = {line.number for line in lines if self.second.has(line)} if first else first
        return bool(second) and len(first | second) > 1

    def reaches(self, facts: Facts) -> frozenset[int]:
        """The lines of both goods."""
        return frozenset(line.number for line in facts.sale.lines if self.first.has(line) or self.second.has(line))
