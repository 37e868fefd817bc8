"""Prints, at the end of a run, what the state machine has reached."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "reached" and getattr(report, "when", "") == "call":
                    terminalreporter.section(f"reached by {report.nodeid.split('::')[-1]}")
                    terminalreporter.write_line(text)
