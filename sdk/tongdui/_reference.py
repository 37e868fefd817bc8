"""Reference data that orders are built from: fetched once, checked, kept. Nothing here is believed that can be
checked."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta

from ._chain import Node
from ._core import Core, segment
from ._errors import SigningError, VerificationError
from ._flow import Flow
from ._models import Agreement, Member, Merchant, Network, Program
from ._pages import Query
from ._signing import Signer
from .encoding import bytes_of, hex_of, word
from .orders import AgreementTerms, Domain

EPOCH = date(1970, 1, 1)
AGREEMENT_SECONDS = 60.0
"""How long a client keeps using the agreement that it found for a pair of programs before it looks for a newer one."""


@dataclass(slots=True)
class Book:
    """Program, agreement and merchant numbers, members' addresses, and the chain that signatures are bound to."""

    core: Core
    _network: Network | None = None
    _own: int | None = None
    _programs: dict[str, Program] = field(default_factory=dict)
    _merchants: dict[str, Merchant] = field(default_factory=dict)
    _agreements: dict[str, Agreement] = field(default_factory=dict)
    _pairs: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    _addresses: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Drops everything that may have become stale. A member's address never changes, so it stays."""
        self._network = self._own = None
        for cache in (self._programs, self._merchants, self._agreements, self._pairs):
            cache.clear()

    @property
    def signer(self) -> Signer:
        """The client's signer. Raises SigningError when it has none."""
        if self.core.options.signer is None:
            raise SigningError("this client has no signer: Client(..., signer=LocalSigner.from_keystore(...))")
        return self.core.options.signer

    # ---------------------------------------------------------------- network

    def network(self) -> Flow[Network]:
        """The network, after comparing it with what was pinned and, with an `rpc_url`, with the chain."""
        if (known := self._network) is not None:
            return known
        found = yield from self.core.get(Network, "/v1/network")
        options = self.core.options
        if options.contract is not None:
            _same("contract", "the gateway serves another one", options.contract, found.contract)
        if options.chain_id is not None:
            _same("chain_id", "the gateway serves another one", options.chain_id, found.chain_id)
        node = self._node(found)
        if node is not None:
            yield from self._check_chain(node, found)
        self._network = found
        return found

    def domain(self) -> Flow[Domain]:
        """What signatures are bound to."""
        network = yield from self.network()
        return Domain(network.chain_id, network.contract)

    def today(self) -> Flow[date]:
        """The network's day, by this machine's clock."""
        network = yield from self.network()
        local = datetime.fromtimestamp(self.core.now(), UTC) + timedelta(seconds=network.utc_offset_seconds)
        return local.date()

    def _node(self, network: Network) -> Node | None:
        url = self.core.options.rpc_url
        return Node(url, network.contract, self.core.options.timeout) if url else None

    def _check_chain(self, node: Node, network: Network) -> Flow[None]:
        chain_id = yield from node.chain_id()
        _same("chain_id", "the node is on another chain", network.chain_id, chain_id)
        if not (yield from node.has_code()):
            raise VerificationError("contract", f"there is no contract at {network.contract} on the chain")

    # ---------------------------------------------------------------- merchants and programs

    def own_number(self) -> Flow[int]:
        """The number of the merchant whose key the signer holds: from the chain if there is a node, else from the
        gateway."""
        if (known := self._own) is not None:
            return known
        node = self._node((yield from self.network()))
        if node is not None:
            number = yield from self._number_on_chain(node)
        else:
            number = (yield from self._own_merchant()).number
        self._own = number
        return number

    def _number_on_chain(self, node: Node) -> Flow[int]:
        number, start, end = yield from node.merchant_of_signer(self.signer.address)
        if not number:
            raise SigningError(f"{self.signer.address} is no merchant's key on the chain")
        if not start <= self.core.now() < end:
            raise SigningError(f"{self.signer.address} is not a live key of merchant {number} any more")
        return number

    def _own_merchant(self) -> Flow[Merchant]:
        """The merchant that was named, or the one whose signer this is."""
        if self.core.options.merchant:
            return (yield from self.merchant(self.core.options.merchant))
        query, cursor = Query("/v1/merchants", Merchant, {"limit": 200}), None
        while True:
            page = yield from query.page(self.core, cursor)
            for merchant in page.data:
                if merchant.signer and merchant.signer.address.lower() == self.signer.address.lower():
                    return merchant
            cursor = page.next_cursor
            if cursor is None:
                raise SigningError(
                    f"no merchant visible to this API key signs with {self.signer.address}; is it the right keystore?"
                )

    def merchant(self, merchant_id: str) -> Flow[Merchant]:
        """A merchant."""
        if (known := self._merchants.get(merchant_id)) is not None:
            return known
        found = yield from self.core.get(Merchant, f"/v1/merchants/{segment(merchant_id)}")
        self._merchants[merchant_id] = found
        return found

    def program(self, code: str) -> Flow[Program]:
        """A program by code or id; with a node, its number has been checked against the chain."""
        if (known := self._programs.get(code)) is not None:
            return known
        found = yield from self.core.get(Program, f"/v1/programs/{segment(code)}")
        if code not in {found.code, found.id}:
            raise VerificationError("program", "the gateway served another one", expected=code, found=found.code)
        node = self._node((yield from self.network()))
        if node is not None:
            on_chain = yield from node.code_of_program(found.number)
            _same("program", f"program {found.number} is another one on the chain", found.code, on_chain)
        self._programs[code] = found
        return found

    # ---------------------------------------------------------------- members

    def address(self, member: str) -> Flow[str]:
        """A member's address. This one thing nobody but the gateway knows: it is fetched once and then stays pinned."""
        if member not in self._addresses:
            found = yield from self.core.get(Member, f"/v1/members/{segment(member)}")
            self.learn(found, member)
        return self._addresses[member]

    def known_address(self, member: str) -> str | None:
        """A member's address if this client has seen it."""
        return self._addresses.get(member)

    def learn(self, member: Member, *names: str) -> None:
        """Remembers an address under the member's id and the given names. Raises VerificationError if it ever
        changes."""
        for name in {member.id, *names}:
            known = self._addresses.setdefault(name, member.address)
            _same("member", f"the address of {name} changed", known, member.address)

    # ---------------------------------------------------------------- agreements

    def agreement(self, agreement_id: str) -> Flow[Agreement]:
        """An agreement whose terms are what the API shows, hash to its digest and, with a node, are the chain's."""
        if (known := self._agreements.get(agreement_id)) is not None:
            return known
        found = yield from self.core.get(Agreement, f"/v1/agreements/{segment(agreement_id)}")
        _same("agreement", "the gateway served another one", agreement_id, found.id)
        terms = yield from self._terms_as_shown(found)
        if found.number is None:
            return found  # not on the chain yet: look again next time
        node = self._node((yield from self.network()))
        if node is not None:
            compare_words(terms, (yield from node.terms_of_agreement(found.number)))
        self._agreements[agreement_id] = found
        return found

    def checked_terms(self, agreement: Agreement) -> Flow[AgreementTerms]:
        """The wire terms of an agreement, to be signed. Raises VerificationError unless they say what its other members
        show, and would end no agreement but the one that it names in `supersedes`."""
        terms = yield from self._terms_as_shown(agreement)
        ended: int | None = 0
        if agreement.supersedes is not None:
            ended = (yield from self.agreement(agreement.supersedes)).number
        _same("terms.supersedes", "the terms to sign differ from what is shown", ended, terms.supersedes)
        return terms

    def _terms_as_shown(self, agreement: Agreement) -> Flow[AgreementTerms]:
        """The wire terms, all compared but `supersedes`: that one would lead from agreement to agreement, back to the
        oldest."""
        domain = yield from self.domain()
        terms = wire_terms(agreement.terms)
        digest = hex_of(terms.digest(domain))
        _same("digest", "the terms do not hash to the digest", digest, agreement.digest)
        shown = yield from self._shown_terms(agreement)
        for name, value in shown.items():
            _same(f"terms.{name}", "the terms to sign differ from what is shown", value, getattr(terms, name))
        return terms

    def _shown_terms(self, a: Agreement) -> Flow[dict[str, object]]:
        """What the terms must be, going by the readable members of an agreement."""
        source = yield from self.merchant(a.source_merchant)
        target = yield from self.merchant(a.target_merchant)
        source_program = yield from self.program(a.source_program)
        target_number = 0
        if a.target_program:
            target_number = (yield from self.program(a.target_program)).number
        shown: dict[str, object] = {
            "kind": {"exchange": 1, "acceptance": 2}.get(a.kind),
            "initiators": sum({"source": 1, "target": 2}.get(side, 0) for side in set(a.initiators)),
            "source_merchant": source.number,
            "target_merchant": target.number,
            "source_program": source_program.number,
            "target_program": target_number,
            "valid_from": int(a.valid_from.timestamp()),
            "valid_until": int(a.valid_until.timestamp()),
            "document": bytes_of(a.document),
        }
        plain = ("fee_bps", "lifetime_days", "rate_num", "rate_den", "unit_price_micros", "max_points")
        shown.update({name: getattr(a, name) for name in (*plain, "daily_cap", "grace_seconds")})
        return shown

    def agreement_between(self, source: str, target: str) -> Flow[Agreement]:
        """The newest active exchange agreement between two programs that the signer's merchant may start."""
        kept = self._pairs.get((source, target))
        if kept is not None and kept[0] > self.core.now():
            return (yield from self.agreement(kept[1]))
        own = yield from self.own_number()
        candidates = yield from self._active_agreements(source, target)
        for candidate in sorted(candidates, key=lambda a: a.number or 0, reverse=True):
            if (yield from self._may_start(candidate, own)):
                self._pairs[source, target] = (self.core.now() + AGREEMENT_SECONDS, candidate.id)
                return (yield from self.agreement(candidate.id))
        raise SigningError(f"there is no active agreement from {source} to {target} that this merchant may start")

    def _active_agreements(self, source: str, target: str) -> Flow[list[Agreement]]:
        source_code = (yield from self.program(source)).code
        target_code = (yield from self.program(target)).code
        found: list[Agreement] = []
        query, cursor = Query("/v1/agreements", Agreement, {"limit": 200}), None
        while True:
            page = yield from query.page(self.core, cursor)
            found += [
                a
                for a in page.data
                if (a.kind, a.state) == ("exchange", "active")
                and a.valid_from.timestamp() <= self.core.now() < a.valid_until.timestamp()
                and (a.source_program, a.target_program) == (source_code, target_code)
            ]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def _may_start(self, agreement: Agreement, own: int) -> Flow[bool]:
        for side, merchant_id in (("source", agreement.source_merchant), ("target", agreement.target_merchant)):
            if side in agreement.initiators and (yield from self.merchant(merchant_id)).number == own:
                return True
        return False


def day_number(day: date) -> int:
    """Days since 1970-01-01, as the chain counts them."""
    return (day - EPOCH).days


def wire_terms(served: dict[str, int | str]) -> AgreementTerms:
    """Served terms as wire terms. Raises VerificationError when a field is missing or no whole number."""
    numbers: dict[str, int] = {}
    for name in (f.name for f in fields(AgreementTerms)[:-1]):
        value = served.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise VerificationError(f"terms.{name}", "must be a whole number", found=value)
        numbers[name] = value
    try:
        document = bytes_of(str(served.get("document")))
    except ValueError:
        document = b""
    if len(document) != 32:
        raise VerificationError("terms.document", "must be 32 bytes of hex", found=served.get("document"))
    return AgreementTerms(**numbers, document=document)


def compare_words(terms: AgreementTerms, on_chain: tuple[bytes, ...]) -> None:
    """Raises VerificationError unless the chain holds these terms. An earlier end there is no contradiction, and the
    document is not kept in the contract's storage."""
    for name, found in zip((f.name for f in fields(AgreementTerms)), on_chain, strict=True):
        if name == "document":
            continue
        value = getattr(terms, name)
        expected = value if isinstance(value, bytes) else word(value)
        if name == "valid_until" and found <= expected:
            continue
        _same(f"terms.{name}", "the chain has registered other terms", hex_of(expected), hex_of(found))


def _same(check: str, message: str, expected: object, found: object) -> None:
    """Raises VerificationError unless both are the same; text is compared without regard to case (addresses,
    hashes)."""
    left = expected.lower() if isinstance(expected, str) else expected
    right = found.lower() if isinstance(found, str) else found
    if left != right:
        raise VerificationError(check, message, expected=expected, found=found)
