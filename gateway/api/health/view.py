"""The network's health as the API shows it."""

from __future__ import annotations

from clearing.oversight.health.service import Check, Health
from gateway.api.health.schemas import ChecksView, CheckView, HealthView


def health_view(health: Health) -> HealthView:
    """A check of each part, and the sum of them."""
    return HealthView(
        status="ok" if health.ok else "degraded",
        checks=ChecksView(
            database=_check_view(health.database),
            migrations=_check_view(health.migrations),
            chain=_check_view(health.chain),
            sequencer=_check_view(health.sequencer),
            projector=_check_view(health.projector),
            signer=_check_view(health.signer),
            reconciliation=_check_view(health.reconciliation),
        ),
    )


def _check_view(check: Check) -> CheckView:
    return CheckView(ok=check.ok, detail=check.detail)
