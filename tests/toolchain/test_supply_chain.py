"""What `make audit` makes of the answers of pip-audit and npm: a hole fails, silence is named, and is never taken for safety."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.dev import supply_chain
from scripts.dev.supply_chain import Outcome, audit, npm_outcome, pip_holes

PIP = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited: unknown (1.0)"},
        {
            "name": "django",
            "version": "2.0",
            "vulns": [
                {"id": "PYSEC-2018-5", "fix_versions": ["2.0.3"], "aliases": ["CVE-2018-7536"], "description": "."}
            ],
        },
    ],
    "fixes": [],
}
NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "lodash": {
            "name": "lodash",
            "severity": "high",
            "range": "<4.17.21",
            "via": [{"source": 1, "url": "https://github.com/advisories/GHSA-35jh-r3h4-6jhm"}],
        },
        "above": {"name": "above", "severity": "high", "range": "*", "via": ["lodash"]},
    },
}


def test_holes_are_named() -> None:
    assert pip_holes(json.dumps(PIP)) == ("django 2.0: PYSEC-2018-5, mended in 2.0.3",)
    assert npm_outcome(json.dumps(NPM)).holes == ("lodash <4.17.21: high GHSA-35jh-r3h4-6jhm",)
    sound = {"auditReportVersion": 2, "vulnerabilities": {}}
    assert npm_outcome(json.dumps(sound)) == Outcome()


def test_an_accepted_hole_is_no_more_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply_chain, "ACCEPTED", {"CVE-2018-7536": "we have no forms", "GHSA-35jh-r3h4-6jhm": "."})
    assert pip_holes(json.dumps(PIP)) == ()
    assert npm_outcome(json.dumps(NPM)).holes == ()


@pytest.mark.parametrize("answer", ["", "<html>", '{"message": "405 Method Not Allowed", "statusCode": 405}'])
def test_a_registry_that_does_not_answer_is_silent_and_not_sound(answer: str) -> None:
    outcome = npm_outcome(answer)
    assert outcome.silence
    assert outcome.holes == ()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, list[str]]:
    """What pip-audit was asked about, with its answers by the file's name; npm knows no hole."""
    answers: dict[str, list[str]] = {"canary.txt": [], "requirements.lock": []}
    monkeypatch.setattr(supply_chain, "BUILD", tmp_path)
    monkeypatch.setattr(supply_chain, "ask_npm", lambda _: Outcome())
    monkeypatch.setattr(supply_chain, "_pip_audit", lambda path, _: answers[path.name].pop())
    return answers


def test_a_hole_fails(asked: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    asked["canary.txt"].append(json.dumps(PIP))
    asked["requirements.lock"].append(json.dumps(PIP))
    assert audit(anew=False) == 1
    assert "django 2.0: PYSEC-2018-5" in capsys.readouterr().out


def test_silence_is_said_and_does_not_fail(asked: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """PyPI's mirrors answer 404 for what is known of holes; pip-audit calls that "no known vulnerabilities found"."""
    asked["canary.txt"].append(json.dumps({"dependencies": [{"name": "django", "skip_reason": "not found on PyPI"}]}))
    assert audit(anew=False) == 0
    assert "pip-audit: not checked, because its database does not answer here" in capsys.readouterr().out


def test_what_was_found_out_is_good_for_a_day(asked: dict[str, list[str]]) -> None:
    sound = json.dumps({"dependencies": [{"name": "sound", "version": "1.0", "vulns": []}]})
    asked["canary.txt"].append(json.dumps(PIP))
    asked["requirements.lock"].append(sound)
    assert [audit(anew=False), audit(anew=False)] == [0, 0]
    with pytest.raises(IndexError):
        audit(anew=True)
