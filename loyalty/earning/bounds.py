"""The numbers that rule sets are written in, and how large they may be."""

from __future__ import annotations

EVEN = 10_000
"""A coefficient of one, in basis points."""
LARGEST_COEFFICIENT = 1_000_000
"""The largest coefficient in basis points: a hundred times."""
LARGEST_RATE = 1_000_000
"""The most points that one unit earns."""
YUAN = 1_000_000
"""One unit of currency in micros."""
WHOLE = 1_000
"""One unit of a quantity in thousandths."""
