"""A clearing network without HTTP: a test steps database, chain, sequencer and projector by hand and can stop anywhere."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.chain.client import ChainClient
from clearing.chain.contract import encode_call
from clearing.chain.deployment import deploy
from clearing.chain.errors import ChainError
from clearing.chain.transactions import sign_transaction
from clearing.kit.clock import SYSTEM_CLOCK, Clock
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.signing.role_keys import ROLES
from clearing.ledger.accounts.models import Account
from clearing.ledger.availability.service import AvailabilityService
from clearing.ledger.journal.models import Batch, Entry
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.kinds.reverse import ReverseRequest
from clearing.ordering.orders.kinds.spend import SpendRequest
from clearing.ordering.orders.kinds.transfer import TransferRequest
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.service import OrderService
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.members.models import Member, MemberLink
from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.programs.models import Program
from clearing.pipeline.privileged_calls import SIGNING_ROLES, CallSigner
from clearing.pipeline.projector import Projector
from clearing.pipeline.sequencer import Sequencer
from tests.support.activity import expected_totals, stored_totals
from tests.support.secrets import keyrings, passwords, role_keys
from tongdui.encoding import hex_of, keccak256, text_word
from tongdui.orders import AgreementTerms, Kind, full_signature
from tongdui.receipts import chain_head, merkle_root

TERMS = AgreementTerms(
    kind=1,
    initiators=1,
    fee_bps=50,
    lifetime_days=365,
    source_merchant=1,
    target_merchant=2,
    source_program=1,
    target_program=2,
    valid_from=0,
    valid_until=2**33,
    rate_num=9,
    rate_den=10,
    unit_price_micros=10_000,
    max_points=100_000,
    daily_cap=10_000_000,
    supersedes=0,
    grace_seconds=0,
    accept_by=0,
    keep_expiry=False,
    document=bytes(32),
)
"""FUEL to CINE at 9/10, a cent a point, half a per cent for the operator."""


def acceptance(merchant: int) -> dict[str, int]:
    """What is different in terms under which a merchant takes FUEL for goods. Both sides may start it."""
    return {
        "kind": 2,
        "initiators": 3,
        "lifetime_days": 0,
        "target_merchant": merchant,
        "target_program": 0,
        "rate_num": 1,
        "rate_den": 1,
    }


class PatientClient(ChainClient):
    """A client that returns when a block contains what it sent. Nodes answer a moment before they mine, but tests look at once."""

    def send_raw(self, transactions: Sequence[bytes]) -> list[ChainError | None]:
        """Sends, then waits for the blocks of a node that mines at once."""
        results = super().send_raw(transactions)
        if self.call("anvil_getAutomine"):
            taken = [hex_of(keccak256(raw)) for raw, error in zip(transactions, results, strict=True) if error is None]
            deadline = time.monotonic() + 30
            while None in self.batch([("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in taken]):
                assert time.monotonic() < deadline, "the node took a transaction but does not mine it"
                time.sleep(0.002)
        return results


class Harness:
    """Everything but the gateway. Merchants: `fuel` (program FUEL), `cine` (CINE). An agreement exchanges FUEL for CINE at 9/10."""

    def __init__(
        self,
        database_url: str,
        rpc_url: str,
        directory: Path,
        clock: Clock = SYSTEM_CLOCK,
        *,
        contract: str | None = None,
        **overrides: object,
    ) -> None:
        """Deploys a contract and makes the tables, unless there are a contract and a database of its network."""
        self.keyrings = keyrings()
        self.keyring = self.keyrings.managed_keys
        self.keys = role_keys(directory / "keys")
        for role in ROLES:
            self.keys.ensure(role)
        self.client = PatientClient(rpc_url)
        deployed = contract or deploy(self.client, self.keys, operator_name="Test", utc_offset_seconds=28_800)
        values: dict[str, object] = {
            "database_url": database_url,
            "rpc_url": rpc_url,
            "chain_id": self.client.chain_id(),
            "contract": deployed,
            "keystore_dir": directory / "keys",
            **passwords(),
            "batch_max_age": 0.0,
            "resend_after": 0.0,
            "node_patience": 0.0,
            **overrides,
        }
        self.settings = Settings.model_validate(values)
        self.network = NetworkIdentity.of(self.settings)
        self.database = Database(database_url, clock=clock)
        if contract is None:
            self.database.upgrade()
        self.restart()

    def today(self) -> int:
        """The network's day, by its clock."""
        return self.network.day_at(self.database.clock.unix())

    def restart(self) -> None:
        """Starts new daemons, as after a crash that left only the database and the chain."""
        self.sequencer = Sequencer(self.database, self.client, self.settings, self.keys)
        self.signer = CallSigner(self.database, self.client, self.settings, self.keys, SIGNING_ROLES)
        self.projector = Projector(self.database, self.client, self.settings)

    def settle(self, seconds: float = 120) -> None:
        """Steps the daemons until none has work."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            worked = self.sequencer.step()
            worked |= self.signer.step()
            worked |= self.projector.step()
            if not worked:
                return
        raise TimeoutError("the daemons never ran out of work")

    # ---------------------------------------------------------------- a small network

    def onboard(self) -> None:
        """Registers the merchants, their programs and the agreement, and deposits 1,000 CNY for each merchant."""
        self.register_merchant(1, "fuel")
        self.register_merchant(2, "cine")
        self._program(1, 1, "FUEL")
        self._program(2, 2, "CINE")
        self.settle()
        self.agreement = self.agree(1)
        self.settle()
        with self.database.session.begin() as session:
            for number in (1, 2):
                reference = hex_of(keccak256(f"bank-{number}".encode()))
                request_call(session, "treasury", "deposit", [number, 1_000_000_000, reference], "")
        self.settle()

    def register_merchant(self, number: int, name: str) -> None:
        """Requests the registration of a merchant whose key the gateway keeps."""
        address, keystore = self.keyring.create()
        with self.database.session.begin() as session:
            session.add(Merchant(number=number, id=new_id("mer"), name=name))
            session.flush()
            session.add(SignerKey(address=address, merchant_number=number, keystore=keystore))
            arguments = [number, hex_of(text_word(name)), address, 0]
            request_call(session, "operator", "registerMerchant", arguments, "")

    def _program(self, number: int, merchant: int, code: str) -> None:
        with self.database.session.begin() as session:
            session.add(Program(number=number, id=new_id("prg"), merchant_number=merchant, code=code, name=code))
            arguments = [number, merchant, hex_of(text_word(code)), hex_of(text_word(code))]
            request_call(session, "operator", "registerProgram", arguments, "")

    def agree(self, number: int, *, signed_by: tuple[int, int] = (1, 2), **changes: int) -> str:
        """Signs an agreement with the usual terms, except for `changes`, requests its registration, and returns its id."""
        terms = replace(TERMS, document=secrets.token_bytes(32), **changes)
        digest = terms.digest(self.network.domain)
        signatures = [self.sign(merchant, terms.struct_hash()) for merchant in signed_by]
        agreement = Agreement(
            id=new_id("agr"),
            number=number,
            state=AgreementState.ACCEPTED,
            digest=digest,
            ends_at=terms.valid_until,
            source_signature=signatures[0],
            target_signature=signatures[1],
            **asdict(terms),
        )
        with self.database.session.begin() as session:
            session.add(agreement)
            wire = [hex_of(value) if isinstance(value, bytes) else value for value in astuple(terms)]
            full = [hex_of(full_signature(signature)) for signature in signatures]
            request_call(session, "operator", "registerAgreement", [number, wire, *full], agreement.id)
        return agreement.id

    def sign(self, merchant: int, struct_hash: bytes) -> bytes:
        """Signs a struct with a merchant's managed key."""
        with self.database.session.begin() as session:
            key = session.scalars(select(SignerKey).where(SignerKey.merchant_number == merchant)).one()
            return self.keyring.sign(key.address, key.keystore or "", self.network.domain.preimage(struct_hash))

    def member(self) -> str:
        """Registers a new member with both merchants; returns its id."""
        secret = secrets.token_bytes(32)
        member = Member(id=new_id("mem"), secret=secret, address=hex_of(keccak256(secret)[12:]))
        with self.database.session.begin() as session:
            session.add(member)
            session.flush()
            for merchant in (1, 2):
                session.add(MemberLink(merchant_number=merchant, external_id=member.id, member_id=member.id))
        return member.id

    def acceptor(self, number: int = 3, **changes: int) -> str:
        """Registers a merchant without a program, which takes FUEL for goods at a cent a point; returns the agreement's id."""
        self.register_merchant(number, f"wash {number}")
        reference = hex_of(keccak256(f"bank-{number}".encode()))
        with self.database.session.begin() as session:
            request_call(session, "treasury", "deposit", [number, 1_000_000_000, reference], "")
        self.settle()
        agreement = self.agree(number - 1, signed_by=(1, number), **acceptance(number), **changes)
        self.settle()
        return agreement

    # ---------------------------------------------------------------- orders

    def accept(self, merchant: int, requests: Sequence[InstructionRequest], *, atomic: bool = False) -> str:
        """Accepts an order in one transaction, as the gateway does; returns its id."""
        with self.database.session.begin() as session:
            service = OrderService(session, network=self.network, keyring=self.keyring, settings=self.settings)
            found = session.get_one(Merchant, merchant)
            return service.accept(found, list(requests), atomic=atomic, authorization=None, actor="test").id

    def issue(self, member: str, points: int, reference: str | None = None) -> str:
        """Accepts an issuance of FUEL."""
        return self.accept(1, [IssueRequest(member=member, points=points, program="FUEL", reference=reference)])

    def exchange(self, member: str, points: int) -> str:
        """Accepts an exchange of FUEL for CINE."""
        request = ExchangeRequest(member=member, points=points, source_program="FUEL", target_program="CINE")
        return self.accept(1, [request])

    def redeem(self, member: str, points: int, program: str = "CINE") -> str:
        """Accepts a redemption."""
        owner = {"FUEL": 1, "CINE": 2}[program]
        return self.accept(owner, [RedeemRequest(member=member, points=points, program=program)])

    def spend(self, member: str, points: int, agreement: str, reference: str | None = None) -> str:
        """Accepts a spend of FUEL, which its issuer starts."""
        request = SpendRequest(member=member, points=points, agreement=agreement, reference=reference)
        return self.accept(1, [request])

    def transfer(self, member: str, recipient: str, points: int) -> str:
        """Accepts a transfer of FUEL."""
        return self.accept(1, [TransferRequest(member=member, recipient=recipient, points=points, program="FUEL")])

    def reverse(self, merchant: int, order_id: str, points: int | None = None) -> str:
        """Accepts a reversal of an order's first movement, or of some of its points."""
        return self.accept(merchant, [ReverseRequest(movement=self.movement(order_id), points=points)])

    def movement(self, order_id: str) -> str:
        """The id of an order's first movement."""
        with self.database.session.begin() as session:
            query = select(Instruction.id).join(Instruction.order).where(Order.id == order_id)
            return session.scalars(query.order_by(Instruction.item)).all()[0]

    def posted(self, member: str, program: int = 1) -> int:
        """Points of a member on the chain, as the read model has them."""
        with self.database.session.begin() as session:
            account = session.get(Account, (session.get_one(Member, member).address, program))
            return account.posted if account is not None else 0

    def position(self, merchant: int) -> int:
        """A merchant's position, as the read model has it."""
        with self.database.session.begin() as session:
            return session.get_one(Position, merchant).position

    def account(self, member: str, program: int = 1) -> tuple[str, int]:
        """A member's account."""
        with self.database.session.begin() as session:
            return session.get_one(Member, member).address, program

    def available(self, member: str, program: int = 1) -> int:
        """Points of a member that a new order may use."""
        with self.database.session.begin() as session:
            account = (session.get_one(Member, member).address, program)
            return AvailabilityService(session, network=self.network).of_account(account).available

    def order(self, order_id: str) -> Order:
        """Returns an order as it is now."""
        with self.database.session.begin() as session:
            return session.scalars(select(Order).where(Order.id == order_id)).one()

    def send(self, role: str, function: str, *arguments: object) -> None:
        """Calls the contract with a role's key past the daemons, as the owner and the pauser do."""
        signer = self.keys.signer(role)
        signed = sign_transaction(
            signer,
            chain_id=self.settings.chain_id,
            nonce=self.client.next_nonce(signer.address),
            to=self.settings.contract,
            data=encode_call(function, list(arguments)),
            gas=1_000_000,
            fees={"gasPrice": 0},
        )
        assert self.client.send_raw([signed.raw]) == [None]

    # ---------------------------------------------------------------- what must always be true

    def close(self) -> None:
        """Closes connections."""
        self.client.close()
        self.database.close()

    def call(self, function: str, *arguments: object) -> int:
        """Returns the number that a view of the contract returns."""
        return int.from_bytes(
            self.client.eth_call(self.settings.contract, encode_call(function, list(arguments))), "big"
        )

    def check(self) -> None:
        """Asserts that the read model equals the contract, that only open orders reserve points, and that every root is right."""
        with self.database.session.begin() as session:
            for account in session.scalars(select(Account)):
                assert account.posted == self.call("balanceOf", account.address, account.program)
                assert (account.reserved, account.expiring) == self._reserved(session, account)
            positions = list(session.scalars(select(Position)))
            for position in positions:
                assert position.position == self._position(position.merchant_number)
            funds = self.call("settlementFunds")
            assert sum(position.position for position in positions) == funds
            self._check_journal(session)
            assert stored_totals(session) == expected_totals(session)

    def _position(self, merchant: int) -> int:
        raw = self.client.eth_call(self.settings.contract, encode_call("merchantOf", [merchant]))
        return int.from_bytes(raw[32:64], "big", signed=True)

    def _reserved(self, session: Session, account: Account) -> tuple[int, int]:
        """What open orders reserve of the account, and what open expire orders will burn of it."""
        query = (
            select(Instruction.kind, Instruction.reserves, Instruction.points)
            .join(Instruction.order)
            .where(
                Instruction.draws_address == account.address,
                Instruction.draws_program == account.program,
                Order.state.in_(OPEN_STATES),
            )
        )
        rows = session.execute(query).all()
        return sum(row.reserves for row in rows), sum(row.points for row in rows if row.kind == Kind.EXPIRE)

    def _check_journal(self, session: Session) -> None:
        head = bytes(32)
        batches = list(session.scalars(select(Batch).order_by(Batch.number)))
        assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
        for batch in batches:
            query = select(Entry).where(Entry.batch == batch.number).order_by(Entry.index)
            entries = list(session.scalars(query))
            assert [entry.wire().leaf() for entry in entries] == [entry.leaf for entry in entries]
            assert merkle_root([entry.leaf for entry in entries]) == batch.root
            head = chain_head(head, batch.number, len(entries), batch.root)
            assert head == batch.head
        assert head == self.client.eth_call(self.settings.contract, encode_call("head", []))
