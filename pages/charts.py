"""Charts: their numbers as the browser draws them, each with the text that people read, and a table of the same for who cannot see.

Where a value is drawn, it is a number of pixels: only there it may be rounded. What is read is the exact text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pages.formats import MICROS, count, money


@dataclass(frozen=True)
class Series:
    """A line."""

    name: str
    values: Sequence[int | None]
    """None where there is none."""
    read: Callable[[int], str] = count
    """How people read a value."""
    scale: int = 1
    """How many units make one on the axis: micros make one of the currency's main unit."""
    dashed: bool = False
    step: bool = False
    marks: bool = False
    """Whether its values stand by themselves, without a line between them."""

    @cached_property
    def shown(self) -> list[str]:
        """The values as people read them."""
        return ["–" if value is None else self.read(value) for value in self.values]


def money_series(name: str, micros: Sequence[int | None], **more: Any) -> Series:
    """A series of amounts in micros."""
    return Series(name, micros, lambda value: money(value).striptags(), MICROS, **more)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of lines: labels along the axis, and for each of them a value of every series."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: str = "line"

    def data(self) -> dict[str, Any]:
        """What the browser draws."""
        return {"kind": self.kind, "labels": list(self.labels), "series": [_drawn(one) for one in self.series]}

    def rows(self) -> list[tuple[str, list[str]]]:
        """The table: each label with its values."""
        return [(label, [one.shown[row] for one in self.series]) for row, label in enumerate(self.labels)]


@dataclass(frozen=True, slots=True)
class Node:
    """A point of a graph."""

    id: str
    name: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow of a graph."""

    source: str
    target: str
    label: str = ""
    marked: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Points and arrows between them."""

    title: str
    nodes: Sequence[Node]
    edges: Sequence[Edge] = field(default_factory=tuple)
    kind: str = "graph"

    def data(self) -> dict[str, Any]:
        """What the browser draws."""
        return {
            "kind": self.kind,
            "nodes": [{"id": one.id, "name": one.name, "marked": one.marked} for one in self.nodes],
            "edges": [
                {
                    "source": one.source,
                    "target": one.target,
                    "label": one.label,
                    "marked": one.marked,
                    "dashed": one.dashed,
                }
                for one in self.edges
            ],
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """The table: each arrow with the names of both ends."""
        names = {one.id: one.name for one in self.nodes}
        return [(names[one.source], names[one.target], one.label) for one in self.edges]


def as_json(chart: Chart | Graph) -> str:
    """A chart's numbers, for an attribute: htmx leaves no <script> in what it swaps."""
    return json.dumps(chart.data(), ensure_ascii=False, separators=(",", ":"))


def _drawn(series: Series) -> dict[str, Any]:
    return {
        "name": series.name,
        "values": [_pixel(value, series.scale) for value in series.values],
        "shown": series.shown,
        "dashed": series.dashed,
        "step": series.step,
        "marks": series.marks,
    }


def _pixel(value: int | None, scale: int) -> int | float | None:
    return value if value is None or scale == 1 else value / scale
