"""The page on earning rules says what is so: its rule set holds, its program runs, its tables name everything there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loyalty.earning.conditions import ConditionError, compile_condition
from loyalty.earning.evaluation import evaluate
from loyalty.earning.examples import check
from loyalty.earning.names import LINE_NAMES, NAMES
from loyalty.earning.rule_sets import Budget, Rule, read_rule_set
from tests.loyalty.earning.strategies import KINDS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/loyalty-rules.md").read_text(encoding="utf-8")


def block(language: str, at: int = 0) -> str:
    """A code block of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[at]


def first_cells() -> set[str]:
    """What stands in code in the first columns of the tables."""
    cells = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_the_rule_set_of_the_page_holds_and_explains_itself_as_printed() -> None:
    rules = read_rule_set(block("json"))
    assert check(rules) == ()
    (example,) = rules.examples
    (award,) = evaluate(example.sale, example.customer, rules)
    assert [award.explain("en"), award.explain("zh")] == block("text", 1).splitlines()


def test_the_refusals_of_the_page_are_those_of_the_checker() -> None:
    conditions = ["line.categroy == 'fuel'", "line.amount_fen > 99.5"]
    for at, (condition, line) in enumerate(zip(conditions, block("text").splitlines(), strict=True)):
        with pytest.raises(ConditionError) as refused:
            compile_condition(condition)
        assert line == f"rules[{at}].condition: {refused.value}"


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    (tmp_path / "fuel-club.json").write_text(block("json"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["300 L-points: 40.0 L x 5; x 1.5 silver", "2400000 2400000 () ()"]


def test_the_tables_name_every_field_name_and_effect() -> None:
    when_spent = set(Budget.model_fields["when_spent"].annotation.__args__)  # type: ignore[union-attr]
    assert first_cells() == {*Rule.model_fields, *NAMES, *LINE_NAMES, *KINDS, "when_spent", *when_spent}
