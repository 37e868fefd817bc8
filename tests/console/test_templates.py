"""Templates: what they override is there, and what there is to use is used."""

from __future__ import annotations

import re

import pytest
from jinja2 import nodes

from console.app import create_app
from console.parts import Parts
from console.settings import Settings
from tests.console.site import ROOT

PARTS: Parts = create_app(Settings()).state.parts
NAMES = PARTS.templates.list_templates()
IMAGES = (ROOT / "pages" / "build" / "img" / "icons.svg").read_text(encoding="utf-8")
ICONS = set(re.findall(r'<symbol id="([\w-]+)"', IMAGES))
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for wing in ("console", "pages")
    for path in (ROOT / wing).rglob("*")
    if path.suffix in {".py", ".html", ".js", ".mjs"} and "static" not in path.parts
)


def parsed(name: str) -> nodes.Template:
    loader = PARTS.templates.loader
    assert loader is not None
    return PARTS.templates.parse(loader.get_source(PARTS.templates, name)[0])


def blocks_of(name: str) -> set[str]:
    """The blocks of a template and of all that it extends."""
    found = {block.name for block in parsed(name).find_all(nodes.Block)}
    return found.union(*(blocks_of(parent) for parent in parents_of(name)))


def parents_of(name: str) -> set[str]:
    """What a template extends: one of two where that depends on the person."""
    return {
        str(constant.value)
        for extends in parsed(name).find_all(nodes.Extends)
        for constant in extends.find_all(nodes.Const)
    }


@pytest.mark.parametrize("name", [name for name in NAMES if parents_of(name)])
def test_a_template_fills_only_blocks_that_there_are(name: str) -> None:
    own = {block.name for block in parsed(name).find_all(nodes.Block)}
    for parent in parents_of(name):
        assert own <= blocks_of(parent) | {inner for block in own for inner in _within(name, block)}


def _within(name: str, outer: str) -> set[str]:
    """Blocks that a template makes inside one that it fills: for those that extend it."""
    return {
        inner.name
        for block in parsed(name).find_all(nodes.Block)
        if block.name == outer
        for inner in block.find_all(nodes.Block)
    }


def test_every_picture_is_used_and_every_used_one_is_there() -> None:
    used = set(re.findall(r'icon\("([\w-]+)"', SOURCES))
    assert used <= ICONS
    assert {name for name in ICONS if not re.search(rf"[\"'#]{name}[\"']", SOURCES)} == set()
