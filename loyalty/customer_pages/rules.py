"""What may be opened and sent without signing in. Whoever has signed in sees what is their own, and nothing of anybody else."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Who(Enum):
    """For whom a route is."""

    ANYBODY = auto()
    CUSTOMER = auto()


CUSTOMER_RULES: Final[dict[tuple[str, str], Who]] = {
    ("GET", "/"): Who.CUSTOMER,
    ("GET", "/sign-in"): Who.ANYBODY,
    ("POST", "/sign-in"): Who.ANYBODY,
    ("GET", "/sign-in/code"): Who.ANYBODY,
    ("POST", "/sign-in/code"): Who.ANYBODY,
    ("POST", "/preferences"): Who.ANYBODY,
    ("GET", "/invitation/{code}"): Who.ANYBODY,
    ("POST", "/invitation/{code}"): Who.ANYBODY,
    ("GET", "/invitation/{code}/join"): Who.ANYBODY,
    ("POST", "/invitation/{code}/join"): Who.ANYBODY,
    ("POST", "/sign-out"): Who.CUSTOMER,
    ("POST", "/sign-out/everywhere"): Who.CUSTOMER,
    ("GET", "/live"): Who.CUSTOMER,
    ("GET", "/home"): Who.CUSTOMER,
    ("GET", "/history"): Who.CUSTOMER,
    ("GET", "/friends"): Who.CUSTOMER,
    ("POST", "/friends/code"): Who.CUSTOMER,
    ("GET", "/profile"): Who.CUSTOMER,
    ("POST", "/profile/birthday"): Who.CUSTOMER,
    ("POST", "/profile/consents"): Who.CUSTOMER,
}
