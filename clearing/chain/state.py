"""What the contract says now of owner, roles, pauses, merchants, keys, programs and agreements: one question at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

from clearing.chain import contract
from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from clearing.chain.logs import rare_logs
from clearing.chain.node_errors import revert_data
from tongdui.encoding import bytes_of, hex_of, keccak256, word_text
from tongdui.orders import ZERO_ADDRESS

_ROLE_CHANGED = keccak256(b"RoleChanged(uint8,address,bool)")
MERCHANT_STATUSES = ("none", "active", "suspended", "closed")
"""The names of the contract's `MerchantStatus`, by number."""


class MerchantOnChain(NamedTuple):
    """A merchant: its status, and its position and credit limit in micros."""

    status: str
    position: int
    credit_limit: int


class SignerOnChain(NamedTuple):
    """A merchant's key and its window in Unix seconds; `valid_until` is 0 for a key that the contract does not know."""

    merchant: int
    valid_from: int
    valid_until: int


class ProgramOnChain(NamedTuple):
    """A program: the number of its merchant, and whether it is paused."""

    merchant: int
    is_paused: bool
    code: str


class IssuanceCapOnChain(NamedTuple):
    """The most points that a program issues in a network day (0: any number), and what counts from `next_day` on, if not 0."""

    points: int
    used_today: int
    next_points: int
    next_day: int


class AgreementOnChain(NamedTuple):
    """The parties of an agreement (numbers of merchants) and its end in Unix seconds."""

    parties: tuple[int, int]
    valid_until: int


class ContractState:
    """Reads one contract at the newest block. Raises ChainError or ChainUnreachable where the node does not say."""

    def __init__(self, client: ChainClient, address: str) -> None:
        self._client = client
        self.address = address

    def owner(self) -> str:
        """Who may give and take roles, in lower case."""
        return str(self._one("owner"))

    def pending_owner(self) -> str | None:
        """Who was named as the next owner and has not accepted yet."""
        named = str(self._one("pendingOwner"))
        return None if named == ZERO_ADDRESS else named

    def is_paused(self) -> bool:
        """Whether the whole network is stopped."""
        return bool(self._one("paused"))

    def has_role(self, role: str, account: str) -> bool:
        """Whether the address has the role."""
        return bool(self._one("hasRole", contract.ROLES.index(role), account))

    def holders(self, role: str) -> list[str]:
        """The addresses that have the role, in the order in which they first got it: from the contract's events, all of which are
        read."""
        held: dict[str, bool] = {}
        number = hex_of(contract.ROLES.index(role).to_bytes(32, "big"))
        for found in rare_logs(self._client, self.address, hex_of(_ROLE_CHANGED), number):
            event = contract.decode_log(found.log)
            assert event is not None, "it was asked for by its topic"
            held[event.arguments["account"]] = event.arguments["held"]
        return [account for account, has_it in held.items() if has_it]

    def merchant(self, number: int) -> MerchantOnChain | None:
        """The merchant with this number."""
        status, position, limit = self._ask("merchantOf", number)
        return MerchantOnChain(MERCHANT_STATUSES[status], position, limit) if status else None

    def signer(self, address: str) -> SignerOnChain:
        """The key with this address."""
        return SignerOnChain(*self._ask("signerOf", address))

    def program(self, number: int) -> ProgramOnChain | None:
        """The program with this number."""
        if not 0 < number <= int(self._one("programCount")):
            return None
        merchant, paused, code, _name = self._ask("programOf", number)
        return ProgramOnChain(merchant, paused, word_text(bytes_of(code)))

    def issuance_cap(self, number: int) -> IssuanceCapOnChain:
        """The cap of the program with this number; none if there is no such program."""
        return IssuanceCapOnChain(*self._ask("issuanceCapOf", number))

    def paused_programs(self) -> list[int]:
        """The numbers of the programs that are stopped."""
        programs = range(1, int(self._one("programCount")) + 1)
        return [number for number in programs if self._ask("programOf", number)[1]]

    def agreement(self, number: int) -> AgreementOnChain | None:
        """The agreement with this number."""
        try:
            (terms,) = self._ask("agreementOf", number)
        except ChainError as error:
            found = contract.custom_error(revert_data(error))
            if found is None or found.name != "UnknownAgreement":
                raise
            return None
        return AgreementOnChain((terms["sourceMerchant"], terms["targetMerchant"]), terms["validUntil"])

    def has_code(self, account: str) -> bool:
        """Whether a contract stands at this address, such as a multisig or a timelock."""
        return self._client.has_code(account)

    def now(self) -> int:
        """The time of the newest block, in Unix seconds."""
        return self._client.newest_block().timestamp

    def _ask(self, function: str, *arguments: Any) -> list[Any]:
        answer = self._client.eth_call(self.address, contract.encode_call(function, list(arguments)))
        return contract.decode_result(function, answer)

    def _one(self, function: str, *arguments: Any) -> Any:
        (value,) = self._ask(function, *arguments)
        return value
