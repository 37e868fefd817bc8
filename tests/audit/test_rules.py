"""Every rule of the audit is said in one sentence, and the documentation says the same."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tongdui.audit

ROOT = Path(__file__).resolve().parents[2]
_CODE = re.compile(r'"((?:[a-z]+)\.[a-z_]+)"')


def _modules() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(tongdui.audit.__path__, "tongdui.audit.")]


def rules() -> dict[str, str]:
    """All rules with their sentences."""
    found: dict[str, str] = {}
    for name in _modules():
        for code, sentence in getattr(importlib.import_module(name), "RULES", {}).items():
            assert found.setdefault(code, sentence) == sentence, f"{code} is said in two ways"
    return found


def documented(page: str) -> dict[str, str]:
    """Codes and sentences of the page's table of rules."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.+?) \|$", text, re.MULTILINE))


def test_the_page_says_every_rule_as_the_code_does() -> None:
    assert documented("docs/audit.md") == rules()


def test_the_chinese_page_has_every_rule() -> None:
    assert list(documented("docs/zh/audit.md")) == list(documented("docs/audit.md"))


@pytest.mark.parametrize("code", sorted(rules()))
def test_a_sentence_is_one(code: str) -> None:
    sentence = rules()[code]
    assert 10 < len(sentence) < 200
    assert "|" not in sentence
