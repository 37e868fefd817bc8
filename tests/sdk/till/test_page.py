"""What docs/issue-at-the-pump.md says about mappings is what the reader takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tongdui.till._mapping import _CATEGORIES, _SETTINGS, TillMapping

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / "issue-at-the-pump.md", ROOT / "docs" / "zh" / "issue-at-the-pump.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_page_explains_every_setting_of_a_mapping(page: Path) -> None:
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    explained = set(re.findall(r"`\[?([\w.]+)\]?`", " ".join(rows)))
    settings = {setting for section in _SETTINGS.values() for setting in section}
    nested = {"only": "rows.only", "skip": "rows.skip", "optional": "columns.optional"}
    assert {nested.get(setting, setting) for setting in settings | set(_CATEGORIES)} - explained == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_mapping_on_the_page_is_the_one_that_ships(page: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    shown = TillMapping.parse(tomllib.loads(block), "Online Retail")
    assert shown == TillMapping.load("online_retail")
