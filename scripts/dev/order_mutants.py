"""Tries whether the tests notice small faults (mutants) in what is signed and proved: `tongdui.orders` and `tongdui.receipts`.

mutmut makes the mutants and forks a process for each. It works in a copy of the sources, in .build/mutation-orders, where the
package `tongdui` lies at the root, because it goes by paths. A mutant that no test notices must be answered in
tests/survivors.toml: why it makes no difference. A missing answer fails, and so does an answer to a mutant that was noticed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.dev import survivors

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / ".build" / "mutation-orders"
TOOLS = ROOT / ".build" / "mutation-tools"
LOCK = Path(__file__).with_name("mutation-tools.lock")
ANSWERS = ROOT / "tests" / "survivors.toml"

MUTATED = ("tongdui/orders.py", "tongdui/receipts.py")
COPIED = ("clearing", "gateway", "console", "loyalty", "pages", "scripts", "tests", "contracts", "foundry.toml")
TESTS = ("tests/contracts/test_wire.py", "tests/sdk/test_receipts.py", "tests/sdk/test_signing.py")
TOO_SLOW = "tests/sdk/test_signing.py::test_a_keystore_brings_the_key_back"
SURVIVED, WITHOUT_TESTS = (0,), (5, 33)
NOT_TRIED = None

_CONFIG = f"""
[tool.pytest.ini_options]
markers = ["slow: takes more than a few seconds"]
filterwarnings = ["ignore"]
timeout = 300

[tool.mutmut]
source_paths = ["tongdui"]
only_mutate = {json.dumps(MUTATED)}
also_copy = {json.dumps([part for part in COPIED if part != "tests"])}
pytest_add_cli_args = ["-p", "no:ape_test", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = {json.dumps([*TESTS, "--deselect", TOO_SLOW])}
use_git_change_detection = false
"""
# The project's own packages come first, because the tests rely on their versions.
_MUTMUT = "import sys; sys.path.append(sys.argv.pop(1)); from mutmut.__main__ import cli; cli()"


def main() -> int:
    """Tries all mutants, and compares those that survive with their answers; the exit code."""
    prepare()
    run = ("run", "--max-children", str(os.cpu_count()))
    mutmut(*run)
    if unnoticed := survivors_of(outcomes()):
        mutmut(*run, *unnoticed)  # once more: the tests' random examples may have missed them
    return judge(outcomes())


def prepare() -> None:
    """Copies the sources, and installs mutmut as its lock file says."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    shutil.copytree(ROOT / "sdk" / "tongdui", COPY / "tongdui")
    for part in COPIED:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, COPY / part)
    (COPY / "node_modules").symlink_to(ROOT / "node_modules")
    (COPY / "pyproject.toml").write_text(_CONFIG)
    (COPY / "mutants" / "tests").mkdir(parents=True)  # Python does not find a package whose folder was made later
    stamp = TOOLS / LOCK.name
    if not stamp.is_file() or stamp.read_bytes() != LOCK.read_bytes():
        uv = Path(sys.executable).with_name("uv")
        options = ["--target", str(TOOLS), "--no-deps", "--require-hashes", "-r", str(LOCK)]
        subprocess.run([uv, "pip", "install", "-q", "--python", sys.executable, *options], check=True)
        stamp.write_bytes(LOCK.read_bytes())


def mutmut(*arguments: str, quiet: bool = False) -> str:
    """Runs mutmut in the copy; what it prints, if it is quiet."""
    command = [sys.executable, "-c", _MUTMUT, str(TOOLS), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(COPY / "mutants"), "HYPOTHESIS_PROFILE": "mutation"}
    finished = subprocess.run(command, cwd=COPY, env=environment, check=True, text=True, capture_output=quiet)
    return finished.stdout or ""


def outcomes() -> dict[str, int | None]:
    """What became of each mutant, by mutmut's name for it."""
    found: dict[str, int | None] = {}
    for path in MUTATED:
        found |= json.loads((COPY / "mutants" / f"{path}.meta").read_text())["exit_code_by_key"]
    return found


def survivors_of(outcome: dict[str, int | None]) -> list[str]:
    """The mutants that no test noticed, by mutmut's name."""
    return [mutant for mutant, code in outcome.items() if code in (*SURVIVED, *WITHOUT_TESTS)]


def described(mutant: str) -> str:
    """What a mutant changes, in words that stay the same when others come and go."""
    lines = mutmut("show", mutant, quiet=True).splitlines()
    changed = [line for line in lines if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}]
    function = mutant.rpartition("__mutmut_")[0]
    return f"{function}: " + " ".join(f"{line[0]} {line[1:].strip()}" for line in changed)


def judge(outcome: dict[str, int | None]) -> int:
    """Prints the summary; 1 if a survivor has no answer, or an answer has no survivor."""
    tried = [mutant for mutant, code in outcome.items() if code is not NOT_TRIED]
    survived = set(map(described, survivors_of(outcome)))
    is_good = survivors.judge(
        ANSWERS,
        survived,
        lambda name: "" if name in survived else "is noticed, or is no mutant any more",
        tried=len(tried),
        possible=f"{len(outcome)} mutants",
    )
    return 0 if is_good and len(tried) == len(outcome) else 1


if __name__ == "__main__":
    sys.exit(main())
