"""Writes docs/errors.md and its Chinese twin from the catalogue of problems; with --check, only says whether they are current."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from clearing.kit.catalogue import GROUPS, ProblemKind

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = ROOT / "docs" / "errors.md"
CHINESE = ROOT / "docs" / "zh" / "errors.md"
TRANSLATION = Path(__file__).with_name("error_catalogue.zh.toml")

Translated = tuple[str, str, str]
"""Title, when, remedy."""

_INTRODUCTION = """# Errors

[中文](zh/errors.md)

Every refusal of the gateway is an RFC 9457 problem document. Its `code` is stable: let programs decide by it. Its `type` is a URI
reference to a page of the gateway that says the same as this one, such as `/problems/insufficient-points`. `detail` says what is
wrong with this request, and `errors` names each field (`pointer`) or parameter (`parameter`) at fault.

This page is made from the code: `make errors` writes it.
"""
_INTRODUCTION_ZH = """# 错误

[English](../errors.md)

网关的每次拒绝都是一份 RFC 9457 问题文档。`code` 是稳定的，程序应以它为准。`type` 是指向网关页面的 URI 引用，例如
`/problems/insufficient-points`，其内容与本页相同。`detail` 说明这次请求错在哪里，
`errors` 指出每个出错的字段（`pointer`）或参数（`parameter`）。

本页由代码生成：用 `make errors` 重写。
"""


def english() -> str:
    """The English page."""
    return _page(
        _INTRODUCTION, ("code", "status", "title", "when", "what to do"), lambda group: group, lambda kind: kind[2:]
    )


def chinese() -> str:
    """The Chinese page. Raises KeyError for a code without a translation."""
    words = tomllib.loads(TRANSLATION.read_text(encoding="utf-8"))

    def translated(kind: ProblemKind) -> Translated:
        found = words[kind.code]
        return found["title"], found["when"], found["remedy"]

    return _page(_INTRODUCTION_ZH, ("代码", "状态", "标题", "何时", "怎么办"), words["groups"].__getitem__, translated)


def _page(
    introduction: str,
    columns: tuple[str, ...],
    group_name: Callable[[str], str],
    words: Callable[[ProblemKind], Translated],
) -> str:
    lines = [introduction]
    for group, kinds in GROUPS.items():
        lines += [f"## {group_name(group)}\n", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        for kind in kinds:
            statuses = ", ".join(map(str, kind.statuses))
            lines.append(f"| `{kind.code}` | {statuses} | {' | '.join(words(kind))} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Writes both pages, or compares them."""
    pages = {ENGLISH: english(), CHINESE: chinese()}
    stale = [page for page, text in pages.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for page in stale:
            print(f"{page.relative_to(ROOT)} is not what the catalogue says: run `make errors`")
        return 1 if stale else 0
    for page in stale:
        page.write_text(pages[page], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
