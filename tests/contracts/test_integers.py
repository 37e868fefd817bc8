"""The proofs' own solver may fail to prove, but never proves what is false: z3's bit-vector solver knows better on small words."""

from __future__ import annotations

from typing import Any

import pytest
import z3  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from scripts.dev.integers import ASK_AGAIN, answer

SIZE = 5
X, Y, Z = z3.BitVecs("x y z", SIZE)
ZERO = z3.BitVecVal(0, SIZE)

terms = st.recursive(
    st.one_of(st.sampled_from([X, Y, Z]), st.integers(0, 2**SIZE - 1).map(lambda n: z3.BitVecVal(n, SIZE))),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(z3.UDiv, inner, inner),
        st.builds(lambda a, b: z3.If(b == 0, ZERO, z3.UDiv(a, b)), inner, inner),
        st.builds(lambda a, k: z3.Concat(z3.BitVecVal(0, SIZE - k), z3.Extract(k - 1, 0, a)), inner, st.integers(1, 4)),
        st.builds(lambda a, k: z3.ZeroExt(k, z3.Extract(SIZE - 1, k, a)), inner, st.integers(1, 4)),
    ),
    max_leaves=6,
)
comparisons = st.sampled_from([z3.ULE, z3.ULT, z3.UGE, z3.UGT, lambda a, b: a == b, lambda a, b: a != b])
formulas = st.builds(lambda compare, a, b: compare(a, b), comparisons, terms, terms)


def smt2(*claims: Any) -> str:
    solver = z3.Solver()
    solver.add(*claims)
    return str(solver.to_smt2())


def narrow(name: str, bits: int) -> Any:
    """A 256-bit word that holds a narrower value, as halmos writes it."""
    return z3.ZeroExt(256 - bits, z3.Extract(bits - 1, 0, z3.BitVec(name, 256)))


@given(claims=st.lists(formulas, min_size=1, max_size=4))
def test_what_it_calls_impossible_is_impossible(claims: list[Any]) -> None:
    bits = z3.Solver()
    bits.add(*claims)

    if answer(smt2(*claims), seconds=1) == "unsat":
        assert bits.check() == z3.unsat


@given(n=st.integers(0, 2**SIZE - 1), claims=st.lists(formulas, min_size=1, max_size=3))
def test_what_happens_is_never_called_impossible(n: int, claims: list[Any]) -> None:
    """Of every formula, it or its contrary holds for the values that are chosen here."""
    chosen = [(X, z3.BitVecVal(n, SIZE)), (Y, z3.BitVecVal(n ^ 3, SIZE)), (Z, z3.BitVecVal(n // 2, SIZE))]
    true = [c if z3.is_true(z3.simplify(z3.substitute(c, *chosen))) else z3.Not(c) for c in claims]

    assert answer(smt2(*true), seconds=1) == "unknown"


@pytest.mark.parametrize("size", [64, 256])
def test_words_that_wrap_are_not_taken_for_numbers(size: int) -> None:
    x, y = z3.BitVecs("x y", size)

    assert answer(smt2(z3.UGT(x, 1), z3.UGT(y, 1), x * y == 0), seconds=5) == "unknown"
    assert answer(smt2(x + 1 == 0), seconds=5) == "unknown"


def test_it_proves_what_is_hard_for_bits_and_not_the_contrary() -> None:
    points, num, den = narrow("points", 64), narrow("num", 32), narrow("den", 32)
    nonzero = [z3.Not(z3.Extract(31, 0, z3.BitVec(name, 256)) == 0) for name in ("num", "den")]
    out = z3.UDiv(points * num, den)

    assert answer(smt2(*nonzero, z3.UGT(out * den, points * num)), seconds=30) == "unsat"
    assert answer(smt2(*nonzero, z3.ULT(out * den, points * num)), seconds=5) == "unknown"
    assert answer(smt2(z3.UGT(out * den, points * num)), seconds=5) == "unknown"  # the divisor may be zero


def test_halmos_is_asked_for_definitions() -> None:
    """It takes any `sat` with an `f_evm_` in it for a model that may not hold, and asks again."""
    assert ASK_AGAIN.startswith("sat\n")
    assert "f_evm_" in ASK_AGAIN
