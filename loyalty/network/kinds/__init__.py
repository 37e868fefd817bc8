"""The registry of kinds of wishes. A new kind is one file in this package and one line here."""

from __future__ import annotations

from loyalty.network.kinds.issue import IssueKind
from loyalty.network.kinds.kind import Kind
from loyalty.network.kinds.reverse import ReverseKind

ISSUE = IssueKind()
REVERSE = ReverseKind()
KINDS: dict[str, Kind] = {kind.name: kind for kind in (ISSUE, REVERSE)}
