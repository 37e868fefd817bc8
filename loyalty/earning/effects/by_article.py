"""Points by article."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from loyalty.earning.bounds import WHOLE
from loyalty.earning.effects.base import Code, Earned, Earning, Points
from loyalty.earning.reasons import Reason, Text, decimal
from loyalty.sales.types import Line


class ByArticle(Earning):
    """Points for each unit of the articles that it names. Others earn nothing."""

    SAYS = Text("{quantity} of {article} x {rate}", "{article} {quantity} × {rate}")

    kind: Literal["by_article"] = "by_article"
    articles: Annotated[dict[Code, Points], Field(min_length=1)]

    def earned(self, lines: Sequence[Line]) -> Earned:
        """Points for each line's quantity, by its article."""
        return Earned([line.quantity_milli * self.articles.get(line.article, 0) for line in lines], WHOLE)

    def reasons(self, lines: Sequence[Line]) -> list[Reason]:
        """Quantity and points of each article."""
        quantities: dict[str, int] = {}
        for line in lines:
            if line.article in self.articles:
                quantities[line.article] = quantities.get(line.article, 0) + line.quantity_milli
        return [
            Reason.of("by_article", article=article, quantity=decimal(quantity, WHOLE), rate=self.articles[article])
            for article, quantity in sorted(quantities.items())
        ]
