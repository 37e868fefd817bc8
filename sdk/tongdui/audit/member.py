"""A member's own proof: its points are counted in what the issuer owes.

The proof is a file that anybody can check again without a node. It leads from a block's hash to the state root, from there to the
contract's account, and from the account's storage root to each slot that it speaks of. Whoever checks it must know one thing from
somebody else: that the hash is that of the chain's block.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from ..encoding import bytes_of, hex_of, keccak256, word
from ..orders import Domain
from .chain import layout
from .chain.account import Account, AccountProof, ask_proof
from .chain.builds import build_of
from .chain.headers import Header, header_of
from .chain.node import Node
from .chain.trie import TrieError
from .findings import CannotCheck

Json = dict[str, Any]
T = TypeVar("T")

FORMAT = "tongdui member proof, version 1"
_AT_ONCE = 100
"""Slots in one request."""
_ADDRESS_BYTES = 20


class BadProof(ValueError):
    """The proof does not prove what it says. `check` names what failed."""

    def __init__(self, check: str, why: str) -> None:
        super().__init__(f"{check}: {why}")
        self.check = check


@dataclass(frozen=True, slots=True)
class Holding:
    """A member's points of a program, the sum that they are part of, and who owes for it."""

    program: int
    code: str
    name: str
    points: int
    """The member's."""
    minted: int
    """All points of the program that ever came into being."""
    burnt: int
    """All that are gone again: redeemed, spent, exchanged, expired or revoked."""
    supply: int
    """What is in circulation: minted minus burnt. The member's points are counted in it."""
    merchant: int
    """The issuer, which owes for them."""
    status: str
    """The merchant's."""
    position: int
    """What the network owes the merchant, or it the network if negative, in micros."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is proven."""

    chain_id: int
    contract: str
    build: str
    """The published build that the contract's code is."""
    block: int
    block_hash: str
    time: int
    """Of the block, in Unix seconds."""
    member: str
    programs: int
    """How many programs there are. In those without a holding, the member has no points."""
    holdings: tuple[Holding, ...]

    def sentences(self) -> Iterator[str]:
        """The statement in words."""
        where = f"after block {self.block} of chain {self.chain_id}"
        if not self.holdings:
            yield f"{self.member} has no points in any of the {self.programs:,} programs {where}."
        for held in self.holdings:
            yield (
                f"{self.member} has {held.points:,} points of program {held.program} ({held.code}, {held.name}) {where}. "
                f"They are part of the {held.supply:,} points that merchant {held.merchant} owes for."
            )


@dataclass(frozen=True, slots=True)
class MemberProof:
    """A statement with all that proves it."""

    contract: str
    member: str
    header: Json
    """The block's header, as nodes write it."""
    code: bytes
    """The contract's."""
    proof: AccountProof
    says: Json
    """The statement as it stands in the file."""

    def verify(self, block_hash: str | None = None, contract: str | None = None) -> Statement:
        """Checks everything again, without a node.

        Args:
            block_hash: The hash of the chain's block, from somebody who is trusted. Without it, the caller must compare that of
                the statement: what is proven holds for the chain that this block belongs to.
            contract: The clearing house's address, from the same.

        Returns:
            What is proven.

        Raises:
            BadProof: Something does not hold.
        """
        statement = self.proven()
        if block_hash is not None and statement.block_hash != block_hash.lower():
            raise BadProof("block", f"it is about the block {statement.block_hash}, and not about {block_hash.lower()}")
        if contract is not None and statement.contract != contract.lower():
            raise BadProof(
                "contract", f"it is about the contract {statement.contract}, and not about {contract.lower()}"
            )
        if self.says != _as_json(statement):
            said, proven = _first_difference(self.says, _as_json(statement))
            raise BadProof("statement", f"the file says {said}, and proves {proven}")
        return statement

    def to_json(self) -> str:
        """The file."""
        content = {
            "format": FORMAT,
            "statement": self.says,
            "contract": self.contract,
            "member": self.member,
            "header": self.header,
            "code": hex_of(self.code),
            "account_proof": list(map(hex_of, self.proof.account)),
            "storage_proofs": {
                hex_of(word(slot)): list(map(hex_of, nodes)) for slot, nodes in self.proof.slots.items()
            },
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> MemberProof:
        """Reads a file.

        Raises:
            BadProof: It is none.
        """
        try:
            content = json.loads(text)
            form = content["format"]
            slots = {int(slot, 16): _nodes(nodes) for slot, nodes in content["storage_proofs"].items()}
            proof = AccountProof(_address(content["contract"]), _nodes(content["account_proof"]), slots)
            code, header = bytes_of(content["code"]), dict(content["header"])
            found = cls(proof.address, _address(content["member"]), header, code, proof, dict(content["statement"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadProof("format", f"this is no file with the proof of a member: {error!r}") from error
        if form != FORMAT:
            raise BadProof("format", f"this is {form!r}, not {FORMAT!r}")
        return found

    # ---------------------------------------------------------------- checks

    def proven(self) -> Statement:
        """What is proven, whatever the file says.

        Raises:
            BadProof: Something does not hold.
        """
        header = self._header()
        account = self._account(header)
        found = build_of(self.code)
        if keccak256(self.code) != account.code_hash or found is None:
            raise BadProof("code", "the contract's code is no published build of the clearing house")
        build, immutables = found
        chain_id = int.from_bytes(immutables["CHAIN_ID"], "big")
        if immutables["DOMAIN_SEPARATOR"] != Domain(chain_id, self.contract).separator:
            raise BadProof("code", "the contract's code was made for another address")
        read = self._reader(account)
        programs = layout.programs_in(read("programs", layout.COUNTS))
        return Statement(
            chain_id=chain_id,
            contract=self.contract,
            build=build.name,
            block=header.number,
            block_hash=header.computed,
            time=header.time,
            member=self.member,
            programs=programs,
            holdings=tuple(self._holdings(read, programs)),
        )

    def _header(self) -> Header:
        try:
            header = header_of(self.header)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise BadProof("header", f"this is no header of a block: {error!r}") from error
        if not header.holds:
            raise BadProof("header", f"it says that its hash is {header.hash}, and hashes to {header.computed}")
        return header

    def _account(self, header: Header) -> Account:
        try:
            account = self.proof.account_under(header.state_root)
        except TrieError as error:
            raise BadProof("account", str(error)) from error
        if account is None:
            raise BadProof("account", f"there is no account at {self.contract}")
        return account

    def _reader(self, account: Account) -> Callable[[str, int], int]:
        def read(check: str, slot: int) -> int:
            try:
                return self.proof.word_under(account.storage_root, slot)
            except TrieError as error:
                raise BadProof(check, str(error)) from error

        return read

    def _holdings(self, read: Callable[[str, int], int], programs: int) -> Iterator[Holding]:
        for number in range(1, programs + 1):
            page = read("balance", layout.balance_slot(self.member, number))
            points = layout.balance_in(page, number)
            if not points:
                continue
            minted, burnt, voided, code, name = (read("program", slot) for slot in _program_slots(number))
            program = layout.program_in(minted, burnt, voided)
            merchant = layout.merchant_in(read("merchant", layout.merchant_slot(program.merchant)))
            yield Holding(
                program=number,
                code=_text(code),
                name=_text(name),
                points=points,
                minted=program.created,
                burnt=program.destroyed,
                supply=program.supply,
                merchant=program.merchant,
                status=merchant.status,
                position=merchant.position,
            )


def prove_member(node: Node, contract: str, member: str, block: int | None = None) -> MemberProof:
    """Asks a node for the proof of a member's points, and checks it.

    Args:
        node: Any node with proofs. It is not believed.
        contract: The clearing house's address.
        member: The member's address.
        block: After which block; by default the newest.

    Raises:
        CannotCheck: The node has no such proof, or there is no clearing house at the address.
        BadProof: What the node gave proves nothing.
    """
    contract, member = _checked_address("contract", contract), _checked_address("member", member)
    number = node.newest() if block is None else block
    header = {name: value for name, value in node.header(number).items() if isinstance(value, str)}
    code = bytes_of(node.ask("eth_getCode", [contract, hex(number)]))
    if build_of(code) is None:
        raise CannotCheck(
            f"The code at {contract} is no published build of the clearing house, so that nobody can say what its storage means. "
            "Check the address with --contract."
        )
    try:
        proof = _ask(node, contract, member, number)
    except TrieError as error:
        raise BadProof("answer", f"the node at {node.name} gave no proof: {error}") from error
    unproven = MemberProof(contract, member, header, code, proof, {})
    return replace(unproven, says=_as_json(unproven.proven()))


def _ask(node: Node, contract: str, member: str, block: int) -> AccountProof:
    """The proof of the balances of a member and, where it has points, of the programs and their merchants."""
    proof = ask_proof(node, contract, block, [layout.COUNTS])
    programs = range(1, layout.programs_in(_shown(proof, layout.COUNTS)) + 1)
    pages = {number: layout.balance_slot(member, number) for number in programs}
    proof = _more(node, proof, block, sorted(set(pages.values())))
    held = [number for number, page in pages.items() if layout.balance_in(_shown(proof, page), number)]
    proof = _more(node, proof, block, [slot for number in held for slot in _program_slots(number)])
    merchants = {layout.program_in(_shown(proof, layout.program_slot(number)), 0, 0).merchant for number in held}
    return _more(node, proof, block, [layout.merchant_slot(merchant) for merchant in sorted(merchants)])


def _more(node: Node, proof: AccountProof, block: int, slots: Sequence[int]) -> AccountProof:
    """The proof, with that of more slots."""
    found = dict(proof.slots)
    for start in range(0, len(slots), _AT_ONCE):
        found |= ask_proof(node, proof.address, block, slots[start : start + _AT_ONCE]).slots
    return AccountProof(proof.address, proof.account, found)


def _shown(proof: AccountProof, slot: int) -> int:
    """What a slot holds as its proof shows it, to know what to ask next. `verify` proves it."""
    nodes = proof.slots.get(slot, ())
    return proof.word_under(keccak256(nodes[0]), slot) if nodes else 0


def _program_slots(number: int) -> range:
    first = layout.program_slot(number)
    return range(first, first + 5)


def _as_json(statement: Statement) -> Json:
    found: Json = json.loads(json.dumps(asdict(statement)))
    return found


def _text(packed: int) -> str:
    return word(packed).rstrip(b"\0").decode(errors="replace")


def _nodes(listed: Any) -> tuple[bytes, ...]:
    return tuple(bytes_of(node) for node in listed)


def _address(text: str) -> str:
    if len(bytes_of(text)) != _ADDRESS_BYTES:
        raise ValueError(f"{text} is no address")
    return hex_of(bytes_of(text))


def _checked_address(whose: str, text: str) -> str:
    try:
        return _address(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise CannotCheck(f"{text!r} is not the address of a {whose}: it has 0x and 40 hex digits.") from error


def _first_difference(said: Any, proven: Any, name: str = "") -> tuple[str, str]:
    """Where what a file says is not what it proves, in both."""
    if isinstance(said, dict) and isinstance(proven, dict) and said.keys() == proven.keys():
        pairs = [(said[key], proven[key], str(key)) for key in said]
    elif isinstance(said, list) and isinstance(proven, list) and len(said) == len(proven):
        pairs = [(one, other, name) for one, other in zip(said, proven, strict=True)]
    else:
        return f"{name} {said}".strip(), f"{name} {proven}".strip()
    return next(_first_difference(*pair) for pair in pairs if pair[0] != pair[1])
