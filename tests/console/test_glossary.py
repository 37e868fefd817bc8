"""One word for one thing, in Chinese too: what the glossary has is called by that name on every page."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from tests.console.site import ROOT

TERMS = {
    r"audit log": "审计日志",
    r"credit limit": "授信额度",
    r"declin": "谢绝",
    r"deposit": "入金",
    r"\beras": "抹除",
    r"freez|frozen": "封禁",
    r"link code": "关联码",
    r"liquidity": "流动性",
    r"member code": "会员码",
    r"proposal": "提案",
    r"reject": "驳回",
    r"reversal": "冲正",
    r"second factor": "双重验证",
    r"\bsession": "会话",
    r"statements?\b(?! of booked)": "对账单",
    r"withdrawal": "出金",
}
"""What the glossary's terms look like in English, and their Chinese."""
TEXTS = [
    (path.relative_to(ROOT), str(message.id), str(message.string))
    for path in (ROOT / "pages/zh.po", *sorted((ROOT / "console").rglob("zh.po")))
    for message in read_po(BytesIO(path.read_bytes()))
    if message.id
]


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_the_glossary_has_one_chinese_name(term: str) -> None:
    name = TERMS[term]
    rows = [row for row in (ROOT / "docs/zh/glossary.md").read_text(encoding="utf-8").splitlines() if name in row]
    assert any(re.search(term, row.partition(name)[0], re.IGNORECASE) for row in rows), "the glossary has it"
    found = [one for one in TEXTS if re.search(term, one[1], re.IGNORECASE)]
    assert found
    assert [one for one in found if name not in one[2]] == []
