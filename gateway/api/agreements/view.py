"""Agreements as the API shows them."""

from __future__ import annotations

from collections.abc import Callable

from clearing.parties.agreements.cycles import Cycle
from clearing.parties.agreements.description import AgreementDescriptions, renewal_warning
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.preview import Preview, PreviewService
from clearing.parties.agreements.service import AgreementService
from clearing.parties.agreements.termination import TerminationService
from clearing.parties.agreements.usability import UsabilityService
from gateway.api.agreements.schemas import (
    AgreementPreviewView,
    AgreementUseView,
    AgreementView,
    ConversionView,
    CycleView,
    WarningView,
    kind_name,
)
from gateway.http.context import Call, ChainResource, Shown


def agreement_service(call: Call) -> AgreementService:
    """The service in this call's transaction."""
    gateway = call.gateway
    return AgreementService(
        call.session,
        network=gateway.network,
        keyring=gateway.keyrings.managed_keys,
        names=call.names,
        minimum_fee_bps=gateway.settings.minimum_fee_bps,
    )


def preview_service(call: Call) -> PreviewService:
    """The service of previews in this call's session."""
    return PreviewService(call.session, minimum_fee_bps=call.gateway.settings.minimum_fee_bps)


def termination_service(call: Call) -> TerminationService:
    """The service of terminations in this call's transaction."""
    gateway = call.gateway
    return TerminationService(
        call.session, network=gateway.network, keyring=gateway.keyrings.managed_keys, names=call.names
    )


def agreement_view(call: Call, agreement: Agreement) -> AgreementView:
    """An agreement with its terms."""
    return agreement_views(call)(agreement)


def agreement_views(call: Call) -> Callable[[Agreement], AgreementView]:
    """Makes the views of several agreements; what their warnings depend on is read once."""
    descriptions = AgreementDescriptions(call.session, call.names)
    return lambda agreement: AgreementView(**descriptions.of(agreement))


def use_view(call: Call, agreement_id: str) -> AgreementUseView:
    """What an agreement has used of today's cap."""
    network = call.gateway.network
    service = UsabilityService(call.session, network=network)
    agreement, day, standing = service.use_today(call.viewer, agreement_id)
    burnt, reserved = standing.burnt, standing.reserved.points
    return AgreementUseView(
        agreement=agreement.id,
        day=network.date_of(day),
        daily_cap=agreement.daily_cap,
        burnt_points=burnt,
        reserved_points=reserved,
        left_points=max(agreement.daily_cap - burnt - reserved, 0),
    )


def preview_view(call: Call, preview: Preview, points: int) -> AgreementPreviewView:
    """What terms would mean."""
    terms, names, conversion = preview.terms, call.names, preview.conversion
    path = None if preview.renewing is None else [names.program(number) for number in preview.renewing]
    return AgreementPreviewView(
        kind=kind_name(terms.kind),
        source_merchant=names.merchant(terms.source_merchant),
        target_merchant=names.merchant(terms.target_merchant),
        source_program=names.program(terms.source_program),
        target_program=names.program(terms.target_program) if terms.target_program else None,
        conversion=ConversionView(
            points=points,
            points_burnt=conversion.burnt,
            out=conversion.out,
            settled_micros=conversion.settled,
            fee_micros=conversion.fee,
        ),
        cycle=_cycle_view(call, preview.cycle),
        warnings=[WarningView.model_validate(renewal_warning(path))] if path is not None else [],
    )


def _cycle_view(call: Call, cycle: Cycle | None) -> CycleView | None:
    if cycle is None:
        return None
    return CycleView(
        path=[call.names.program(number) for number in cycle.programs],
        gain_num=cycle.gain.numerator,
        gain_den=cycle.gain.denominator,
        is_allowed=cycle.gain <= 1,
    )


def _show(call: Call, agreement_id: str) -> Shown[AgreementView]:
    agreement = agreement_service(call).visible(call.viewer, agreement_id)
    return Shown(agreement_view(call, agreement), is_open=call.is_unfinished(agreement_id))


AGREEMENTS = ChainResource("agr", "agreements", _show)
