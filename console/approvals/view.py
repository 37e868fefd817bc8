"""What an approval is about, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from console.audit.values import Values
from console.audit.words import field_name
from console.visit import Visit
from pages.translations import lazy
from tongdui import Approval

KINDS = {
    "deposit": lazy("Deposit"),
    "withdrawal": lazy("Withdrawal"),
    "credit_limit": lazy("Credit limit"),
    "api_key": lazy("API key"),
    "invitation": lazy("Invitation"),
    "enabling": lazy("Sign in again"),
}
STATES = {
    "requested": lazy("Waits for approval"),
    "approved": lazy("Approved"),
    "declined": lazy("Declined"),
    "withdrawn": lazy("Withdrawn"),
    "expired": lazy("Not approved in time"),
}
TONES = {"requested": "warn", "approved": "good", "declined": "bad", "withdrawn": "", "expired": ""}
_UNIT = "_micros"
_MOST = 100


@dataclass(frozen=True, slots=True)
class Told:
    """A field of a change, with its value; or with the value that it had, and the one that it gets."""

    field: str
    was: Markup | None
    now: Markup | None
    is_change: bool = False


def told_of(visit: Visit, approval: Approval, names: Mapping[str, str]) -> Sequence[Told]:
    """What was asked for, field by field; then what was before, and what would be after."""
    log = visit.path_of("audit")
    values = Values(names, visit.path_of, (lambda subject: f"{log}?subject={subject}") if log else None)
    changed = dict.fromkeys([*approval.before, *approval.after])
    asked = [
        Told(field_name(name.removesuffix(_UNIT)), None, values.shown(name, value))
        for name, value in approval.change.items()
        if name not in changed
    ]
    return [
        *(one for one in asked if one.now is not None),
        *(
            Told(
                field_name(name.removesuffix(_UNIT)),
                values.shown(name, approval.before.get(name)),
                values.shown(name, approval.after.get(name)),
                is_change=True,
            )
            for name in changed
        ),
    ]


async def waiting_for(visit: Visit) -> int:
    """How many requests wait for this person's decision; at most a hundred are counted."""
    page = await visit.client.approvals.list(state="requested", page_size=_MOST).page()
    return sum(not one.is_yours for one in page.data)
