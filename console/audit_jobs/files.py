"""The files of an audit, in a directory of its own. Whoever reads one finds all of it, or the one before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ASKED = "asked.json"
"""What was asked for. It never changes."""
STATE = "state.json"
"""How far it is. Only the job writes it."""
SUMMARY = "summary.json"
"""What the report says, as far as a page shows it."""
CANCEL = "cancel"
"""If it is there, somebody wants the job to stop."""
WORKING = "state"
"""The audit's own checkpoints: a directory."""
PAGE = "report.html"
REPORT = "report.json"
TABLES = "csv"
FINAL_STATES = {0: "holds", 1: "findings", 2: "unchecked"}
"""By the audit's exit code."""
_MOST_FINDINGS = 500


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a file at once: nobody sees half of it, and a machine that stops leaves the old one or the new one."""
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file; nothing if there is none yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def summary_of(report: Path) -> dict[str, Any]:
    """What a page shows of a report, which may have more than a page can hold."""
    document = json.loads(report.read_text(encoding="utf-8"))
    findings = document["findings"]
    scope = document["scope"]
    return {
        "findings": findings[:_MOST_FINDINGS],
        "count": len(findings),
        "not_checked": document["not_checked"][:_MOST_FINDINGS],
        "rules": {row["rule"]: row["says"] for row in document["rules"]},
        "first": scope["first"],
        "last": scope["last"],
        "checked": document["checked"],
    }
