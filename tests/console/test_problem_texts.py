"""Every code of the gateway has a sentence in the console."""

from __future__ import annotations

from clearing.kit.catalogue import CATALOGUE
from console.problem_texts import SENTENCES


def test_every_code_of_the_gateway_has_a_sentence() -> None:
    assert set(SENTENCES) >= set(CATALOGUE)
