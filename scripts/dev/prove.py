"""Proves properties of the contracts for all inputs: halmos runs contracts/test/halmos symbolically and asks an SMT solver.

`integers.py` answers questions about products and quotients, since it reasons about whole numbers; yices answers those about shifts
and masks, since it reasons about bits. Exits non-zero unless everything is proved.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "contracts/test/halmos"
BUILD = ".build/halmos"


class Proof(NamedTuple):
    """A contract full of properties, and whether they are about integers or about bits."""

    contract: str
    integers: bool


PROOFS = (
    Proof("RateMathProof", True),
    Proof("TypesProof", False),
    Proof("SettlementProof", False),
    Proof("WithdrawalProof", False),
)


def main() -> int:
    """Runs all proofs; with `--halmos`, runs halmos itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", default=120, type=int, help="seconds for each question to the solver")
    parser.add_argument("--halmos", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.halmos is not None:
        return halmos(chosen.halmos)
    begun = time.monotonic()
    failed = [proof.contract for proof in PROOFS if run(proof, chosen.timeout)]
    print(f"{len(PROOFS) - len(failed)} of {len(PROOFS)} proved in {time.monotonic() - begun:.0f} s {failed or ''}")
    return 1 if failed else 0


def run(proof: Proof, timeout: int, root: Path = ROOT) -> int:
    """Runs halmos on one contract of a checkout, or of a copy of its contracts, in a process of its own."""
    integers = f"{sys.executable} {Path(__file__).with_name('integers.py')}"
    solver = ["--solver-command", integers] if proof.integers else ["--solver", "yices"]
    command = [
        *(sys.executable, __file__, "--halmos", "--root", str(root), "--forge-build-out", f"{BUILD}/out"),
        *("--contract", proof.contract, "--solver-timeout-assertion", f"{timeout}s", "--solver-threads", "2"),
        *("--loop", "4", "--no-status", *solver),
    ]
    # Halmos has forge compile everything, with syntax trees that nothing else needs; this limits it to the proofs.
    forge = {f"FOUNDRY_{what}": SOURCES for what in ("SRC", "TEST", "SCRIPT")}
    forge |= {"FOUNDRY_OUT": f"{BUILD}/out", "FOUNDRY_CACHE_PATH": f"{BUILD}/cache"}
    return subprocess.run(command, cwd=root, env={**os.environ, **forge}, check=False).returncode


def halmos(arguments: list[str]) -> int:
    """Runs halmos in this process, adapted to the present version of rich."""
    from halmos.__main__ import main as halmos_main  # type: ignore[import-untyped]
    from rich.console import Console

    console: Any = Console
    console.clear_live = lambda _self: None  # halmos clears even if nothing is shown, which newer versions refuse
    sys.argv = ["halmos", *arguments]
    return int(halmos_main())


if __name__ == "__main__":
    sys.exit(main())
