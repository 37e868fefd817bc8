"""Agreements as the API shows them."""

from __future__ import annotations

from dataclasses import asdict

from clearing.kit.identity import instant
from clearing.parties.agreements.models import Agreement, AgreementKind, Initiator
from clearing.parties.agreements.service import AgreementService
from gateway.api.agreements.schemas import AgreementView, Side, TermsView
from gateway.http.context import Call, ChainResource, Shown

_INITIATORS: dict[Side, Initiator] = {"source": Initiator.SOURCE, "target": Initiator.TARGET}


def agreement_service(call: Call) -> AgreementService:
    """The service in this call's transaction."""
    return AgreementService(call.session, network=call.gateway.network, keyring=call.gateway.keyring)


def agreement_view(call: Call, agreement: Agreement) -> AgreementView:
    """An agreement with its terms."""
    terms = agreement.terms
    signatures: dict[Side, bytes | None] = {
        "source": agreement.source_signature,
        "target": agreement.target_signature,
    }
    return AgreementView(
        id=agreement.id,
        number=agreement.number,
        kind="exchange" if agreement.kind == AgreementKind.EXCHANGE else "acceptance",
        state=agreement.state,
        source_merchant=call.names.merchant(terms.source_merchant),
        target_merchant=call.names.merchant(terms.target_merchant),
        source_program=call.names.program(terms.source_program),
        target_program=call.names.program(terms.target_program) if terms.target_program else None,
        rate_num=terms.rate_num,
        rate_den=terms.rate_den,
        unit_price_micros=terms.unit_price_micros,
        fee_bps=terms.fee_bps,
        lifetime_days=terms.lifetime_days,
        max_points=terms.max_points,
        daily_cap=terms.daily_cap,
        initiators=[side for side, bit in _INITIATORS.items() if terms.initiators & bit],
        valid_from=instant(terms.valid_from),
        valid_until=instant(terms.valid_until),
        ends_at=instant(agreement.ends_at),
        supersedes=call.names.agreement(terms.supersedes),
        grace_seconds=terms.grace_seconds,
        accept_by=instant(terms.accept_by) if terms.accept_by else None,
        keep_expiry=terms.keep_expiry,
        document=terms.document,
        terms=TermsView(**asdict(terms)),
        digest=agreement.digest,
        signed_by=[side for side, signature in signatures.items() if signature is not None],
        created_at=agreement.created_at,
    )


def _show(call: Call, agreement_id: str) -> Shown[AgreementView]:
    agreement = agreement_service(call).visible(call.viewer, agreement_id)
    return Shown(agreement_view(call, agreement), is_open=call.is_unfinished(agreement_id))


AGREEMENTS = ChainResource("agr", "agreements", _show)
