"""Tries whether the forge tests notice small faults (mutants) in the contracts: a wrong comparison, a missing check.

Each mutant would take a minute to compile, so one build carries all of them: every place that a mutant changes asks whether a
number, `MARK`, is the mutant's. The mark is a constant of the bytecode; to choose a mutant is to write its number there. Copies of
the sources lie in .build/mutation, so that the checkout stays as it is.

A mutant that no test notices must be answered in contracts/test/survivors.toml: why it makes no difference. A missing answer fails,
and so does an answer to a mutant that was noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import solcx

from scripts.dev import survivors

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / ".build" / "mutation"
OUT = COPY / ".build" / "forge" / "out"
ANSWERS = ROOT / "contracts" / "test" / "survivors.toml"
RESULTS = ROOT / ".build" / "mutants.json"
MARK = 0xD00DFEED
_PUSHED_MARK = f"63{MARK:08x}"

NOT_MUTATED = ("test", "bench", "interfaces")
_OTHER_TESTS = ("halmos", "Gas.t.sol", "Fuzz.t.sol", "Copies.t.sol", "Invariants.t.sol", "Timelock.t.sol")
LEFT_OUT = ("bench", *(f"test/{name}" for name in _OTHER_TESTS))
"""Proofs, benchmarks, and tests of other things than the deployed contract."""
# Unoptimised code, because nobody needs it fast; and few runs of each fuzz test, whatever it asks for itself, because most mutants
# fail at once.
PROFILE = """
[profile.mutation]
optimizer = false

[profile.mutation.fuzz]
runs = 32
"""
_ASKED = "/// forge-config: default.fuzz.runs"
# What takes long runs only if nothing else notices the mutant. Left out: what measures gas, or needs an exact amount of it.
QUICK = ("--no-match-contract", "Gas|Succession", "--no-match-test", "testFuzz|RunningOutOfGas")
SUCCESSION = ("--match-contract", "^SuccessionTest", "--no-match-test", "testFuzz")
FUZZ = ("--match-test", "testFuzz")

SWAPPED = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
SWAPPED |= {"+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "%": ("/",), "<<": (">>",), ">>": ("<<",)}
SWAPPED |= {"&": ("|",), "|": ("&",), "^": ("&",)}

Json = dict[str, Any]


class Mutant(NamedTuple):
    """A fault that the build carries: where, and what it makes of what."""

    number: int
    place: str
    """File and function."""
    before: str
    after: str

    @property
    def name(self) -> str:
        """What it is called in the file of answers; stays the same when lines move."""
        return f"{self.place}: {self.before} -> {self.after}"


@dataclass
class Site:
    """A part of a source, and what the build that carries the mutants has before and after it."""

    start: int
    end: int
    before: str
    after: str = ""
    keeps: bool = True
    """Whether the part itself stays between the two."""


@dataclass
class Source:
    """A source file with its sites."""

    name: str
    text: bytes
    mutants: list[Mutant]
    place: str = ""
    sites: list[Site] = field(default_factory=list)

    def visit(self, node: Json, parent: Json | None = None) -> None:
        """Finds what can be changed in a node of the syntax tree and below it."""
        kind = node.get("nodeType", "")
        if kind in {"FunctionDefinition", "ModifierDefinition"}:
            self.place = f"{self.name.removeprefix('contracts/')} {node['name'] or node.get('kind')}"
        if kind in {"VariableDeclaration", "UserDefinedValueTypeDefinition"} and node.get("stateVariable", True):
            return
        if kind in {"ElementaryTypeName", "ArrayTypeName", "Mapping", "UserDefinedTypeName", "YulFunctionDefinition"}:
            return
        change = getattr(self, f"_{kind}", None)
        if change is not None:
            change(node, parent or {})
        for child in _children(node):
            self.visit(child, node)

    # ---------------------------------------------------------------- Solidity

    def _BinaryOperation(self, node: Json, _: Json) -> None:  # noqa: N802
        if "int_const" in node["typeDescriptions"]["typeString"]:
            return
        left, right, operator = self._of(node["leftExpression"]), self._of(node["rightExpression"]), node["operator"]
        if operator in {"&&", "||"}:
            self._choices(node, left, right)
        elif operator in SWAPPED:
            self._choices(node, *(f"{left} {other} {right}" for other in SWAPPED[operator]))

    def _UnaryOperation(self, node: Json, _: Json) -> None:  # noqa: N802
        if node["operator"] == "!":
            self._choices(node, self._of(node["subExpression"]))

    def _Conditional(self, node: Json, _: Json) -> None:  # noqa: N802
        self._choices(node, self._of(node["trueExpression"]), self._of(node["falseExpression"]))

    def _IfStatement(self, node: Json, _: Json) -> None:  # noqa: N802
        self._choices(node["condition"], "false", "true")

    def _Return(self, node: Json, _: Json) -> None:  # noqa: N802
        value = node.get("expression")
        if value is not None and value["typeDescriptions"]["typeString"] == "bool":
            self._choices(value, "false", "true")

    def _ExpressionStatement(self, node: Json, parent: Json) -> None:  # noqa: N802
        left = node["expression"].get("leftHandSide", {})
        is_pointer = "storage pointer" in left.get("typeDescriptions", {}).get("typeString", "")  # must be assigned
        if not is_pointer and node not in (parent.get("loopExpression"), parent.get("initializationExpression")):
            self._deletion(node)

    def _EmitStatement(self, node: Json, _: Json) -> None:  # noqa: N802
        self._deletion(node)

    def _ModifierInvocation(self, node: Json, _: Json) -> None:  # noqa: N802
        if node.get("kind") != "modifierInvocation":
            return
        name = node["modifierName"]["name"]
        start, end = _range(node)
        number = self._mutant(self._of(node), "nothing")
        arguments = [self._of(argument) for argument in node.get("arguments") or ()]
        call = f"{name}Unless({', '.join([*arguments, str(number)])})"
        self.sites.append(Site(start, end, call, keeps=False))

    def _ModifierDefinition(self, node: Json, _: Json) -> None:  # noqa: N802
        """Makes its checks depend on a number that each use of it gives."""
        statements, parameters = node["body"]["statements"], node["parameters"]
        assert statements[-1]["nodeType"] == "PlaceholderStatement", f"{self.place} does something afterwards"
        self._insert(_range(node)[0] + len("modifier ") + len(node["name"]), "Unless")
        self._insert(_range(parameters)[1] - 1, f"{', ' if parameters['parameters'] else ''}uint256 mutant_")
        self._insert(_range(statements[0])[0], f"if (uint256({MARK:#x}) != mutant_) {{ ")
        self._insert(_range(statements[-1])[0], "} ")

    def _ContractDefinition(self, node: Json, _: Json) -> None:  # noqa: N802
        """Adds the like of OpenZeppelin's modifier, which stands in no source of ours."""
        defined = {one["name"] for one in node["nodes"] if one["nodeType"] == "ModifierDefinition"}
        used = {
            invocation["modifierName"]["name"]
            for function in node["nodes"]
            for invocation in function.get("modifiers") or ()
            if invocation.get("kind") == "modifierInvocation"
        }
        if "onlyOwner" in used - defined:
            check = f"if (uint256({MARK:#x}) != mutant_) _checkOwner();"
            self._insert(_range(node)[1] - 1, f" modifier onlyOwnerUnless(uint256 mutant_) {{ {check} _; }} ")

    def _insert(self, at: int, text: str) -> None:
        self.sites.append(Site(at, at, text))

    # ---------------------------------------------------------------- assembly

    def _YulLiteral(self, node: Json, parent: Json) -> None:  # noqa: N802
        if node.get("kind") == "number" and parent.get("nodeType") == "YulFunctionCall":
            number = self._mutant(self._of(node), f"{self._of(node)} + 1", within=self._of(parent))
            self._site(node, "add(", f", eq({MARK:#x}, {number}))")

    def _YulIf(self, node: Json, _: Json) -> None:  # noqa: N802
        number = self._mutant(self._of(node["condition"]), "0")
        self._site(node["condition"], "mul(", f", iszero(eq({MARK:#x}, {number})))")

    def _YulExpressionStatement(self, node: Json, _: Json) -> None:  # noqa: N802
        number = self._mutant(self._of(node), "nothing")
        self._site(node, f"if iszero(eq({MARK:#x}, {number})) {{ ", " }")

    def _YulAssignment(self, node: Json, parent: Json) -> None:  # noqa: N802
        if not any("." in name["name"] for name in node["variableNames"]):  # a pointer must be assigned
            self._YulExpressionStatement(node, parent)

    # ---------------------------------------------------------------- writing

    def _choices(self, node: Json, *others: str) -> None:
        """What stands at a node, or one of these instead, where it is another."""
        others = tuple(other for other in others if other != self._of(node))
        numbers = [self._mutant(self._of(node), other) for other in others]
        choices = "".join(
            f"uint256({MARK:#x}) == {number} ? ({other}) : " for number, other in zip(numbers, others, strict=True)
        )
        self._site(node, f"({choices}(", "))")

    def _deletion(self, node: Json) -> None:
        start, end = _range(node)
        number = self._mutant(self._of(node), "nothing")
        end = self.text.index(b";", end - 1) + 1
        self.sites.append(Site(start, end, f"{{ if (uint256({MARK:#x}) != {number}) ", " }"))

    def _mutant(self, before: str, after: str, within: str = "") -> int:
        if within:
            before = f"{before} in {within}"
        before, after = (re.sub(r"\s+", " ", text) for text in (before, after))
        self.mutants.append(Mutant(len(self.mutants) + 1, self.place, before, after))
        return len(self.mutants)

    def _site(self, node: Json, before: str, after: str) -> None:
        self.sites.append(Site(*_range(node), before, after))

    def _of(self, node: Json) -> str:
        start, end = _range(node)
        return self.text[start:end].decode()

    def written(self) -> str:
        """The source with the mutants in it."""
        order = sorted(range(len(self.sites)), key=self._order)
        return self._written(0, len(self.text), [self.sites[i] for i in order])

    def _order(self, i: int) -> tuple[int, bool, int, int]:
        """What is inserted comes first, then outer sites before inner ones; of equal ones those found first are the outer ones."""
        site = self.sites[i]
        return site.start, site.end > site.start, -site.end, i

    def _written(self, start: int, end: int, sites: list[Site]) -> str:
        text, at = "", start
        while sites:
            site = sites.pop(0)
            inner = []
            while sites and sites[0].start < site.end:
                inner.append(sites.pop(0))
            text += self.text[at : site.start].decode()
            kept = self._written(site.start, site.end, inner) if site.keeps else ""
            text += site.before + kept + site.after
            at = site.end
        return text + self.text[at:end].decode()


def main() -> int:
    """Makes the build, tries the mutants, and compares those that survive with their answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", action="store_true", help="only make the build that carries the mutants")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    parser.add_argument("--count", type=int, help="try only so many, drawn by --seed; by default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="stop after so many minutes")
    parser.add_argument("--only", help="try only those whose names match this regular expression")
    chosen = parser.parse_args()
    mutants = prepare(list(_sources()), write=not chosen.list)
    if chosen.list:
        print(*(f"{mutant.number:5} {mutant.name}" for mutant in mutants), sep="\n")
        return 0
    build()
    if chosen.build:
        return 0
    drawn = [mutant for mutant in mutants if re.search(chosen.only or "", mutant.name)]
    random.Random(chosen.seed).shuffle(drawn)  # noqa: S311 (no secret)
    return judge(attempt(drawn[: chosen.count], chosen.minutes), len(mutants), chosen.seed)


def prepare(sources: list[Source], *, write: bool) -> list[Mutant]:
    """Finds the mutants, and writes a copy of the sources that carries them."""
    if write:
        for part in ("contracts", "foundry.toml"):
            shutil.rmtree(COPY / part) if (COPY / part).is_dir() else (COPY / part).unlink(missing_ok=True)
        COPY.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "contracts", COPY / "contracts")
        for part in LEFT_OUT:
            path = COPY / "contracts" / part
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (COPY / "contracts" / "test").rglob("*.sol"):
            path.write_text(path.read_text().replace(_ASKED, "//"))
        (COPY / "foundry.toml").write_text((ROOT / "foundry.toml").read_text() + PROFILE)
        for link in ("node_modules", "scripts"):
            if not (COPY / link).exists():
                (COPY / link).symlink_to(ROOT / link)
        for source in sources:
            (COPY / source.name).write_text(source.written())
    return _with_unique_names(sources[0].mutants)


def _sources() -> Iterator[Source]:
    """The contracts with their mutants, as the compiler parses them."""
    profile = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    names = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "contracts").rglob("*.sol"))
    names = [name for name in names if name.split("/")[1] not in NOT_MUTATED]
    remapped = dict(remapping.split("=", 1) for remapping in profile["remappings"])
    request = {
        "language": "Solidity",
        "sources": {name: {"content": (ROOT / name).read_text()} for name in names},
        "settings": {
            "remappings": [f"{short}={path}" for short, path in remapped.items()],
            "outputSelection": {"*": {"": ["ast"]}},
        },
    }
    answer = solcx.compile_standard(request, solc_binary=ROOT / profile["solc"], base_path=ROOT)
    mutants: list[Mutant] = []
    for name in names:
        source = Source(name, (ROOT / name).read_bytes(), mutants)
        source.visit(answer["sources"][name]["ast"])
        yield source


def _with_unique_names(mutants: list[Mutant]) -> list[Mutant]:
    """Numbers those that would have the same name."""
    seen: Counter[str] = Counter()
    unique = []
    for mutant in mutants:
        seen[mutant.name] += 1
        nth = seen[mutant.name]
        unique.append(mutant if nth == 1 else mutant._replace(place=f"{mutant.place} ({nth})"))
    return unique


def build() -> None:
    """Compiles the copy, and tries whether it passes the tests as long as no mutant is chosen."""
    marked = COPY / "marked"
    _restore(marked)
    finished = _forge("build", "--deny", "never")
    if finished.returncode:
        raise SystemExit(finished.stdout + finished.stderr)
    shutil.rmtree(marked, ignore_errors=True)
    for path in OUT.rglob("*.json"):
        if path.parent.name != "build-info" and _PUSHED_MARK in path.read_text():
            kept = marked / path.relative_to(OUT)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, kept)


def _restore(marked: Path) -> None:
    if marked.exists():
        shutil.copytree(marked, OUT, dirs_exist_ok=True)


def attempt(mutants: list[Mutant], minutes: float | None) -> dict[str, str]:
    """Tries the mutants one after another. By name: the test that noticed it, or nothing."""
    marked = {path: path.read_text() for path in (COPY / "marked").rglob("*.json")}
    results: dict[str, str] = {}
    begun = time.monotonic()
    try:
        for mutant in mutants:
            if minutes is not None and time.monotonic() - begun > 60 * minutes:
                break
            for path, text in marked.items():
                chosen = text.replace(_PUSHED_MARK, f"63{mutant.number:08x}")
                (OUT / path.relative_to(COPY / "marked")).write_text(chosen)
            results[mutant.name] = noticed_by = next(filter(None, map(_first_failure, _tests_of(mutant))), "")
            print(f"{time.monotonic() - begun:6.0f} {noticed_by or 'SURVIVED':60.60} {mutant.name}", flush=True)
    finally:
        _restore(COPY / "marked")
    return results


def _tests_of(mutant: Mutant) -> Iterator[Sequence[str]]:
    """The tests that may notice it, those first that mostly do."""
    first = (SUCCESSION, QUICK) if mutant.place.startswith("ClearingHouseSuccession") else (QUICK, SUCCESSION)
    yield from (*first, FUZZ)


def _first_failure(selection: Sequence[str]) -> str:
    """The first of these tests that fails; nothing if all pass."""
    try:
        finished = _forge("test", "--fail-fast", *selection, timeout=300)
    except subprocess.TimeoutExpired:
        return "takes too long"
    if finished.returncode == 0:
        return ""
    found = re.search(r"\[FAIL[^\n]*\] (\w+)\(", finished.stdout)
    if found is None:
        raise SystemExit(f"forge failed without a failing test:\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}")
    return found[1]


def _forge(*arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FOUNDRY_PROFILE": "mutation"}
    command = ["forge", *arguments]
    return subprocess.run(
        command, cwd=COPY, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )


def judge(results: dict[str, str], possible: int, seed: int) -> int:
    """Prints the summary; 1 if a survivor has no answer, or an answer has no survivor."""
    RESULTS.write_text(json.dumps(results, indent=1))
    survived = {name for name, noticed_by in results.items() if not noticed_by}
    is_good = survivors.judge(
        ANSWERS,
        survived,
        lambda name: f"{results[name]} notices it" if results.get(name) else "",
        tried=len(results),
        possible=f"{possible} mutants (seed {seed})",
    )
    return 0 if is_good else 1


def _children(node: Json) -> Iterator[Json]:
    for key, value in node.items():
        if key == "modifiers" or key not in {"typeName", "baseContracts", "overrides"}:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, dict) and "nodeType" in child:
                    yield child


def _range(node: Json) -> tuple[int, int]:
    start, length, _ = map(int, (node.get("nativeSrc") or node["src"]).split(":"))
    return start, start + length


if __name__ == "__main__":
    sys.exit(main())
