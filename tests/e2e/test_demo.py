"""The demo runs to its end, adds everything up, and fails when it does not add up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.demo import __main__ as demo
from scripts.demo.display import Display

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_the_demo_ends_well(tmp_path: Path) -> None:
    figures = tmp_path / "figures.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo", "--json", str(figures)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything adds up" in done.stdout
    assert "✗" not in done.stdout
    assert "\x1b[" not in done.stdout, "colours where nobody looks at a terminal"
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 100
    measured = {line["figure"]: line["value"] for line in map(json.loads, figures.read_text().splitlines())}
    assert measured["gas_per_exchange_alone"] > 2 * measured["gas_per_exchange_in_100_orders"] > 0
    assert 0 < measured["accepted_to_settled_p50"] <= measured["accepted_to_settled_p99"]


def test_the_demo_fails_when_something_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(directory: Path, display: Display) -> list[str]:
        display.figure("one", 1, "gas", "a figure that is kept all the same")
        return ["FUEL: expected 5, found 6"]

    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(sys, "argv", ["demo", "--json", str(tmp_path / "figures.jsonl")])
    assert demo.main() == 1
    assert "FUEL: expected 5, found 6" in capsys.readouterr().out
    assert json.loads((tmp_path / "figures.jsonl").read_text().splitlines()[0])["figure"] == "one"
