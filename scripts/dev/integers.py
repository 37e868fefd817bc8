"""The SMT solver that `scripts/dev/prove.py` uses for 256-bit products and quotients: it reads bit vectors as integers.

Bit-vector solvers multiply bit by bit and drown in 64-bit products. Here each term is a whole number with known bounds, which show
that almost every `mod 2^256` does nothing and can be dropped; a quotient q of x by y is any q with q*y <= x < q*y + y. A term that
cannot be read this way is left out, which only makes proving harder. So `unsat` can be trusted, and anything else is `unknown`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import z3  # type: ignore[import-untyped]

# Halmos first leaves products and quotients open. If a model depends on them, it asks again, with their definitions.
ASK_AGAIN = "sat\n; f_evm_"
SECONDS = 600  # halmos ends it earlier


class Unreadable(Exception):
    """A term that cannot be read as an integer."""


class Number(NamedTuple):
    """An integer term and the bounds of its value."""

    term: Any
    low: int
    high: int


class Reader:
    """Reads bit-vector formulas as formulas about integers."""

    def __init__(self) -> None:
        self.facts: list[Any] = []
        self._numbers: dict[int, Number] = {}
        self._not_zero: set[int] = set()
        self._kept: list[Any] = []  # z3 reuses the ids of terms that nobody holds

    def note(self, e: Any) -> None:
        """Remembers a term that an asserted formula says is not zero. Call it before reading any formula."""
        if not (z3.is_not(e) and z3.is_eq(e.arg(0)) and z3.is_bv(e.arg(0).arg(0))):
            return
        for term, other in (e.arg(0).children(), e.arg(0).children()[::-1]):
            if z3.is_bv_value(other) and other.as_long() == 0:
                self._kept.append(term)
                self._not_zero.add(term.get_id())

    # ---------------------------------------------------------------- formulas

    def formula(self, e: Any) -> Any:
        """Returns the formula about integers. Raises Unreadable."""
        kind = e.decl().kind()
        if kind in (z3.Z3_OP_TRUE, z3.Z3_OP_FALSE):
            return e
        if kind in _CONNECTIVES:
            return _CONNECTIVES[kind](*map(self.formula, e.children()))
        if kind == z3.Z3_OP_IMPLIES:
            return z3.Implies(*map(self.formula, e.children()))
        if kind == z3.Z3_OP_EQ and z3.is_bool(e.arg(0)):
            return self.formula(e.arg(0)) == self.formula(e.arg(1))
        if kind in _COMPARISONS and z3.is_bv(e.arg(0)):
            left, right = map(self.number, e.children())
            return _COMPARISONS[kind](left.term, right.term)
        raise Unreadable(e.decl().name())

    # ---------------------------------------------------------------- numbers

    def number(self, e: Any) -> Number:
        """Returns the unsigned value of a bit-vector term."""
        key = e.get_id()
        if key not in self._numbers:
            self._kept.append(e)
            n = self._read(e)
            self._numbers[key] = n._replace(low=max(n.low, 1)) if key in self._not_zero else n
        return self._numbers[key]

    def _read(self, e: Any) -> Number:
        kind, size = e.decl().kind(), e.size()
        if z3.is_bv_value(e):
            return Number(z3.IntVal(e.as_long()), e.as_long(), e.as_long())
        if kind == z3.Z3_OP_UNINTERPRETED and e.num_args() == 0:
            return self._bounded(z3.FreshInt("x"), 0, 2**size - 1)
        if kind in (z3.Z3_OP_BADD, z3.Z3_OP_BMUL):
            return self._wrap(self._fold(e), size)
        reading = _READINGS.get(kind)
        if reading is None:
            raise Unreadable(e.decl().name())
        return reading(self, e)

    def _bounded(self, term: Any, low: int, high: int) -> Number:
        self.facts += [low <= term, term <= high]
        return Number(term, low, high)

    def _fold(self, e: Any) -> Number:
        """Returns a sum or product before it wraps. A summand in the upper half, such as the -1 of `x - 1`, counts as negative."""
        numbers = [self.number(child) for child in e.children()]
        if e.decl().kind() == z3.Z3_OP_BADD:
            numbers = [self._signed(n, e.size()) for n in numbers]
            return Number(sum(n.term for n in numbers), sum(n.low for n in numbers), sum(n.high for n in numbers))
        term, low, high = numbers[0]
        for n in numbers[1:]:
            term, low, high = term * n.term, low * n.low, high * n.high
        return Number(term, low, high)

    def _signed(self, n: Number, size: int) -> Number:
        if n.low < 2 ** (size - 1):
            return n
        return Number(n.term - 2**size, n.low - 2**size, n.high - 2**size)

    def _wrap(self, n: Number, size: int) -> Number:
        """Returns the value modulo 2^size: the same value, if its bounds fit."""
        if n.low >= 0 and n.high < 2**size:
            return self._bounded(*n)
        turns = z3.FreshInt("turns")
        return self._bounded(n.term - turns * 2**size, 0, 2**size - 1)

    def _divide(self, x: Number, y: Number) -> Number:
        if y.low == 0:
            raise Unreadable("division by a term that may be zero")
        q = self._bounded(z3.FreshInt("q"), x.low // y.high, x.high // y.low)
        self.facts += [q.term * y.term <= x.term, x.term < q.term * y.term + y.term]
        return q

    def _quotient(self, e: Any) -> Number:
        return self._divide(self.number(e.arg(0)), self.number(e.arg(1)))

    def _extend(self, e: Any) -> Number:
        return self.number(e.arg(0))

    def _extract(self, e: Any) -> Number:
        high, low = e.params()
        n = self.number(e.arg(0))
        if low:
            n = self._divide(n, Number(z3.IntVal(2**low), 2**low, 2**low))
        return self._wrap(n, high - low + 1)

    def _concat(self, e: Any) -> Number:
        whole = Number(z3.IntVal(0), 0, 0)
        for child in e.children():
            n, scale = self.number(child), 2 ** child.size()
            whole = Number(whole.term * scale + n.term, whole.low * scale + n.low, whole.high * scale + n.high)
        return whole

    def _choice(self, e: Any) -> Number:
        """Returns one of two terms. In the EVM `x / y` is 0 if y is 0; if y cannot be 0, only the quotient is left."""
        zero = e.arg(0)
        if zero.decl().kind() == z3.Z3_OP_EQ and z3.is_bv(zero.arg(0)):
            left, right = map(self.number, zero.children())
            if left.high < right.low or right.high < left.low:
                return self.number(e.arg(2))
        first, second = self.number(e.arg(1)), self.number(e.arg(2))
        chosen = z3.If(self.formula(e.arg(0)), first.term, second.term)
        return Number(chosen, min(first.low, second.low), max(first.high, second.high))


_CONNECTIVES: dict[int, Callable[..., Any]] = {z3.Z3_OP_AND: z3.And, z3.Z3_OP_OR: z3.Or, z3.Z3_OP_NOT: z3.Not}
_COMPARISONS: dict[int, Callable[[Any, Any], Any]] = {
    z3.Z3_OP_EQ: lambda a, b: a == b,
    z3.Z3_OP_ULEQ: lambda a, b: a <= b,
    z3.Z3_OP_ULT: lambda a, b: a < b,
    z3.Z3_OP_UGEQ: lambda a, b: a >= b,
    z3.Z3_OP_UGT: lambda a, b: a > b,
}
_READINGS: dict[int, Callable[[Reader, Any], Number]] = {
    z3.Z3_OP_BUDIV: Reader._quotient,
    z3.Z3_OP_BUDIV_I: Reader._quotient,
    z3.Z3_OP_ZERO_EXT: Reader._extend,
    z3.Z3_OP_EXTRACT: Reader._extract,
    z3.Z3_OP_CONCAT: Reader._concat,
    z3.Z3_OP_ITE: Reader._choice,
}


def answer(text: str, seconds: int = SECONDS) -> str:
    """Answers `unsat` or `unknown` to a question in SMT-LIB."""
    reader = Reader()
    solver = z3.Solver()
    solver.set("timeout", seconds * 1_000)
    assertions = z3.parse_smt2_string(text)
    for assertion in assertions:
        reader.note(assertion)
    for assertion in assertions:
        try:
            solver.add(reader.formula(assertion))
        except Unreadable as what:
            print(f"; left out: {what}", file=sys.stderr)
    solver.add(*reader.facts)
    return "unsat" if solver.check() == z3.unsat else "unknown"


if __name__ == "__main__":
    question = Path(sys.argv[1]).read_text()
    print(ASK_AGAIN if "(declare-fun f_evm_" in question else answer(question))
