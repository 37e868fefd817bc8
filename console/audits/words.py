"""What is said of an audit: its state, what it found, how long it takes."""

from __future__ import annotations

from typing import Any

from console.audit_jobs.runs import Run
from pages.formats import count
from pages.translations import Text, lazy, ngettext
from pages.translations import gettext as _

STATES: dict[str, Text] = {
    "running": lazy("Runs"),
    "stopped": lazy("Stopped"),
    "cancelled": lazy("Cancelled"),
    "holds": lazy("All holds"),
    "findings": lazy("Something does not hold"),
    "unchecked": lazy("Could not be checked"),
    "failed": lazy("Broke off"),
}
TONES = {
    "running": "info",
    "holds": "good",
    "findings": "bad",
    "unchecked": "warn",
    "failed": "warn",
    "stopped": "warn",
}
_MINUTE, _HOUR = 60, 3_600


def place_of(finding: dict[str, Any]) -> str:
    """Where on the chain a finding stands; empty if it stands nowhere in particular."""
    place = finding["place"]
    parts = []
    if place["block"] is not None:
        parts.append(_("block %(number)s") % {"number": count(int(place["block"]))})
    if place["batch"] is not None:
        parts.append(_("batch %(number)s") % {"number": count(int(place["batch"]))})
    if place["index"] is not None:
        parts.append(_("entry %(number)s") % {"number": count(int(place["index"]))})
    return _(", ").join(parts)


def duration(seconds: int) -> str:
    """A time that something takes, to the minute if it is long."""
    if seconds < _MINUTE:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    if seconds < _HOUR:
        minutes = seconds // _MINUTE
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    hours, minutes = divmod(seconds // _MINUTE, 60)
    return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}


class Progress:
    """How far an audit is, in figures that a page shows."""

    def __init__(self, run: Run) -> None:
        said = {name: int(value) for name, value in run.progress.items()}
        self.is_known = "last_block" in said
        self.block, self.last_block = said.get("block", 0), said.get("last_block", 0)
        begun = said.get("first_block", 0)
        self.done, self.whole = max(self.block - begun + 1, 0), max(self.last_block - begun + 1, 1)
        self.entries, self.findings = said.get("entries", 0), said.get("findings", 0)
        self.seconds = said.get("seconds", 0)

    @property
    def rate(self) -> int:
        """Entries a second."""
        return self.entries // max(self.seconds, 1)

    @property
    def seconds_left(self) -> int | None:
        """As long as it still takes, if it goes on like this; None if nobody can say yet."""
        if not self.done or self.seconds < 2:
            return None
        return (self.whole - self.done) * self.seconds // self.done
