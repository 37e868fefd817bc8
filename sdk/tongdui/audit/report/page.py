"""The report as one HTML page that needs nothing else: no script, no picture, no font from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import jinja2
from markupsafe import Markup

from .document import Report
from .sections import sections_of
from .words import HTML_LANGUAGES, LANGUAGES, Language, Words, grouped, money

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit says, first of all."""

    holds: bool
    title: str
    sentence: str


def pages_of(report: Report) -> dict[str, bytes]:
    """The page in each language, by its name: `report.html` and `report.zh.html`."""
    return {page_name(language): page(report, language) for language in LANGUAGES}


def page_name(language: Language) -> str:
    """What the page is called in the report's list of files."""
    return "report.html" if language == "en" else f"report.{language}.html"


def page(report: Report, language: Language) -> bytes:
    """The report as HTML in UTF-8."""
    words = Words(language)
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    numbered = (replace(one, number=str(number)) for number, one in enumerate(sections_of(report, words), start=1))
    html = _template().render(
        _=words,
        language=HTML_LANGUAGES[language],
        number=grouped,
        scope=report.scope,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(sha256(style.encode()).digest()).decode(),
        verdict=_verdict(report, words),
        period=_period(report, words),
        keys=list(_keys(report, words)),
        sections=list(numbered),
        zip=zip,
    )
    return html.encode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((_HERE / "page.html.jinja").read_text(encoding="utf-8"))


def _verdict(report: Report, words: Words) -> Verdict:
    entries = words.count("entry", "entries", report.entries)
    findings = len(report.findings)
    if findings:
        title = words.count("finding", "findings_counted", findings)
        sentence = words("not_all_hold", entries=entries)
        return Verdict(False, title, sentence)
    title = words("all_hold", entries=entries) if report.entries != 1 else words("one_holds")
    sentence = words("all_hold_sentence")
    return Verdict(True, title, sentence)


def _period(report: Report, words: Words) -> str:
    scope = report.scope
    return words(
        "period",
        first=grouped(scope.first.number),
        last=grouped(scope.last.number),
        from_day=scope.first.day,
        to_day=scope.last.day,
    )


def _keys(report: Report, words: Words) -> Iterator[tuple[str, str]]:
    """The few figures that everybody looks for."""
    figures = report.figures
    counted = {row.what: row.count for row in figures.counts}
    owed = sum(-one.position_micros for one in figures.merchants if one.position_micros < 0)
    yield words("key_entries"), grouped(report.entries)
    yield words("key_orders"), grouped(counted.get("orders.with_entries", 0))
    yield words("key_batches"), grouped(counted.get("batches", 0))
    yield words("key_merchants"), grouped(max(len(figures.merchants) - 1, 0))
    yield words("key_programs"), grouped(len(figures.programs))
    yield words("key_credit", currency=report.scope.currency), money(owed)
