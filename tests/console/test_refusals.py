"""Only what the gateway refuses is a refusal. Whatever fails after something was done, and whatever nobody knows, acts once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.console.lossy import way_to
from tests.console.sending import opened
from tests.console.served import served
from tests.console.site import ROOT, Site

FILES = sorted((ROOT / "console").rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_answered_while_refusals_are_caught(file: Path) -> None:
    """An answer that cannot be rendered would look as if the gateway had refused what it has done."""
    blocks = [
        one
        for one in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(one, ast.With) and any("refusals(" in ast.unparse(item.context_expr) for item in one.items)
    ]
    answers = [
        f"line {inner.lineno}: {ast.unparse(inner)}"
        for block in blocks
        for inner in ast.walk(block)
        if isinstance(inner, ast.Return) or (isinstance(inner, ast.Attribute) and inner.attr in ("page", "redirect"))
    ]
    assert answers == []


def test_a_page_that_breaks_after_something_was_done_is_no_refusal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[str]:
        raise ValueError("it cannot be shown")

    with (
        served(site.network.url) as url,
        site.http(site.seats["merchant:admin"]) as http,
    ):
        http.base_url = url
        sheet = opened(http, "/keys/new")
        wanted = {"name": "Once only", "scopes": "read"}
        with monkeypatch.context() as patch:
            patch.setattr("console.keys.routes._abilities", broken)
            assert sheet.send("/keys/new", **wanted).status == 500
        assert sheet.send("/keys/new", **wanted).status == 200
        assert opened(http, "/keys").text.count("Once only") == 1


def test_an_issue_whose_answer_is_lost_happens_once(site: Site) -> None:
    """Somebody checks it again after the page has said that nobody knows, and confirms it again."""
    station = site.merchants["FUEL"].client
    station.members.create(external_id="LOST-1")
    typed = {"member": "LOST-1", "program": "FUEL", "points": "70", "reason": "goodwill"}
    with (
        way_to(site.network.url) as way,
        served(way.url) as url,
        site.http(site.seats["merchant:admin"]) as http,
    ):
        http.base_url = url
        asked = opened(http, "/issue").send("/issue", **typed)
        way.loses = "POST /v1/issuances"
        unknown = asked.send("/issue", **typed, step="do")
        assert "it will happen only once" in unknown.text
        way.loses = "nothing"
        again = unknown.send("/issue", **typed)
        assert again.send("/issue", **typed, step="do").leads_to.startswith("/members/")
    assert [one.points for one in station.issuances.list(member="external:LOST-1").page().data] == [70]
