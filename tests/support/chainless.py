"""The network of `Harness` without a chain: its rows are those that the projector would have written.

For tests of rules that need no chain. Copying a prepared database takes only a moment.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sqlalchemy import update

from clearing.kit.clock import SYSTEM_CLOCK, Clock
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.ledger.accounts.repository import AccountRepository, Balance
from clearing.ledger.journal.effects import Effects
from clearing.ledger.lots.service import LotService
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.finalisation import OrderFinalisation
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.programs.models import Program, ProgramStatus
from tests.support.entry_history import ROUTES, EntryHistory, store
from tests.support.harness import TERMS, Harness
from tests.support.secrets import keyrings, passwords

CONTRACT = "0x" + "c1" * 20


class ChainlessNetwork(Harness):
    """A network that consists of a database only. `give` stands for what the chain would have posted."""

    def __init__(self, database_url: str, directory: Path, clock: Clock = SYSTEM_CLOCK, **overrides: object) -> None:
        self.keyrings = keyrings()
        self.keyring = self.keyrings.managed_keys
        values: dict[str, object] = {
            "database_url": database_url,
            "contract": CONTRACT,
            "keystore_dir": directory / "keys",
            **passwords(),
            **overrides,
        }
        self.settings = Settings.model_validate(values)
        self.network = NetworkIdentity.of(self.settings)
        self.database = Database(database_url, clock=clock)

    def close(self) -> None:
        self.database.close()

    def give(self, member: str, points: int, program: int = 1) -> None:
        """Posts points to a member's account."""
        with self.database.session.begin() as session:
            address = session.get_one(Member, member).address
            AccountRepository(session).add({(address, program): Balance(posted=points)})

    def post(self, history: EntryHistory) -> None:
        """Writes a history of the chain, as the projector would."""
        with self.database.session.begin() as session:
            store(session, history)
            originals = {entry.leaf(): entry for entry, _ in history.entries}
            effects = Effects.of(list(originals.values()), ROUTES, originals)
            effects.micros.clear()
            lots = LotService(session, network=self.network)
            midnight = self.network.begin_of(self.today())
            finalisation = OrderFinalisation(session)
            for entry, day in history.entries:
                due = lots.due_days([entry], day)
                finalisation.settle({}, block_number=0, effects=Effects(), day=0, due=due, midnight=midnight)
            finalisation.settle({}, block_number=0, effects=effects, day=0, due={}, midnight=midnight)

    def take_key_away(self, merchant: int) -> None:
        """Removes the merchant's managed key: from now on it signs for itself."""
        with self.database.session.begin() as session:
            session.execute(update(SignerKey).where(SignerKey.merchant_number == merchant).values(keystore=None))


def prepare(database_url: str) -> None:
    """Migrates an empty database and writes the network into it."""
    database = Database(database_url)
    database.upgrade()
    keyring = keyrings().managed_keys
    with database.session.begin() as session:
        for number, name, code in ((1, "fuel", "FUEL"), (2, "cine", "CINE")):
            session.add(Merchant(number=number, id=new_id("mer"), name=name, status=MerchantStatus.ACTIVE))
            session.flush()
            address, keystore = keyring.create()
            session.add(SignerKey(address=address, merchant_number=number, keystore=keystore))
            program = Program(number=number, id=new_id("prg"), merchant_number=number, code=code, name=code)
            program.status = ProgramStatus.ACTIVE
            session.add(program)
            session.add(Position(merchant_number=number, position=1_000_000_000, credit_limit=0, reserved=0))
        session.flush()
        active = {"id": new_id("agr"), "number": 1, "state": AgreementState.ACTIVE, "digest": bytes(32)}
        session.add(Agreement(**active, ends_at=TERMS.valid_until, **asdict(TERMS)))
    database.close()
