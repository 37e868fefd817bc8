"""The report's page in a browser: accessible, on its own, and whole on paper. And its words in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.audit.report.sample import FINDINGS, report
from tests.audit.report.story import Story, year
from tests.console.site import AXE, WCAG
from tongdui.audit.every_rule import RULES
from tongdui.audit.liability.settings import ProgramTerms
from tongdui.audit.report.document import Report
from tongdui.audit.report.page import page
from tongdui.audit.report.periods import periods_of
from tongdui.audit.report.words import LANGUAGES, Language, Words, vocabulary

_CHINESE = re.compile("[\u4e00-\u9fff]")


TERMS = ProgramTerms("FUEL", 10_000, 100_000, ((0, Fraction(97, 100)),))


@pytest.fixture(scope="module")
def made() -> Report:
    return report(year(days=100), findings=FINDINGS, settings=({"FUEL": TERMS}, b"settings"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--headless", "--no-sandbox", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield chromium
        chromium.close()


def opened(browser: Browser, directory: Path, html: bytes, width: int) -> tuple[Page, list[str]]:
    """A page of a file, and what it asked for or complained about."""
    path = directory / "report.html"
    path.write_bytes(html)
    shown = browser.new_page(viewport={"width": width, "height": 900})
    noise: list[str] = []
    shown.on("request", lambda request: noise.append(request.url))
    shown.on("console", lambda message: noise.append(message.text))
    shown.goto(path.as_uri())
    return shown, [one for one in noise if one != path.as_uri()]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("zh", 390)])
def test_the_page_is_accessible_and_stands_alone(
    browser: Browser, made: Report, tmp_path: Path, language: Language, width: int
) -> None:
    shown, noise = opened(browser, tmp_path, page(made, language), width)
    assert noise == []
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert shown.evaluate("document.fonts.size") == 0
    assert shown.locator("svg.chart").count() >= 9
    assert shown.locator("script, link, img, [style]").count() == 0
    assert shown.locator("h1").count() == 1
    shown.close()
    with_axe = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900}).new_page()
    with_axe.goto((tmp_path / "report.html").as_uri())
    with_axe.evaluate(AXE)
    violations = with_axe.evaluate(
        "async tags => (await axe.run(document, {runOnly: tags})).violations.map("
        "one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html).join(' | '))",
        list(WCAG),
    )
    assert violations == []


def test_a_script_in_the_page_does_not_run(browser: Browser, made: Report, tmp_path: Path) -> None:
    html = page(made, "en").replace(b"</body>", b"<script>document.title = 'taken over'</script></body>")
    shown, noise = opened(browser, tmp_path, html, 1280)
    assert "Audit report" in shown.title()
    assert "Content Security Policy" in noise[0]
    shown.close()


def test_it_prints_on_white_paper_with_the_heads_of_tables_on_each_sheet(
    browser: Browser, made: Report, tmp_path: Path
) -> None:
    shown, _ = opened(browser, tmp_path, page(made, "en"), 1280)
    pdf = shown.pdf(prefer_css_page_size=True, print_background=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 10 <= sheets <= 25
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf or re.search(rb"/MediaBox \[0 0 59[45]\.?\d* 84[12]", pdf)
    shown.emulate_media(media="print", color_scheme="dark")
    style = shown.evaluate(
        "() => [getComputedStyle(document.querySelector('thead')).display,"
        "getComputedStyle(document.documentElement).backgroundColor,"
        "getComputedStyle(document.querySelector('h2.page')).breakBefore]"
    )
    assert style == ["table-header-group", "rgb(255, 255, 255)", "page"]
    shown.close()


def test_the_verdict_comes_first(made: Report) -> None:
    text = page(made, "en").decode()
    order = ["3 findings", "What was not checked", "Scope and method", "Points over time", "Who owes whom"]
    places = [text.index(f">{one}<") for one in order]
    assert places == sorted(places)
    entries = f"{made.entries:,}"
    assert f"<strong>All {entries} entries hold</strong>" in page(report(year(days=100)), "en").decode()
    assert f"<strong>全部 {entries} 笔分录均成立</strong>" in page(report(year(days=100)), "zh").decode()
    assert "0x9e2f0a7e1c4d5b6a7f8091a2b3c4d5e6f7081920, which nobody has registered" in text
    assert "block 913, transaction 0x" in text


def test_an_empty_network_has_a_page(tmp_path: Path) -> None:
    story = Story()
    story.begin()
    for language in LANGUAGES:
        assert b"<h1>" in page(report(story), language)


def test_all_words_are_in_both_languages() -> None:
    assert set(vocabulary()["rules"]) == set(RULES)
    assert all(_CHINESE.search(says) for says in vocabulary()["rules"].values())
    for part, names in vocabulary().items():
        if part == "rules":
            continue
        for name, (english, chinese) in names.items():
            gaps = re.compile(r"\{\w+\}")
            assert sorted(gaps.findall(english)) == sorted(gaps.findall(chinese)), name
            assert not _CHINESE.search(english), name
            assert _CHINESE.search(chinese) or chinese in ("SHA-256", "{code}：{unit}"), (part, name)


def test_a_name_that_nobody_knows_is_shown_as_it_is() -> None:
    words = Words("zh")
    assert words.value("instructions.refused.over_daily_cap") == "被拒指令: over daily cap"
    assert words.value("strange") == "strange"


@pytest.mark.parametrize(
    ("last", "unit", "count"),
    [("2026-01-31", "day", 31), ("2026-02-01", "week", 5), ("2026-12-31", "month", 12), ("2031-06-30", "year", 6)],
)
def test_days_are_put_together_to_what_a_chart_can_show(last: str, unit: str, count: int) -> None:
    periods = periods_of("2026-01-01", last)
    assert (periods.unit, len(periods.labels)) == (unit, count)
    assert (periods.place("2026-01-01"), periods.place(last)) == (0, count - 1)
