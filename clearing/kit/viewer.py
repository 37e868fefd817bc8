"""Who looks at something, and so how much of it may be shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewer:
    """A merchant, who sees its own affairs; or, without a number, the operator, the treasury or an auditor, who see everyone's."""

    merchant_number: int | None = None

    def sees(self, *merchant_numbers: int | None) -> bool:
        """Whether the viewer may see what belongs to any of these merchants."""
        return self.merchant_number is None or self.merchant_number in merchant_numbers
