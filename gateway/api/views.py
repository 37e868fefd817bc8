"""Rows of the database as answers of the API."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import date

from sqlalchemy.orm import Session

from clearing.kit.clock import unix_now
from clearing.kit.events.models import Event
from clearing.kit.identity import NetworkIdentity, instant
from clearing.ledger.availability.service import Availability
from clearing.ledger.journal.models import Batch, Entry
from clearing.ledger.journal.repository import Proof
from clearing.ledger.settlement.models import BankMovement, Position
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import Order
from clearing.ordering.orders.repository import Movement
from clearing.ordering.quotes.models import Quote
from clearing.parties.access.models import ApiKey
from clearing.parties.access.service import Scope
from clearing.parties.agreements.models import Agreement, AgreementKind, Initiator
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.models import Program
from gateway.api.agreements.schemas import AgreementView, Side, TermsView
from gateway.api.api_keys.schemas import ApiKeyView
from gateway.api.entries.schemas import EntryView, EventView, ReceiptView, WireEntry
from gateway.api.members.schemas import AccountView, MemberView
from gateway.api.merchants.schemas import MerchantView, SignerView
from gateway.api.movements.schemas import MovementEntryView, MovementView
from gateway.api.names import Names
from gateway.api.orders.schemas import OrderView
from gateway.api.programs.schemas import ProgramView
from gateway.api.quotes.schemas import QuoteView
from gateway.api.settlement.schemas import BankMovementView, PositionView
from tongdui.orders import Kind


class Views:
    """Views in one session, on one network."""

    def __init__(self, session: Session, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._names = Names(session)

    # ---------------------------------------------------------------- parties

    def merchant(self, merchant: Merchant) -> MerchantView:
        """A merchant."""
        key = MerchantRepository(self._session).newest_key(merchant.number, unix_now())
        return MerchantView(
            id=merchant.id,
            number=merchant.number,
            name=merchant.name,
            status=merchant.status,
            signer=SignerView(address=key.address, managed=key.keystore is not None) if key else None,
            created_at=merchant.created_at,
        )

    def program(self, program: Program) -> ProgramView:
        """A program."""
        return ProgramView(
            id=program.id,
            number=program.number,
            merchant=self._names.merchant(program.merchant_number),
            code=program.code,
            name=program.name,
            status=program.status,
            default_lifetime_days=program.default_lifetime_days,
            created_at=program.created_at,
        )

    @staticmethod
    def member(member: Member, external_id: str | None) -> MemberView:
        """A member, as the caller knows it."""
        return MemberView(id=member.id, external_id=external_id, address=member.address, created_at=member.created_at)

    def account(self, program: int, member: Member, found: Availability) -> AccountView:
        """A balance; what holds and expiry have taken counts as reserved."""
        return AccountView(
            member=member.id,
            program=self._names.program(program),
            posted=found.posted,
            reserved=found.posted - found.available,
            available=found.available,
        )

    def api_key(self, key: ApiKey, token: str | None = None) -> ApiKeyView:
        """An API key, with its token if it was just made."""
        return ApiKeyView(
            id=key.id,
            role=key.role,
            merchant=self._names.merchant(key.merchant_number) if key.merchant_number is not None else None,
            scopes=[Scope(scope) for scope in key.scopes],
            secret=token,
            created_at=key.created_at,
            revoked_at=key.revoked_at,
        )

    # ---------------------------------------------------------------- agreements

    def agreement(self, agreement: Agreement) -> AgreementView:
        """An agreement."""
        terms = agreement.terms
        signatures: dict[Side, bytes | None] = {
            "source": agreement.source_signature,
            "target": agreement.target_signature,
        }
        initiators: dict[Side, int] = {"source": Initiator.SOURCE, "target": Initiator.TARGET}
        return AgreementView(
            id=agreement.id,
            number=agreement.number,
            kind="exchange" if agreement.kind == AgreementKind.EXCHANGE else "acceptance",
            state=agreement.state,
            source_merchant=self._names.merchant(terms.source_merchant),
            target_merchant=self._names.merchant(terms.target_merchant),
            source_program=self._names.program(terms.source_program),
            target_program=self._names.program(terms.target_program) if terms.target_program else None,
            rate_num=terms.rate_num,
            rate_den=terms.rate_den,
            unit_price_micros=terms.unit_price_micros,
            fee_bps=terms.fee_bps,
            lifetime_days=terms.lifetime_days,
            max_points=terms.max_points,
            daily_cap=terms.daily_cap,
            initiators=[side for side, bit in initiators.items() if terms.initiators & bit],
            valid_from=instant(terms.valid_from),
            valid_until=instant(terms.valid_until),
            ends_at=instant(agreement.ends_at),
            supersedes=self._names.agreement(terms.supersedes),
            grace_seconds=terms.grace_seconds,
            document=terms.document,
            terms=TermsView(**asdict(terms)),
            digest=agreement.digest,
            signed_by=[side for side, signature in signatures.items() if signature is not None],
            created_at=agreement.created_at,
        )

    def quote(self, quote: Quote, agreement: Agreement) -> QuoteView:
        """A quote."""
        return QuoteView(
            id=quote.id,
            agreement=quote.agreement_id,
            points=quote.points,
            points_burnt=quote.points_burnt,
            out=quote.out,
            settled_micros=quote.settled,
            fee_micros=quote.fee,
            rate_num=agreement.rate_num,
            rate_den=agreement.rate_den,
            expires_at=quote.expires_at,
        )

    # ---------------------------------------------------------------- movements

    def movement(self, movement: Movement) -> MovementView:
        """A movement."""
        instruction, order = movement.instruction, movement.order
        return MovementView.model_validate(
            {
                "id": instruction.id,
                "object": kind_of(instruction.kind).noun,
                "order": order.id,
                "state": movement.state,
                "reason": movement.reason,
                "merchant": self._names.merchant(order.merchant_number),
                "member": instruction.member_id,
                "program": self._names.program(instruction.program),
                "agreement": self._names.agreement(instruction.agreement),
                "points": instruction.points,
                "reference": instruction.reference,
                "expires_on": self._expiry(movement),
                "created_at": order.created_at,
                "entry": _movement_entry(movement),
            }
        )

    def _expiry(self, movement: Movement) -> date | None:
        day = movement.entry.expiry_day if movement.entry else movement.instruction.expiry_day
        return self._network.date_of(day) if day else None

    def order(self, order: Order, movements: list[Movement]) -> OrderView:
        """An order."""
        batch = next((movement.batch for movement in movements if movement.batch), None)
        settled = sum(movement.entry is not None for movement in movements)
        shown = [self.movement(movement) for movement in movements]
        return self.order_summary(order, settled, batch).model_copy(update={"movements": shown})

    def order_summary(self, order: Order, settled: int, batch: Batch | None) -> OrderView:
        """An order without its movements."""
        return OrderView(
            id=order.id,
            state=order.state,
            merchant=self._names.merchant(order.merchant_number),
            nonce=order.nonce,
            deadline=order.deadline,
            atomic=order.atomic,
            digest=order.digest,
            reason=order.reason,
            size=order.size,
            rejected_count=order.size - settled if order.state.is_final else 0,
            movements=None,
            created_at=order.created_at,
            settled_at=order.settled_at,
            tx_hash=batch.tx_hash if batch else None,
            block_number=order.block_number,
        )

    # ---------------------------------------------------------------- settlement

    def position(self, position: Position) -> PositionView:
        """A position."""
        return PositionView(
            merchant=self._names.merchant(position.merchant_number),
            position_micros=position.position,
            credit_limit_micros=position.credit_limit,
            reserved_micros=position.reserved,
            liquidity_micros=position.liquidity,
        )

    def bank_movement(self, movement: BankMovement) -> BankMovementView:
        """A deposit or a withdrawal."""
        return BankMovementView(
            id=movement.id,
            object="deposit" if movement.kind == "deposit" else "withdrawal",
            merchant=self._names.merchant(movement.merchant_number),
            micros=movement.micros,
            bank_reference=movement.bank_reference,
            state=movement.state,
            created_at=movement.created_at,
        )

    # ---------------------------------------------------------------- journal

    def entry(self, entry: Entry) -> EntryView:
        """An entry."""
        batch = self._session.get_one(Batch, entry.batch)
        return EntryView(
            leaf=entry.leaf,
            batch=entry.batch,
            index=entry.index,
            kind=Kind(entry.kind).label,
            merchant=self._names.merchant(entry.merchant),
            nonce=entry.nonce,
            item=entry.item,
            program=self._names.program(entry.program),
            agreement=self._names.agreement(entry.agreement),
            member_address=entry.address,
            points=entry.points,
            out=entry.out,
            settled_micros=entry.settled,
            fee_micros=entry.fee,
            expiry_day=entry.expiry_day,
            ref=entry.ref,
            link=entry.link,
            tx_hash=batch.tx_hash,
            block_number=entry.block_number,
        )

    def receipt(self, proof: Proof) -> ReceiptView:
        """A receipt."""
        wire = proof.entry.wire()
        return ReceiptView(
            entry=WireEntry(**{field.name: getattr(wire, field.name) for field in fields(wire)}),
            leaf=proof.entry.leaf,
            proof=list(proof.path),
            root=proof.batch.root,
            batch=proof.batch.number,
            tx_hash=proof.batch.tx_hash,
            block_number=proof.batch.block_number,
            chain_id=self._network.chain_id,
            contract=self._network.contract,
        )

    def event(self, event: Event) -> EventView:
        """An event."""
        return EventView(
            id=event.id,
            type=event.type,
            subject=event.subject,
            actor=event.actor,
            merchant=self._names.merchant(event.merchant_number) if event.merchant_number is not None else None,
            data=event.data,
            created_at=event.created_at,
        )


def _movement_entry(movement: Movement) -> MovementEntryView | None:
    entry, batch = movement.entry, movement.batch
    if entry is None or batch is None:
        return None
    return MovementEntryView(
        leaf=entry.leaf,
        batch=entry.batch,
        index=entry.index,
        points=entry.points,
        out=entry.out,
        settled_micros=entry.settled,
        fee_micros=entry.fee,
        tx_hash=batch.tx_hash,
        block_number=entry.block_number,
        settled_at=movement.order.settled_at,
    )
