"""When a rule holds: CEL over typed names, checked when it is written. What compiles can't fail later (decision 0072)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel

from loyalty.earning.names import LINE_NAMES, NAMES, Facts
from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import Line, Sale

LONGEST_CONDITION = 1_000
"""The most characters of a condition."""
_REMEMBERED = 4_096
"""How many answers a condition remembers. Tills sell the same articles over and over."""

_OPERATORS = ("!_", "_&&_", "_||_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_?_:_", "@in")
_FUNCTIONS = ("contains", "endsWith", "size", "startsWith")
# Every one of these answers for all values of its types. Arithmetic may overflow or divide by zero, an index may miss,
# a conversion or a pattern may be malformed: so CEL does not know them here.
_CONFIG = cel.NewEnvConfigFromYaml(
    "stdlib:\n  disable_macros: true\n  include_functions:\n"
    + "".join(f'    - name: "{name}"\n' for name in (*_OPERATORS, *_FUNCTIONS))
)
_ERROR = re.compile(
    r"^(?:INVALID_ARGUMENT: )?ERROR: <input>:(\d+):(\d+): (.*?)(?: \[INVALID_ARGUMENT\])?$", re.MULTILINE
)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_MISMATCH = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_WORDS = {"and": "&&", "or": "||", "=": "==", "‘": "'", "’": "'", "“": '"', "”": '"'}


class ConditionError(ValueError):
    """A condition can't be used. Each problem names the place and what to write there."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is right: it has an answer for every sale.

    Attributes:
        source: The condition as it was written.
        names: The names that it uses.
        per_line: Whether it is asked for each line of a sale.
    """

    source: str
    names: tuple[str, ...]
    per_line: bool
    _of_sale: tuple[Callable[[Facts], object], ...]
    _of_line: tuple[Callable[[Line], object], ...]
    _answer: Callable[[tuple[object, ...]], bool]

    def matching(self, facts: Facts) -> Sequence[Line]:
        """The lines of a sale for which the condition holds: all or none, if it is not asked for each of them."""
        lines, answer = facts.sale.lines, self._answer
        of_sale = tuple([read(facts) for read in self._of_sale])
        if not self._of_line:
            return lines if answer(of_sale) else ()
        if not of_sale and len(self._of_line) == 1:
            read = self._of_line[0]
            return [line for line in lines if answer((read(line),))]
        return [line for line in lines if answer((*of_sale, *[read(line) for read in self._of_line]))]

    def of_anybody(self, sale: Sale) -> Sequence[Line]:
        """The same for a condition that does not ask about the customer."""
        if not self.names:
            return sale.lines if self._answer(()) else ()
        return self.matching(Facts.of(sale, Snapshot(customer=sale.customer or "-")))


_TYPES: Mapping[str, Any] = {name: known.type for name, known in NAMES.items()} | {
    name: known.type for name, known in LINE_NAMES.items()
}


@lru_cache(maxsize=1_024)
def compile_condition(source: str) -> Condition:
    """Compile a condition and check its types.

    Raises:
        ConditionError: It is too long, no CEL, uses an unknown name or a wrong type, or its result is not true or false.
    """
    if len(source) > LONGEST_CONDITION:
        raise ConditionError((f"has {len(source)} characters: write at most {LONGEST_CONDITION}",))
    if "{" in source:
        raise ConditionError((f"{_place(source, source.index('{'))}: maps have no use here: leave {{ }} out",))
    program = _compile(source)
    if program.return_type() != cel.Type.BOOL:
        kind = program.return_type().name().lower()
        raise ConditionError((f"is of type {kind}: compare it with something, such as `{source} == ...`",))
    used = tuple(name for name in _TYPES if _uses(source, name))
    of_sale = tuple(NAMES[name].of for name in used if name in NAMES)
    of_line = tuple(LINE_NAMES[name].of for name in used if name in LINE_NAMES)
    return Condition(source, used, bool(of_line), of_sale, of_line, _answers(program, used))


@cache
def _environment(without: str | None = None) -> Any:
    """What CEL knows here, with all names, or with all but one."""
    types = {name: kind for name, kind in _TYPES.items() if name != without}
    return cel.NewEnv(config=_CONFIG, variables=types)


def _compile(source: str) -> Any:
    try:
        return _environment().compile(source)
    except RuntimeError as error:
        raise ConditionError(_problems(source, str(error))) from None


def _uses(source: str, name: str) -> bool:
    """Whether a condition that compiles needs the name: it may stand in a text, or be the beginning of another name."""
    if name not in source:
        return False
    try:
        _environment(without=name).compile(source)
    except RuntimeError:
        return True
    return False


def _answers(program: Any, names: tuple[str, ...]) -> Callable[[tuple[object, ...]], bool]:
    """The program as a function of its names' values, which remembers its last answers."""

    @lru_cache(maxsize=_REMEMBERED)
    def answer(values: tuple[object, ...]) -> bool:
        data = {
            name: list(value) if isinstance(value, tuple) else value for name, value in zip(names, values, strict=True)
        }
        result = program.eval(data=data)
        if result.type() != cel.Type.BOOL:
            raise AssertionError(f"a checked condition has failed: {result.value()}")
        return bool(result.value())

    return answer


def _problems(source: str, report: str) -> tuple[str, ...]:
    """What the compiler reported, one sentence a place. After a syntax error, only the first one says something."""
    found = [(int(row), int(column), text) for row, column, text in _ERROR.findall(report)]
    syntax = [error for error in found if error[2].startswith("Syntax error")]
    if syntax:
        return (_syntax(*syntax[0]),)
    return tuple(dict.fromkeys(_meaning(source, *error) for error in found)) or (report,)


def _syntax(row: int, column: int, text: str) -> str:
    token = re.search(
        r"(?:token recognition error at: |mismatched input |extraneous input )'(.*?)'(?:$| expecting)", text
    )
    word = token[1].strip() if token else ""
    place = f"{row}:{column}"
    if word in _WORDS or word.startswith("="):
        return f"{place}: CEL does not know '{word}': write {_WORDS.get(word, '==')}"
    if word == "<EOF>":
        return f"{place}: the condition ends too early"
    return f"{place}: '{word}' is not expected here" if word else f"{place}: {text.removeprefix('Syntax error: ')}"


def _meaning(source: str, row: int, column: int, text: str) -> str:
    place = f"{row}:{column}"
    if match := _UNDECLARED.search(text):
        return _unknown(source, row, column, match[1])
    if match := _MISMATCH.search(text):
        operator, types = match[1].replace("_", "").replace("@", ""), match[2].replace(", ", " and ")
        return f"{place}: {operator} does not take {types}{_hint(match[2])}"
    return f"{place}: {text}"


def _hint(types: str) -> str:
    if "double" in types:
        return ": write whole numbers, such as fen in place of yuan"
    if "null_type" in types:
        return ": a name always has a value; compare with '' or 0"
    if "string" in types and "int" in types:
        return ": a text stands in quotes, a number does not"
    return ""


def _unknown(source: str, row: int, column: int, name: str) -> str:
    if re.search(r"\W", name.replace(".", "")) or name.startswith("_"):
        operator = name.replace("_", "")
        return f"{row}:{column}: CEL has no '{operator}' here: a condition compares, and calculates nothing"
    start = source.splitlines()[row - 1].rfind(name, 0, column - 1 + len(name))
    place = f"{row}:{start + 1 if start >= 0 else column}"
    known = get_close_matches(name, [*_TYPES, *_FUNCTIONS], n=1, cutoff=0.6)
    if not known:
        known = [full for full in _TYPES if name in full.split(".")][:1]
    if known:
        return f"{place}: {name} is not known: did you mean {known[0]}?"
    if "." not in name and source.splitlines()[row - 1][start + len(name) : start + len(name) + 1] != "(":
        return f"{place}: {name} is not known: if it is a text, write '{name}'"
    return f"{place}: {name} is not known: use {', '.join(_FUNCTIONS)} or a name such as line.category"


def _place(source: str, index: int) -> str:
    """Row and column of a character."""
    before = source[:index]
    return f"{before.count(chr(10)) + 1}:{index - before.rfind(chr(10))}"


def about_the_sale(source: str) -> str:
    """The condition, if it compiles and asks nothing about the customer. Raises ValueError."""
    names = [name for name in compile_condition(source).names if name.startswith("customer.")]
    if names:
        raise ValueError(f"{names[0]} may change between two sales that count together: leave it out")
    return source
