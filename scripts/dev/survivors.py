"""What is said of mutants that no test notices, in a file of answers: why each of them makes no difference."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path


def judge(answers: Path, survivors: set[str], why_stale: Callable[[str], str], *, tried: int, possible: str) -> bool:
    """Prints the summary of a run. Whether each survivor has an answer, and no answer is stale.

    Args:
        answers: A TOML file: by a mutant's name, why it makes no difference.
        survivors: The mutants that no test noticed.
        why_stale: Of an answered mutant: why it needs no answer any more; empty if it does.
        tried: How many mutants were tried.
        possible: Of how many, in words.
    """
    known = tomllib.loads(answers.read_text()) if answers.exists() else {}
    unanswered, stale = sorted(survivors - known.keys()), sorted(filter(why_stale, known))
    for name in unanswered:
        print(f"no test notices it, and {answers.name} does not say why: {name}")
    for name in stale:
        print(f"{why_stale(name)}; take it out of {answers.name}: {name}")
    print(
        f"{tried} of {possible} tried: {tried - len(survivors)} noticed, "
        f"{len(survivors) - len(unanswered)} survive and are answered, {len(unanswered)} survive unanswered"
    )
    return not unanswered and not stale
