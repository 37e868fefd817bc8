"""Charts as SVG that stands in the page: no script, no style of its own, nothing that differs from one making to the next.

Where a value is drawn it is a number of pixels: only there it may be rounded. What is read is in the table beside the chart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import east_asian_width

import pygal
from markupsafe import Markup, escape
from pygal.style import Style

_WIDTH, _HEIGHT, _ROW = 840, 280, 30
_FEWEST = 8
"""Bars over time for which there is room at least."""
_STYLE = Style(label_font_size=11, major_label_font_size=11)
"""Only the sizes, from which pygal makes room: all else is the page's."""
_TAGS = frozenset({"g", "rect", "path", "text", "circle", "line"})
_ATTRIBUTES = ("x", "y", "width", "height", "d", "transform", "cx", "cy", "r", "points")
_LEFT_OUT = frozenset({"overlay", "text-overlay", "tooltip-overlay", "titles", "background"})
_CLASSES = {
    "axis": "axis",
    "x": "x",
    "y": "y",
    "guide": "guide",
    "line": "line",
    "major": "major",
    "horizontal": "lying",
}
"""pygal's classes that the page's style knows."""
_NUMBER = re.compile(r"-?\d+\.\d+")
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one kind, one for each label. `colour` is the number of its colour in the page's style."""

    name: str
    values: Sequence[float]
    colour: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart: what it shows, the picture, and which colour means what."""

    title: str
    svg: Markup
    legend: tuple[tuple[int, str], ...]


def stacked_bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Bars over time. Positive values stand on the axis, negative ones hang below it."""
    room = [""] * (_FEWEST - len(labels))  # so that a few bars are no walls
    roomy = [Series(one.name, [*one.values, *(0 for _ in room)], one.colour) for one in series]
    return _chart(pygal.StackedBar, title, [*labels, *room], roomy, height=_HEIGHT, x_labels_major_count=12)


def lines(title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Lines over time."""
    return _chart(pygal.Line, title, labels, series, height=_HEIGHT, x_labels_major_count=12, show_dots=False)


def rows(title: str, labels: Sequence[str], series: Sequence[Series], most: int | None = None) -> Chart:
    """Bars that lie, one row for each label, the first on top. `most` is the end of the axis."""
    return _lying(pygal.HorizontalBar, title, labels, series, most)


def stacked_rows(title: str, labels: Sequence[str], series: Sequence[Series], most: int | None = None) -> Chart:
    """The same with the bars of a row one after the other."""
    return _lying(pygal.HorizontalStackedBar, title, labels, series, most)


def _lying(kind: Any, title: str, labels: Sequence[str], series: Sequence[Series], most: int | None) -> Chart:
    upside_down = [Series(one.name, one.values[::-1], one.colour) for one in series]
    wide = max((sum(east_asian_width(one) in "FW" for one in label) for label in labels), default=0)
    bars = 1 if kind is pygal.HorizontalStackedBar else len(series)
    height = 60 + len(labels) * (_ROW + 10 * (bars - 1))
    options = {"margin_left": 6 + 5 * wide, "range": (0, most) if most is not None else None}
    return _chart(kind, title, labels[::-1], upside_down, height=height, **options)


def _chart(
    kind: Any, title: str, labels: Sequence[str], series: Sequence[Series], height: int, **options: Any
) -> Chart:
    drawn = kind(
        css=[],
        js=[],
        no_prefix=True,
        show_legend=False,
        width=_WIDTH,
        height=height,
        margin=6,
        spacing=8,
        max_scale=8,
        value_formatter=_short,
        show_minor_x_labels="x_labels_major_count" not in options,
        style=_STYLE,
        **options,
    )
    drawn.x_labels = list(labels)
    for one in series:
        drawn.add(one.name, list(one.values))
    svg = _cleaned(drawn.render_tree(), title, [one.colour for one in series])
    return Chart(title, svg, tuple((one.colour, one.name) for one in series))


def _short(value: float) -> str:
    """A number on an axis."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _cleaned(tree: Any, title: str, colours: Sequence[int]) -> Markup:
    """What is drawn and nothing else: pygal adds scripts, styles, tooltips and the date."""
    box = f"0 0 {_WIDTH} {tree.get('viewBox').split()[3]}"
    inside = "".join(_drawn(child, colours) for child in tree)
    drawn = Markup(inside)  # noqa: S704 - what `_drawn` returns is escaped
    return Markup('<svg class="chart" viewBox="{}" role="img" aria-label="{}">{}</svg>').format(box, title, drawn)


def _drawn(element: Any, colours: Sequence[int]) -> str:
    """An element with what is in it; nothing, if it draws nothing."""
    tag = str(element.tag).removeprefix(_SVG)
    classes = element.get("class", "").split()
    if tag not in _TAGS or not _LEFT_OUT.isdisjoint(classes):
        return ""
    inside = "".join(_drawn(child, colours) for child in element)
    if tag == "text":
        inside = str(escape(element.text or ""))
    if tag == "g" and not inside:
        return ""
    kept = {name: _rounded(element.get(name)) for name in _ATTRIBUTES if element.get(name)}
    shown = [_CLASSES[name] for name in classes if name in _CLASSES]
    shown += [f"c{colours[int(name[6:])]}" for name in classes if name.startswith("color-")]
    if shown:
        kept["class"] = " ".join(shown)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in kept.items())
    return f"<{tag}{attributes}>{inside}</{tag}>"


def _rounded(value: str) -> str:
    """Numbers to a tenth of a pixel."""
    return _NUMBER.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value)
