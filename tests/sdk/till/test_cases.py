"""The table of what tills write (cases.toml): every case comes out right, in every encoding and as a spreadsheet."""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from tests.support.nightly import IS_NIGHTLY
from tongdui import TillError
from tongdui.till import TillMapping, TillSheet, inspect_till, read_till

TABLE = tomllib.loads(Path(__file__).with_name("cases.toml").read_text(encoding="utf-8"))
SHIPPED = Path(__file__).parents[3] / "sdk" / "tongdui" / "till" / "mappings"

SETTINGS = {"name", "why", "mapping", "without", "ships", "rows", "text", "cells", "forms"}
OUTCOMES = {
    *("points", "worthless", "no_customer", "held_back", "malformed", "returns", "skipped"),
    *("references", "times", "articles", "error", "says", "inspected"),
}

Case = dict[str, Any]


# ---------------------------------------------------------------- the forms of a file


def _lines(ending: str) -> Callable[[str], str]:
    return lambda text: text.replace("\n", ending)


ENCODINGS: dict[str, tuple[Callable[[str], str], str, bytes]] = {
    "utf-8": (_lines("\n"), "utf-8", b""),
    "utf-8 with a mark": (_lines("\r\n"), "utf-8", b"\xef\xbb\xbf"),
    "utf-16 little": (_lines("\r\n"), "utf-16-le", b"\xff\xfe"),
    "utf-16 big": (_lines("\n"), "utf-16-be", b"\xfe\xff"),
    "gb18030": (_lines("\r\n"), "gb18030", b""),
}
"""Ends of lines, encoding and byte order mark. Only GB18030 has to be named in the mapping."""

TEXT_CELLS, TYPED_CELLS = "a spreadsheet of texts", "a spreadsheet of values"
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,11})(\.\d{1,6})?", re.ASCII)
_PLAIN_TIME = re.compile(r"[12]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_VALUES = {"quantity", "amount", "price"}


def _forms(case: Case) -> list[str]:
    if "cells" in case:
        return [TYPED_CELLS]
    return [*ENCODINGS, *([] if case.get("forms") == "text" else [TEXT_CELLS, TYPED_CELLS])]


def _some_forms(number: int, case: Case) -> list[str]:
    """All forms of a case at night; by day two, the next two of the next case."""
    forms = _forms(case)
    return forms if IS_NIGHTLY else list(dict.fromkeys(forms[(2 * number + step) % len(forms)] for step in range(2)))


CASES = [
    pytest.param(case, form, id=f"{case['name']}: {form}")
    for number, case in enumerate(TABLE["case"])
    for form in _some_forms(number, case)
]


def _text(case: Case) -> str:
    text: str = case["text"] if "text" in case else f"{TABLE['header']}\n{case['rows']}"
    return text


def _rows(case: Case, delimiter: str) -> list[list[str]]:
    return [list(row) for row in csv.reader(_text(case).splitlines(), delimiter=delimiter)]


def _valued(rows: list[list[str]]) -> list[list[object]]:
    """The rows as a spreadsheet keeps what a person types in: numbers and times as values, if nothing is lost by it."""
    header = next((row for row in rows if "amount" in row or "price" in row), [])
    names = [name if name in {*_VALUES, "time"} else "" for name in header]
    return [[_valued_cell(cell, names[n] if n < len(names) else "") for n, cell in enumerate(row)] for row in rows]


def _valued_cell(cell: str, name: str) -> object:
    if name in _VALUES and _PLAIN_NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    if name == "time" and _PLAIN_TIME.fullmatch(cell):
        try:
            return datetime.strptime(cell, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - a spreadsheet knows no zones
        except ValueError:
            return cell
    return cell


def _save(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a spreadsheet. Texts stay texts, also those that begin with an equals sign."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row, values in enumerate(rows, start=1):
        for column, value in enumerate(values, start=1):
            if value == "" or not isinstance(value, str | int | float | date | time):
                continue
            cell = sheet.cell(row, column)
            cell.value = value
            if isinstance(value, str) and not value.startswith("#"):
                cell.data_type = "s"
    book.save(path)


def _write(case: Case, form: str, mapping: Mapping[str, Any], directory: Path) -> Path:
    if form in ENCODINGS:
        endings, encoding, mark = ENCODINGS[form]
        path = directory / "till.csv"
        path.write_bytes(mark + endings(_text(case)).encode(encoding))
        return path
    path = directory / "till.xlsx"
    if "cells" in case:
        _save(path, case["cells"])
    else:
        rows = _rows(case, mapping.get("file", {}).get("delimiter", ","))
        _save(path, _valued(rows) if form == TYPED_CELLS else rows)
    return path


def _settings(case: Case, form: str) -> dict[str, Any]:
    """The mapping of a case as a TOML document: the base with the case's own settings."""
    base = (SHIPPED / f"{case['ships']}.toml").read_text(encoding="utf-8") if "ships" in case else TABLE["base"]
    document = tomllib.loads(base)
    for section, values in tomllib.loads(case.get("mapping", "")).items():
        document.setdefault(section, {}).update(values)
    for column in case.get("without", ()):
        del document["columns"][column]
    if form == "gb18030":
        document.setdefault("file", {})["encoding"] = "gb18030"
    return document


# ---------------------------------------------------------------- what came out


def _outcome(sheet: TillSheet) -> dict[str, Any]:
    points: Counter[str] = Counter()
    for sale in sheet.sales:
        points[sale.customer] += sale.points
    held: dict[str, list[int]] = defaultdict(list)
    for waiting in sheet.held_back:
        held[waiting.number] += waiting.lines
    return {
        "points": dict(points),
        "worthless": sorted(sale.number for sale in sheet.worthless),
        "no_customer": sorted(sale.number for sale in sheet.no_customer),
        "held_back": {number: sorted(lines) for number, lines in held.items()},
        "malformed": [(problem.line, problem.field) for problem in sheet.problems],
        "returns": {
            back.number: (
                {reversal.sale: reversal.points for reversal in back.reversals},
                [row.line for row in back.unmatched],
            )
            for back in sheet.returns
        },
        "skipped": sheet.skipped,
    }


def _expected(case: Case) -> dict[str, Any]:
    return {
        "points": case.get("points", {}),
        "worthless": sorted(case.get("worthless", [])),
        "no_customer": sorted(case.get("no_customer", [])),
        "held_back": {held["sale"]: held["lines"] for held in case.get("held_back", [])},
        "malformed": [(bad["line"], bad["field"]) for bad in case.get("malformed", [])],
        "returns": {
            back["sale"]: (back.get("back", {}), back.get("unmatched", [])) for back in case.get("returns", [])
        },
        "skipped": case.get("skipped", 0),
    }


def _check_words(case: Case, sheet: TillSheet, file: str) -> None:
    """Everything that a person must look at names its place and its reason."""
    for held in case.get("held_back", []):
        reasons = " ".join(waiting.reason for waiting in sheet.held_back if waiting.number == held["sale"])
        assert reasons
        assert [word for word in held.get("says", []) if word not in reasons] == [], reasons
    for bad, problem in zip(case.get("malformed", []), sheet.problems, strict=True):
        assert str(problem).startswith(f"{file}:{bad['line']}: {bad['field']}")
        assert [word for word in bad.get("says", []) if word not in problem.reason] == [], problem.reason
        assert problem.value == bad.get("value", problem.value)


def _check_sales(case: Case, sheet: TillSheet) -> None:
    references = sorted(sale.reference for sale in sheet.sales)
    assert references == sorted(case.get("references", references))
    times = {sale.reference: sale.time.strftime("%Y-%m-%dT%H:%M:%SZ") for sale in sheet.sales}
    assert {reference: times[reference] for reference in case.get("times", {})} == case.get("times", {})
    articles = sorted({row.article for sale in sheet.sales for row in sale.rows})
    assert articles == case.get("articles", articles)


@pytest.mark.parametrize(("case", "form"), CASES)
def test_a_case_comes_out_right(case: Case, form: str, tmp_path: Path) -> None:
    settings = _settings(case, form)
    path = _write(case, form, settings, tmp_path)
    if "error" in case:
        with pytest.raises(TillError) as refused, read_till(path, TillMapping.parse(settings, "case.toml")) as sheet:
            list(sheet.sales)
        assert [word for word in (case["error"], *case.get("says", [])) if word not in str(refused.value)] == []
        return
    with read_till(path, TillMapping.parse(settings, "case.toml")) as sheet:
        assert _outcome(sheet) == _expected(case)
        assert sum(sheet.rows_by_fate().values()) == sheet.rows_read
        _check_words(case, sheet, path.name)
        _check_sales(case, sheet)
        assert sheet.needs_attention == bool(case.get("held_back") or case.get("malformed"))


@pytest.mark.parametrize(
    ("case", "form"),
    [
        pytest.param(case, form, id=f"{case['name']}: {form}")
        for case in TABLE["case"]
        for form in _forms(case)
        if case.get("inspected") and form != "gb18030"
    ],
)
def test_an_inspection_proposes_how_a_file_is_written(case: Case, form: str, tmp_path: Path) -> None:
    """With the case's own points for articles, which no file tells, the proposed mapping issues what is right."""
    settings = _settings(case, form)
    path = _write(case, form, settings, tmp_path)
    proposed = tomllib.loads(inspect_till(path).toml)
    proposed.pop("units", None)
    proposed |= {section: settings[section] for section in ("points", "articles")}
    with read_till(path, TillMapping.parse(proposed, "proposed.toml")) as sheet:
        assert _outcome(sheet)["points"] == case.get("points", {})
        assert _outcome(sheet)["no_customer"] == sorted(case.get("no_customer", []))


def test_every_case_says_what_it_expects() -> None:
    """A misspelt outcome would test nothing."""
    names = [case["name"] for case in TABLE["case"]]
    assert len(set(names)) == len(names) >= 60
    for case in TABLE["case"]:
        assert set(case) <= SETTINGS | OUTCOMES, case["name"]
        assert case["why"], case["name"]
        assert len({"rows", "text", "cells"} & set(case)) == 1, case["name"]
        words = {"held_back": {"sale", "lines", "says"}, "malformed": {"line", "field", "value", "says"}}
        words["returns"] = {"sale", "back", "unmatched"}
        for outcome, keys in words.items():
            assert all(set(entry) <= keys for entry in case.get(outcome, [])), case["name"]


def test_chinese_without_its_encoding_costs_its_own_rows_and_shows_no_raw_bytes(tmp_path: Path) -> None:
    """A GB18030 file read as UTF-8: the rows in ASCII are read, the others are named in characters that a terminal can show."""
    rows = (
        f"{TABLE['header']}\n2026-04-15 08:00:00,1,FC-1,茶叶蛋,1,pcs,5.00\n2026-04-15 08:00:00,2,FC-1,95#,1.00,L,8.00\n"
    )
    path = tmp_path / "till.csv"
    path.write_bytes(rows.encode("gb18030"))
    with read_till(path, TillMapping.parse(tomllib.loads(TABLE["base"]), "case.toml")) as sheet:
        assert [sale.number for sale in sheet.sales] == ["2"]
        (problem,) = sheet.problems
    assert (problem.line, problem.field) == (2, "article")
    assert str(problem).isprintable()


def test_chinese_headers_without_their_encoding_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "till.csv"
    path.write_bytes("时间,流水号,卡号,油品,数量,单位,金额\n".encode("gb18030"))
    with pytest.raises(TillError, match="encoding") as refused, read_till(path, "station"):
        pass
    assert str(refused.value).isprintable()
