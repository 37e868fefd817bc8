"""`make audit`: does anybody know of a hole in what we depend on? `make sbom`: a list of all of it (CycloneDX).

Where a database of holes does not answer, that is said in one line, and nothing fails: a machine without a network can work. A hole
that is known fails. What was found out stays good for a day, unless what we depend on changes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".build"
LOCK = ROOT / "requirements.lock"
NODE_LOCK = ROOT / "package-lock.json"
_TOOLS_LOCK = Path(__file__).with_name("audit-tools.lock")
_TOOLS = BUILD / "audit-tools"
_CANARY = "django==2.0"
"""Everybody knows that it has holes. A database that knows none in it does not answer, which pip-audit takes for safety."""
ACCEPTED: dict[str, str] = {}
"""Ids of holes with which we live, and why each does us no harm."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a database says: the holes that it knows; or why it says nothing."""

    holes: tuple[str, ...] = ()
    silence: str | None = None


# -------------------------------------------------------------------- what the tools say


def pip_holes(report: str) -> tuple[str, ...]:
    """The holes in pip-audit's JSON, but for those that are accepted. Raises ValueError for what is no report."""
    found = json.loads(report)["dependencies"]
    return tuple(
        f"{one['name']} {one['version']}: {hole['id']}"
        + (f", mended in {hole['fix_versions'][0]}" if hole["fix_versions"] else "")
        for one in found
        for hole in one.get("vulns", [])
        if not {hole["id"], *hole.get("aliases", [])} & ACCEPTED.keys()
    )


def npm_outcome(report: str) -> Outcome:
    """What `npm audit --json` says."""
    try:
        document: dict[str, Any] = json.loads(report)
    except ValueError:
        return Outcome(silence="it printed no report")
    if "auditReportVersion" not in document:
        return Outcome(silence=str(document.get("message") or document.get("error") or "it printed no report")[:160])
    holes = []
    for name, one in sorted(document["vulnerabilities"].items()):
        advisories = [via["url"].rpartition("/")[2] for via in one["via"] if isinstance(via, dict)]
        if not set(advisories) <= ACCEPTED.keys():  # a package that only uses one with a hole has none of its own
            holes.append(f"{name} {one['range']}: {one['severity']} {' '.join(advisories)}".rstrip())
    return Outcome(tuple(holes))


# -------------------------------------------------------------------- asking


def ask_pip(lock: Path, options: Sequence[str] = ()) -> Outcome:
    """What pip-audit says of the packages in a lock file."""
    with tempfile.TemporaryDirectory() as directory:
        canary = Path(directory) / "canary.txt"
        canary.write_text(f"{_CANARY}\n")
        try:
            if not pip_holes(_pip_audit(canary, options)):
                return Outcome(silence=f"it knows no hole in {_CANARY}, so nobody has answered")
            return Outcome(pip_holes(_pip_audit(lock, options)))
        except (ValueError, KeyError, OSError, subprocess.SubprocessError) as error:
            return Outcome(silence=(str(error) or type(error).__name__).splitlines()[0][:160])


def _pip_audit(requirements: Path, options: Sequence[str]) -> str:
    command = [str(_tool("pip-audit")), "-r", str(requirements), "--no-deps", "--disable-pip", "-f", "json"]
    return _output([*command, "--progress-spinner", "off", *options])


def ask_npm(directory: Path, options: Sequence[str] = ()) -> Outcome:
    """What npm's registry says of the packages in a directory's lock file."""
    try:
        return npm_outcome(_output(["npm", "audit", "--json", "--package-lock-only", *options], directory))
    except (OSError, subprocess.SubprocessError) as error:
        return Outcome(silence=type(error).__name__)


def _output(command: Sequence[str], directory: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout


def _tool(name: str) -> Path:
    """A tool, in an environment that has just what its lock file says."""
    stamp = _TOOLS / "audit-tools.lock"
    if not stamp.is_file() or stamp.read_bytes() != _TOOLS_LOCK.read_bytes():
        uv = str(Path(sys.executable).with_name("uv"))
        for command in (
            [uv, "venv", "-q", "--clear", str(_TOOLS)],
            [uv, "pip", "install", "-q", "--python", str(_TOOLS), "--require-hashes", "-r", str(_TOOLS_LOCK)],
        ):
            subprocess.run(command, check=True, timeout=600)
        stamp.write_bytes(_TOOLS_LOCK.read_bytes())
    return _TOOLS / "bin" / name


# -------------------------------------------------------------------- the commands


def audit(*, anew: bool) -> int:
    """Asks both databases; the exit code. Without `anew`, what was found out today is good enough."""
    failed = False
    questions: tuple[tuple[str, Path, Callable[[], Outcome]], ...] = (
        ("pip-audit", LOCK, lambda: ask_pip(LOCK)),
        ("npm audit", NODE_LOCK, lambda: ask_npm(ROOT)),
    )
    for name, lock, ask in questions:
        stamp = BUILD / "audit" / name.replace(" ", "-")
        today = f"{sha256(lock.read_bytes()).hexdigest()} {datetime.now(UTC):%Y-%m-%d}"
        if not anew and stamp.is_file() and stamp.read_text().startswith(today):
            continue
        outcome = ask()
        for hole in outcome.holes:
            print(f"{name}: {hole}")
        if outcome.silence is not None:
            print(f"{name}: not checked, because its database does not answer here ({outcome.silence})")
        failed |= bool(outcome.holes)
        if not outcome.holes:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(f"{today} {outcome.silence or 'no hole is known'}\n")
    return int(failed)


def write_sbom() -> int:
    """Writes what we depend on into .build/sbom, unless that stands there: python.cdx.json and node.cdx.json."""
    directory = BUILD / "sbom"
    made, sources = (
        [directory / "python.cdx.json", directory / "node.cdx.json"],
        [LOCK, NODE_LOCK, ROOT / "pyproject.toml"],
    )
    if all(path.is_file() for path in made) and _newest(sources) < min(path.stat().st_mtime for path in made):
        return 0
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(_tool("cyclonedx-py")), "requirements", str(LOCK), "--pyproject", str(ROOT / "pyproject.toml")]
    target = directory / "python.cdx.json"
    subprocess.run(
        [*command, "--output-reproducible", "--of", "JSON", "-o", str(target)], check=True, stderr=subprocess.DEVNULL
    )
    listed = _output(["npm", "sbom", "--sbom-format", "cyclonedx", "--package-lock-only"])
    (directory / "node.cdx.json").write_text(listed)
    for path in sorted(directory.glob("*.cdx.json")):
        components = json.loads(path.read_text())["components"]
        if not components:
            print(f"{path.relative_to(ROOT)}: lists nothing")
            return 1
    return 0


def _newest(paths: Sequence[Path]) -> float:
    return max(path.stat().st_mtime for path in paths)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("audit", "sbom"))
    parser.add_argument("--anew", action="store_true", help="ask again, also if the databases were asked today")
    chosen = parser.parse_args()
    raise SystemExit(write_sbom() if chosen.command == "sbom" else audit(anew=chosen.anew))
