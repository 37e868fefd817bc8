"""The docs hold together: both languages, every link, every decision. (`tests/e2e/test_documents.py` runs what they print.)"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
TWINS = [(page, DOCS / "zh" / page.name) for page in sorted(DOCS.glob("*.md"))]
TWINS.append((ROOT / "README.md", ROOT / "README.zh-CN.md"))
TWINS.append((DOCS / "examples" / "README.md", DOCS / "zh" / "examples" / "README.md"))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _prose(page: Path) -> str:
    """The page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def _headings(page: Path) -> list[int]:
    """The level of each heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#{1,6}) ", _prose(page), re.MULTILINE)]


def _blocks(page: Path) -> list[tuple[str, list[str]]]:
    """Language and lines of each code block. Comments are left out: they are translated."""
    return [
        (language, [line.rstrip() for line in _COMMENT.sub("", code).splitlines() if line.strip()])
        for language, code in _BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def _tables(page: Path) -> list[int]:
    """How many rows each table has."""
    lines = _prose(page).splitlines()
    rows = "".join("|" if line.startswith("|") else " " for line in lines)
    return [len(table) for table in rows.split()]


def _names(page: Path) -> set[str]:
    """What stands in inline code: commands, settings, fields."""
    return set(re.findall(r"`[^`]+`", _prose(page)))


def _anchor(heading: str) -> str:
    """The anchor that a heading gets."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_anchor(heading) for heading in re.findall(r"^#{1,6} (.*)$", _prose(page), re.MULTILINE)}


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=_name)
def test_a_page_has_a_chinese_twin_of_the_same_structure(english: Path, chinese: Path) -> None:
    assert chinese.exists(), f"{_name(english)} has no {_name(chinese)}"
    assert _headings(english) == _headings(chinese)
    assert _blocks(english) == _blocks(chinese)
    assert _tables(english) == _tables(chinese)
    assert _names(english) - _names(chinese) == set(), "names of the English page that the Chinese one lacks"


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=_name)
def test_twins_link_to_each_other_at_the_top(english: Path, chinese: Path) -> None:
    for page, twin, language in ((english, chinese, "中文"), (chinese, english, "English")):
        targets = re.findall(rf"^\[{language}\]\((.+)\)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert [(page.parent / target).resolve() for target in targets[:1]] == [twin]


def test_a_chinese_page_has_an_english_twin() -> None:
    orphans = [page.name for page in (DOCS / "zh").glob("*.md") if not (DOCS / page.name).exists()]
    assert orphans == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_resolve(page: Path) -> None:
    for link in _LINK.findall(_prose(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), f"{_name(page)} points at {link}"
        if anchor and linked.suffix == ".md":
            assert anchor in _anchors(linked), f"{_name(page)} points at {link}, which has no such heading"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=_name)
def test_paths_that_a_page_names_exist(page: Path) -> None:
    paths = re.findall(r"`((?:clearing|contracts|docs|gateway|scripts|sdk|snapshots|tests)/[\w./-]*)`", _prose(page))
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists()] == []


def test_decisions_are_numbered_without_gaps() -> None:
    names = sorted(page.name for page in DECISIONS.glob("*.md") if page.name != "README.md")
    assert Counter(name[:5] for name in names) == Counter(f"{number:04}-" for number in range(1, len(names) + 1))


def test_decisions_are_in_the_order_of_their_dates() -> None:
    dates = [_dated(page) for page in sorted(DECISIONS.glob("[0-9]*.md"))]
    assert dates == sorted(dates)


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("[0-9]*.md")), ids=_name)
def test_a_decision_has_a_number_a_status_and_a_line_in_the_index(page: Path) -> None:
    number, text = page.name[:4], page.read_text(encoding="utf-8")
    assert text.startswith(f"# {number}. ")
    status = re.findall(r"^- Status: (proposed|accepted|superseded by \d{4})$", text, re.MULTILINE)
    assert len(status) == 1
    assert [heading for heading in ("Context", "Choice", "Consequences") if f"\n## {heading}\n" not in text] == []
    line = f"| [{number}]({page.name}) | {_dated(page)} | {status[0]} |"
    assert line in (DECISIONS / "README.md").read_text(encoding="utf-8")


def _dated(page: Path) -> date:
    (found,) = re.findall(r"^- Date: (\d{4}-\d{2}-\d{2})$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return date.fromisoformat(found)


def test_code_points_at_decisions_that_exist() -> None:
    sources = [
        path for top in ("clearing", "gateway", "sdk", "scripts", "contracts", "tests") for path in _sources(top)
    ]
    for source in [*sources, ROOT / "Makefile", ROOT / "pyproject.toml"]:
        for target in re.findall(r"docs/[\w/-]+\.md", source.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{_name(source)} points at {target}"


def _sources(top: str) -> list[Path]:
    return [path for kind in ("py", "sol", "sh", "toml") for path in (ROOT / top).rglob(f"*.{kind}")]
