"""The four merchants of the demo, their agreements, and how they are onboarded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from clearing.runtime.embedded.network import EmbeddedNetwork
from tongdui import (
    Agreement,
    APIConnectionError,
    Client,
    LocalSigner,
    Merchant,
    PendingError,
    Program,
    UnavailableError,
    testing,
    yuan,
)

SCOPES = (
    *("issue", "redeem", "exchange", "spend", "transfer", "reverse"),
    *("agree", "members", "settle", "read"),
)
WAIT = 60.0
"""Seconds within which the chain has to confirm a step of the story."""


@dataclass(frozen=True, slots=True)
class MerchantProfile:
    """What a merchant is registered with. Money is in yuan."""

    code: str
    merchant: str
    program: str
    lifetime_days: int
    credit: int
    deposit: int


@dataclass(frozen=True, slots=True)
class AgreementPlan:
    """What two merchants will sign: `rate` target points for a source point, `price` micros for each target point."""

    source: str
    target: str
    rate: Fraction
    price: int
    fee_bps: int = 50


PROFILES = (
    MerchantProfile("FUEL", "Changhe Petroleum", "Fuel Points", 730, credit=1_000, deposit=2_000),
    MerchantProfile("CINE", "Guangying Cinemas", "Film Coins", 365, credit=500, deposit=500),
    MerchantProfile("MART", "Fengshou Supermarkets", "Stamps", 365, credit=500, deposit=500),
    MerchantProfile("VIP", "Xinghe Video", "Stars", 180, credit=1, deposit=0),
)
AGREEMENT_PLANS = (
    AgreementPlan("FUEL", "CINE", Fraction(1, 2), 18_000),
    AgreementPlan("FUEL", "MART", Fraction(9, 10), 10_000),
    AgreementPlan("FUEL", "VIP", Fraction(1, 10), 90_000),
    AgreementPlan("CINE", "MART", Fraction(8, 5), 10_000),
    AgreementPlan("MART", "VIP", Fraction(1, 10), 90_000),
    AgreementPlan("VIP", "CINE", Fraction(4, 1), 18_000),
)


@dataclass(slots=True)
class Party:
    """An onboarded merchant. Its signer key exists only in this process, and its client signs with it."""

    profile: MerchantProfile
    signer: LocalSigner
    api_key: str
    merchant: Merchant
    client: Client
    program: Program

    @property
    def code(self) -> str:
        """The code of its program."""
        return self.profile.code


@dataclass(slots=True)
class Participants:
    """Everyone who takes part, with one client each."""

    network: EmbeddedNetwork
    parties: dict[str, Party] = field(default_factory=dict)
    agreements: dict[tuple[str, str], Agreement] = field(default_factory=dict)
    operator: Client = field(init=False)
    treasury: Client = field(init=False)
    auditor: Client = field(init=False)
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.operator = self._client(self.network.api_keys["operator"])
        self.treasury = self._client(self.network.api_keys["treasury"])
        self.auditor = self._client(self.network.api_keys["auditor"])

    def close(self) -> None:
        """Closes all connections."""
        self._open.close()

    def __getitem__(self, code: str) -> Party:
        return self.parties[code]

    def merchant_name(self, number: int) -> str:
        """Returns the name of the merchant with this number; 0 is the operator."""
        names = {p.merchant.number: p.merchant.name for p in self.parties.values()}
        return names.get(number, "Tongdui (the operator)" if number == 0 else f"merchant {number}")

    def code_of(self, program: int) -> str:
        """Returns the code of the program with this number."""
        return next(p.code for p in self.parties.values() if p.program.number == program)

    @property
    def steps(self) -> int:
        """The number of steps that `onboard` reports."""
        return 2 * len(PROFILES) + len(AGREEMENT_PLANS)

    def onboard(self, done: Callable[[str], None]) -> None:
        """The operator registers and invites the merchants, they sign their agreements, the treasury books the deposits. What
        brings money or access, one of the two asks for, and the other one approves."""
        for profile in PROFILES:
            self.parties[profile.code] = self._register(profile)
            done(profile.merchant)
        for plan in AGREEMENT_PLANS:
            self.agreements[plan.source, plan.target] = self._agree(plan)
            done(f"{plan.source} to {plan.target}")
        for party in self.parties.values():
            if party.profile.deposit:
                self.deposit(party.code, yuan(party.profile.deposit), f"ICBC-20260415-{party.code}")
            done(f"deposit of {party.code}")

    def deposit(self, code: str, micros: int, bank_reference: str) -> None:
        """Has the treasury ask to book a deposit that arrived at the bank, and the operator approve it."""
        booked = testing.deposit(self.treasury, self.operator, self[code].merchant, micros, bank_reference)
        if booked.state != "posted":
            raise PendingError(f"the deposit of {code} is {booked.state}")

    def can_write(self) -> bool:
        """Whether the gateway can write to its database now."""
        with Client(self.network.url, self["FUEL"].api_key, timeout=10.0, max_retries=0) as impatient:
            try:
                impatient.nonces.reserve(1)
            except (APIConnectionError, UnavailableError):
                return False
            return True

    def _register(self, profile: MerchantProfile) -> Party:
        signer = LocalSigner.generate()
        merchant = self.operator.merchants.create(
            name=profile.merchant,
            signer_address=signer.address,
            wait=WAIT,
        )
        if yuan(profile.credit):
            testing.lend(self.operator, self.treasury, merchant, yuan(profile.credit))
        program = self.operator.programs.create(
            merchant=merchant,
            code=profile.code,
            name=profile.program,
            default_lifetime_days=profile.lifetime_days,
            wait=WAIT,
        )
        key = testing.first_key(self.operator, self.treasury, merchant, SCOPES)
        return Party(profile, signer, key, merchant, self._client(key, signer), program)

    def _agree(self, plan: AgreementPlan) -> Agreement:
        """Has the source merchant propose and sign, and the target merchant check and sign."""
        proposal = self[plan.source].client.agreements.propose(
            source_program=plan.source,
            target_program=plan.target,
            rate=plan.rate,
            unit_price_micros=plan.price,
            fee_bps=plan.fee_bps,
            lifetime_days=self[plan.target].profile.lifetime_days,
            max_points=100_000,
            daily_cap=1_000_000,
            valid_until=datetime.now(UTC) + timedelta(days=365),
        )
        agreement = self[plan.target].client.agreements.sign(proposal, wait=WAIT)
        if agreement.state != "active":
            raise PendingError(f"the agreement {plan.source} to {plan.target} is {agreement.state}")
        return agreement

    def accept(self, program: str, acceptor: str, price: int) -> Agreement:
        """Has two merchants agree that the acceptor takes the program's points for goods, at `price` micros a point."""
        proposal = self[program].client.agreements.propose(
            source_program=program,
            target_merchant=self[acceptor].merchant,
            unit_price_micros=price,
            fee_bps=50,
            initiators=("source", "target"),
            max_points=10_000,
            daily_cap=100_000,
            valid_until=datetime.now(UTC) + timedelta(days=365),
        )
        return self[acceptor].client.agreements.sign(proposal, wait=WAIT)

    def _client(self, api_key: str, signer: LocalSigner | None = None) -> Client:
        """Makes a client that does not trust the gateway: it checks contract, chain and terms on the chain."""
        client = Client(
            self.network.url,
            api_key,
            signer=signer,
            contract=self.network.settings.contract,
            chain_id=self.network.settings.chain_id,
            rpc_url=self.network.rpc_url,
        )
        return self._open.enter_context(client)
