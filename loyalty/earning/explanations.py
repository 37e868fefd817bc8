"""Puts the reasons of an award into words, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from loyalty.earning.effects import EFFECTS, Earning
from loyalty.earning.reasons import Reason, Text

Language = Literal["en", "zh"]

WORDS: dict[str, Text] = {
    "coefficient": Text("x {coefficient} {name}", "× {coefficient} {name}"),
    "coefficient_of_lines": Text("x {coefficient} {name} (lines {lines})", "× {coefficient} {name}（第 {lines} 行）"),
    "together": Text("together x {coefficient}", "合计 × {coefficient}"),
    "together_of_lines": Text("together x {coefficient} (lines {lines})", "合计 × {coefficient}（第 {lines} 行）"),
    "carried_from": Text("+ {remainder} from earlier sales", "加上以前结余的 {remainder}"),
    "carried_to": Text("{remainder} kept for the next sale", "{remainder} 留到下次"),
    "rounded_down": Text("rounded down", "向下取整"),
    "capped": Text("capped at {points}", "上限 {points}"),
    "budget_part": Text("only {points} left in the budget", "预算只剩 {points}"),
    "budget_refused": Text("more than the budget has left", "超出预算余额"),
    "budget_stopped": Text("the budget is spent and the rule has ended", "预算已用完，规则已停止"),
}
WORDS.update({kind.model_fields["kind"].default: kind.SAYS for kind in EFFECTS if issubclass(kind, Earning)})


def explain(points: int, name: Text, reasons: Iterable[Reason], language: Language = "en") -> str:
    """How many points a rule gave, and why, in one line."""
    steps = [words(reason, language) for reason in reasons]
    if language == "zh":
        return f"{name.zh} {points}：{'；'.join(steps)}"
    return f"{points} {name.en}: {'; '.join(steps)}"


def words(reason: Reason, language: Language) -> str:
    """One reason in words."""
    values = {name: _said(value, language) for name, value in reason.values}
    return str(getattr(WORDS[reason.code], language)).format(**values)


def _said(value: str | int | Text, language: Language) -> str:
    return str(getattr(value, language)) if isinstance(value, Text) else str(value)
