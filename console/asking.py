"""Asking for what needs a second person: the reason that every such form has, and what whoever has asked is shown."""

from __future__ import annotations

from fastapi.responses import Response

from console.visit import Visit
from pages.forms import Form, LongText
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import Approval

NEEDS_APPROVAL = frozenset({"operator", "treasury"})
"""Roles and titles whose keys and seats another person has to approve."""
REASON = LongText(
    lazy("Reason"),
    longest=500,
    hint=lazy("Another person has to approve it, and reads this. It stays in the audit log."),
)
"""Beside whatever is asked for."""


REASON_FOR_POWER = LongText(
    lazy("Reason"),
    required=False,
    longest=500,
    hint=lazy("For an operator or the treasury: another person has to approve it, and reads this."),
)
"""The same where only some of what can be chosen needs a second person. `check_reason` insists on it."""


def check_reason(form: Form, power: str) -> None:
    """Refuses a form without a reason that asks for power."""
    if power in NEEDS_APPROVAL and not form.values["reason"]:
        form.refuse("reason", _("Fill this in: another person has to approve it."))


class Asking(Form):
    """Only the reason: the page says what for."""

    reason = REASON


def asked(visit: Visit, approval: Approval) -> Response:
    """The half of an invitation, or the secret of a key, which its maker keeps; otherwise the approval's own page."""
    address = f"/approvals/{approval.id}"
    if approval.code is not None:
        label, told = (
            _("Code of the invitation"),
            _(
                "When another person has approved it, that person gets the link. Hand this code to whoever is invited: both are "
                "needed. It is not shown again."
            ),
        )
    elif approval.secret is not None:
        label, told = (
            _("API key"),
            _("Copy it now: it will not be shown again. It is good when another person has approved it."),
        )
    else:
        return visit.redirect(address, _("It is asked for: another person has to approve it."))
    return visit.page(
        "console/half.html",
        secret=approval.code or approval.secret,
        label=label,
        told=told,
        onward=(address, _("To the approval")),
        crumbs=[(label, None)],
    )
