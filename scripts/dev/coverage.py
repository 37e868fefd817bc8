"""Shows which lines and branches of the contracts the forge tests reach, by file, and every line that they miss.

Reads the report that `make coverage` has forge write. Forge cannot say which lines of an assembly block ran and reports all of them
as missed, so those are counted apart.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / ".build" / "coverage" / "lcov.info"


@dataclass
class Source:
    """A contract's file: how often each line ran, and whether each way out of a branch was taken."""

    path: Path
    lines: dict[int, int] = field(default_factory=dict)
    branches: list[tuple[int, bool]] = field(default_factory=list)

    def text(self) -> list[str]:
        """Its lines."""
        return self.path.read_text().splitlines()


def main() -> int:
    """Prints the table and the missed lines."""
    sources = read(REPORT.read_text())
    reached, of, taken, ways, inside = (0,) * 5
    missed = []
    for source in sources:
        text, assembly = source.text(), assembly_lines(source.text())
        lines = {n: count for n, count in source.lines.items() if n not in assembly}
        branches = [(n, hit) for n, hit in source.branches if n not in assembly]
        done, gone = sum(map(bool, lines.values())), sum(hit for _, hit in branches)
        print(f"{source.path.name:22} lines {done:4} of {len(lines):4}   branches {gone:3} of {len(branches):3}")
        missed += [f"{source.path.name}:{n}: {text[n - 1].strip()}" for n, count in lines.items() if not count]
        missed += [f"{source.path.name}:{n}: a way out of {text[n - 1].strip()}" for n, hit in branches if not hit]
        reached, of, taken, ways = reached + done, of + len(lines), taken + gone, ways + len(branches)
        inside += len(source.lines) - len(lines)
    print(*("missed", *missed) if missed else (), sep="\n  ")
    shares = f"lines {reached / of:.1%}, branches {taken / ways:.1%}"
    print(f"{shares}; not counted: {inside} lines of assembly")
    return 0


def read(report: str) -> list[Source]:
    """Returns the files of an lcov report."""
    sources: list[Source] = []
    for line in report.splitlines():
        what, _, values = line.partition(":")
        if what == "SF":
            sources.append(Source(ROOT / values))
        elif what == "DA":
            number, count = values.split(",")[:2]
            sources[-1].lines[int(number)] = int(count)
        elif what == "BRDA":
            number, _, _, taken = values.split(",")
            sources[-1].branches.append((int(number), taken not in ("-", "0")))
    return sources


def assembly_lines(text: list[str]) -> set[int]:
    """Returns the numbers of the lines inside assembly blocks."""
    inside: set[int] = set()
    depth = 0
    for number, line in enumerate(text, 1):
        if depth:
            inside.add(number)
        if depth or re.search(r"\bassembly\b.*{", line):
            depth += line.count("{") - line.count("}")
    return inside


if __name__ == "__main__":
    sys.exit(main())
