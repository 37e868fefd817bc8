"""Agreements as the API shows them."""

from __future__ import annotations

from collections.abc import Callable

from clearing.parties.agreements.description import AgreementDescriptions
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.service import AgreementService
from clearing.parties.agreements.termination import TerminationService
from gateway.api.agreements.schemas import AgreementView
from gateway.http.context import Call, ChainResource, Shown


def agreement_service(call: Call) -> AgreementService:
    """The service in this call's transaction."""
    gateway = call.gateway
    return AgreementService(
        call.session,
        network=gateway.network,
        keyring=gateway.keyring,
        names=call.names,
        minimum_fee_bps=gateway.settings.minimum_fee_bps,
    )


def termination_service(call: Call) -> TerminationService:
    """The service of terminations in this call's transaction."""
    gateway = call.gateway
    return TerminationService(call.session, network=gateway.network, keyring=gateway.keyring, names=call.names)


def agreement_view(call: Call, agreement: Agreement) -> AgreementView:
    """An agreement with its terms."""
    return agreement_views(call)(agreement)


def agreement_views(call: Call) -> Callable[[Agreement], AgreementView]:
    """Makes the views of several agreements; what their warnings depend on is read once."""
    descriptions = AgreementDescriptions(call.session, call.names)
    return lambda agreement: AgreementView(**descriptions.of(agreement))


def _show(call: Call, agreement_id: str) -> Shown[AgreementView]:
    agreement = agreement_service(call).visible(call.viewer, agreement_id)
    return Shown(agreement_view(call, agreement), is_open=call.is_unfinished(agreement_id))


AGREEMENTS = ChainResource("agr", "agreements", _show)
