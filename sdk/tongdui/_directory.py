"""Reference data that orders are built from: fetched once, checked, kept. What can be checked is never taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from ._canonical import canonical_name
from ._chain import Node
from ._errors import SigningError, VerificationError
from ._flow import Flow
from ._gateway import Gateway, Identified, name_of, segment
from ._models import Agreement, Member, Merchant, Movement, Network, Program
from ._pagination import Page, Query
from ._receipt import Receipt, ReceiptEntry
from ._signing import Signer
from ._verification import require_same
from .encoding import bytes_of, hex_of, keccak256, word
from .orders import AgreementTerms, Domain

EPOCH = date(1970, 1, 1)
AGREEMENT_SECONDS = 60.0
"""How long a client uses the agreement that it found between two programs before it looks for a newer one."""
_LOOKUP_PAGE = 500
"""Members that the gateway looks up at once."""
_TERM_NAMES = tuple(term.name for term in fields(AgreementTerms))


@dataclass(slots=True)
class Directory:
    """Looks up numbers of programs, agreements and merchants, members' addresses, and the chain that signatures are bound to."""

    gateway: Gateway
    _network: Network | None = None
    _own: int | None = None
    _programs: dict[str, Program] = field(default_factory=dict)
    _merchants: dict[str, Merchant] = field(default_factory=dict)
    _agreements: dict[str, Agreement] = field(default_factory=dict)
    _kinds: dict[str, str] = field(default_factory=dict)
    _routes: dict[tuple[str, str, str], tuple[float, str]] = field(default_factory=dict)
    _addresses: dict[str, str] = field(default_factory=dict)
    _owners: dict[str, str] = field(default_factory=dict)
    """Address -> member's id."""
    _unsure: set[str] = field(default_factory=set)
    """Names of members to look up again before they are used: the member may have been merged into another."""

    def forget(self) -> None:
        """Drop everything that may have become stale. Members' addresses stay pinned, and are looked up again."""
        self._network = self._own = None
        self.forget_members()
        for cache in (self._programs, self._merchants, self._agreements, self._routes):
            cache.clear()

    def forget_members(self) -> None:
        """Look every member up again before it is used. Its address may have changed only by a merge."""
        self._unsure = set(self._addresses)

    @property
    def signer(self) -> Signer:
        """The client's signer. Raises SigningError when it has none."""
        if self.gateway.options.signer is None:
            raise SigningError("this client has no signer: Client(..., signer=LocalSigner.from_keystore(...))")
        return self.gateway.options.signer

    # ---------------------------------------------------------------- network

    def network(self) -> Flow[Network]:
        """Look up the network, and compare it with the pinned values and (with an `rpc_url`) with the chain.

        Returns:
            The network.

        Raises:
            VerificationError: The gateway serves another contract or chain.
        """
        if (known := self._network) is not None:
            return known
        found = yield from self.gateway.get(Network, "/v1/network")
        options = self.gateway.options
        if options.contract is not None:
            require_same("contract", "the gateway serves another one", options.contract, found.contract)
        if options.chain_id is not None:
            require_same("chain_id", "the gateway serves another one", options.chain_id, found.chain_id)
        node = self._node(found)
        if node is not None:
            yield from self._check_chain(node, found)
        self._network = found
        return found

    def domain(self) -> Flow[Domain]:
        """The chain and the contract that signatures are bound to."""
        network = yield from self.network()
        return Domain(network.chain_id, network.contract)

    def today(self, after_seconds: int = 0) -> Flow[date]:
        """The network's day, by this machine's clock: now, or so many seconds later."""
        network = yield from self.network()
        seconds = network.utc_offset_seconds + after_seconds
        return (datetime.fromtimestamp(self.gateway.now(), UTC) + timedelta(seconds=seconds)).date()

    def _node(self, network: Network) -> Node | None:
        url = self.gateway.options.rpc_url
        return Node(url, network.contract, self.gateway.options.timeout) if url else None

    def _check_chain(self, node: Node, network: Network) -> Flow[None]:
        chain_id = yield from node.chain_id()
        require_same("chain_id", "the node is on another chain", network.chain_id, chain_id)
        if not (yield from node.has_code()):
            raise VerificationError("contract", f"there is no contract at {network.contract} on the chain")

    # ---------------------------------------------------------------- merchants and programs

    def own_number(self) -> Flow[int]:
        """The number of the signer's merchant: from the chain if there is a node, else from the gateway."""
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
            raise SigningError(f"{self.signer.address} is not a merchant's key on the chain")
        if not start <= self.gateway.now() < end:
            raise SigningError(
                f"{self.signer.address} is not a live key of merchant {number}: it has ended or not begun"
            )
        return number

    def _own_merchant(self) -> Flow[Merchant]:
        """The merchant that the client was given, or else the one that has this signer."""
        if self.gateway.options.merchant:
            return (yield from self.merchant(self.gateway.options.merchant))
        query, cursor = Query("/v1/merchants", Merchant, {"limit": 200}), None
        while True:
            page = yield from query.page(self.gateway, cursor)
            for merchant in page.data:
                if merchant.signer and merchant.signer.address.lower() == self.signer.address.lower():
                    return merchant
            cursor = page.next_cursor
            if cursor is None:
                raise SigningError(
                    f"no merchant visible to this API key signs with {self.signer.address}; is it the right keystore?"
                )

    def merchant(self, merchant_id: str) -> Flow[Merchant]:
        """Look up a merchant by id."""
        if (known := self._merchants.get(merchant_id)) is not None:
            return known
        found = yield from self.gateway.get(Merchant, f"/v1/merchants/{segment(merchant_id)}")
        self._merchants[merchant_id] = found
        return found

    def program(self, code: str) -> Flow[Program]:
        """Look up a program, and check its number against the chain if there is a node.

        Args:
            code: Its code or id.

        Returns:
            The program.

        Raises:
            VerificationError: The gateway serves another program, or the chain has another one under this number.
        """
        if (known := self._programs.get(code)) is not None:
            return known
        found = yield from self.gateway.get(Program, f"/v1/programs/{segment(code)}")
        if code not in {found.code, found.id}:
            raise VerificationError("program", "the gateway served another one", expected=code, found=found.code)
        node = self._node((yield from self.network()))
        if node is not None:
            on_chain = yield from node.code_of_program(found.number)
            require_same("program", f"program {found.number} is another one on the chain", found.code, on_chain)
        self._programs[code] = found
        return found

    # ---------------------------------------------------------------- members

    def address(self, member: str) -> Flow[str]:
        """A member's address. Only the gateway knows it, so it is fetched once and stays pinned."""
        member = canonical_name(member)
        if member not in self._addresses or member in self._unsure:
            found = yield from self.gateway.get(Member, f"/v1/members/{segment(member)}")
            self.learn(found, member)
        return self._addresses[member]

    def look_up(self, names: Iterable[str]) -> Flow[list[Member]]:
        """Learn many members' addresses, some hundreds with each request.

        Args:
            names: Ids of members, or other names of them.

        Returns:
            The members, each once, in the order of the names. Those whom the merchant does not know are missing.

        Raises:
            VerificationError: A member's address is not what it was before.
        """
        found: dict[str, Member] = {}
        left = iter(dict.fromkeys(map(canonical_name, names)))
        while some := [*islice(left, _LOOKUP_PAGE)]:
            response = yield from self.gateway.send("POST", "/v1/members/lookup", json={"members": some})
            for member in self.gateway.parse(Page[Member], response).data:
                own = {f"external:{external_id}" for external_id in member.external_ids}
                self.learn(member, *own.intersection(some))
                found[member.id] = member
        return [*found.values()]

    def prepare(self, members: Iterable[str]) -> Flow[None]:
        """Look up together those of these members whose address is not known, so that `address` need not ask for each alone.
        Whom the merchant does not know, `address` refuses by name."""
        named = dict.fromkeys(map(canonical_name, members))
        missing = [name for name in named if name not in self._addresses or name in self._unsure]
        if len(missing) > 1:
            yield from self.look_up(missing)

    def code_holder(self, code: str, program: str, points: int) -> Flow[Member]:
        """The member whose code it is. An order that is signed with a code needs the member's address.

        The request's key is made of what it asks. So a client that repeats an order after a restart gets the first answer, although
        the order has used the code up.

        Args:
            code: The member's code, or what its QR code says.
            program: Code or id of the program whose points are wanted.
            points: How many.

        Returns:
            The member.
        """
        body = {"member_code": code, "program": program, "points": points}
        key = "member-code-" + hex_of(keccak256(repr(body).encode()))[2:]
        found = yield from self.gateway.post(Member, "/v1/member_codes/lookup", body, key=key)
        self.learn(found)
        return found

    def known_address(self, member: str) -> str | None:
        """A member's address, if this client has seen it."""
        return self._addresses.get(canonical_name(member))

    def learn(self, member: Member, *names: str) -> None:
        """Remember a member's address under its id and other names.

        Args:
            member: The member as the gateway served it.
            names: Other names of the same member, such as `external:FC-1001`.

        Raises:
            VerificationError: One of these names had a different address before, and not because its member was merged.
        """
        for name in {member.id, *map(canonical_name, names), *member.merged}:
            known = self._addresses.get(name, member.address)
            if self._owners.get(known) not in member.merged:
                require_same("member", f"the address of {name} changed", known, member.address)
            self._addresses[name] = member.address
            self._unsure.discard(name)
        self._owners[member.address] = member.id

    def forget_member(self, member_id: str) -> None:
        """Drop the address of a member that was erased. Its names may lead to somebody else from now on."""
        addresses = {address for address, owner in self._owners.items() if owner == member_id}
        for name in [name for name, address in self._addresses.items() if address in addresses]:
            self.unlearn(name)

    def unlearn(self, name: str) -> None:
        """Forget the address of a name that no longer leads to its member, such as a retired `external:FC-1001`."""
        self._addresses.pop(canonical_name(name), None)
        self._unsure.discard(canonical_name(name))

    def pin(self, member: str, address: str) -> None:
        """Remember a member's address.

        Args:
            member: The member's id, or another name of it.
            address: The address.

        Raises:
            VerificationError: The member had a different address before.
        """
        known = self._addresses.setdefault(canonical_name(member), address)
        require_same("member", f"the address of {member} changed", known, address)

    # ---------------------------------------------------------------- movements

    def movement(self, movement_id: str) -> Flow[Movement]:
        """Fetch a movement, of whatever kind, as it is now."""
        found = yield from self.gateway.get(Movement, f"/v1/movements/{segment(movement_id)}")
        require_same("movement", "the gateway served another one", movement_id, found.id)
        return found

    def movements_with(self, reference: str, kind: str | None) -> Flow[list[Movement]]:
        """The settled movements of the client's merchant that have this reference, without reversals.

        Args:
            reference: The merchant's document number.
            kind: Only those of this kind, such as `issue`.

        Returns:
            The movements: at most one of each kind.
        """
        query = Query("/v1/movements", Movement, {"reference": reference, "kind": kind, "state": "settled"})
        page = yield from query.page(self.gateway, None)
        return [movement for movement in page.data if movement.object != "reversal"]

    def entry_of(self, movement: Movement) -> Flow[ReceiptEntry]:
        """The entry of a settled movement, proven by its receipt, with a node also against the chain.

        Args:
            movement: The movement.

        Returns:
            The entry.

        Raises:
            VerificationError: The receipt proves nothing, or is not the movement's.
            PendingError: The movement has not settled yet.
            RejectedError: It did not take effect.
        """
        leaf = movement.settled().leaf
        receipt = yield from self.gateway.get(Receipt, f"/v1/entries/{segment(leaf)}/receipt")
        require_same("leaf", "the gateway served another entry", leaf, receipt.leaf)
        receipt.check_movement(movement)
        program = yield from self.program(movement.program)
        require_same("entry.program", "the entry is not what the movement shows", program.number, receipt.entry.program)
        network = yield from self.network()
        require_same("contract", "the receipt is for another contract", network.contract, receipt.contract)
        yield from receipt.check_chain(self._node(network))
        return receipt.entry

    # ---------------------------------------------------------------- agreements

    def agreement(self, agreement_id: str) -> Flow[Agreement]:
        """Look up an agreement and check its terms: against what the API shows, the digest and, with a node, the chain.

        Args:
            agreement_id: Its id.

        Returns:
            The agreement.

        Raises:
            VerificationError: A check failed.
        """
        if (known := self._agreements.get(agreement_id)) is not None:
            return known
        found = yield from self.gateway.get(Agreement, f"/v1/agreements/{segment(agreement_id)}")
        require_same("agreement", "the gateway served another one", agreement_id, found.id)
        terms = yield from self._terms_as_shown(found)
        if found.number is None:
            return found  # not on the chain yet: look again next time
        node = self._node((yield from self.network()))
        if node is not None:
            compare_terms(terms, (yield from node.terms_of_agreement(found.number)))
        self._agreements[agreement_id] = found
        return found

    def checked_terms(self, agreement: Agreement) -> Flow[AgreementTerms]:
        """Check the terms of an agreement before they are signed.

        Args:
            agreement: The agreement as the gateway served it.

        Returns:
            Its wire terms. They say what the agreement's other members show, and end no agreement but the one in
            `supersedes`.

        Raises:
            VerificationError: They say something else.
        """
        terms = yield from self._terms_as_shown(agreement)
        ended: int | None = 0
        if agreement.supersedes is not None:
            ended = (yield from self.agreement(agreement.supersedes)).number
        require_same("terms.supersedes", "the terms to sign differ from what is shown", ended, terms.supersedes)
        return terms

    def _terms_as_shown(self, agreement: Agreement) -> Flow[AgreementTerms]:
        """The wire terms, all checked except `supersedes`, which would lead from agreement to agreement to the oldest."""
        domain = yield from self.domain()
        terms = wire_terms(agreement.terms)
        digest = hex_of(terms.digest(domain))
        require_same("digest", "the terms do not hash to the digest", digest, agreement.digest)
        shown = yield from self._shown_terms(agreement)
        for name, value in shown.items():
            require_same(f"terms.{name}", "the terms to sign differ from what is shown", value, getattr(terms, name))
        return terms

    def _shown_terms(self, agreement: Agreement) -> Flow[dict[str, object]]:
        """What the wire terms must be, according to the readable members of an agreement."""
        source = yield from self.merchant(agreement.source_merchant)
        target = yield from self.merchant(agreement.target_merchant)
        source_program = yield from self.program(agreement.source_program)
        target_number = 0
        if agreement.target_program:
            target_number = (yield from self.program(agreement.target_program)).number
        shown: dict[str, object] = {
            "kind": {"exchange": 1, "acceptance": 2}.get(agreement.kind),
            "initiators": sum({"source": 1, "target": 2}.get(side, 0) for side in set(agreement.initiators)),
            "source_merchant": source.number,
            "target_merchant": target.number,
            "source_program": source_program.number,
            "target_program": target_number,
            "valid_from": int(agreement.valid_from.timestamp()),
            "valid_until": int(agreement.valid_until.timestamp()),
            "accept_by": int(agreement.accept_by.timestamp()) if agreement.accept_by else 0,
            "keep_expiry": agreement.keep_expiry,
            "document": bytes_of(agreement.document),
        }
        plain = ("fee_bps", "lifetime_days", "rate_num", "rate_den", "unit_price_micros", "max_points")
        shown.update({name: getattr(agreement, name) for name in (*plain, "daily_cap", "grace_seconds")})
        return shown

    def kind_of_agreement(self, agreement: str | Identified) -> Flow[str]:
        """Whether an agreement is an `exchange` or an `acceptance`. Before it signs, a client checks the terms all the same.

        Args:
            agreement: The agreement, or its id.

        Returns:
            Its kind.
        """
        if isinstance(agreement, Agreement):
            return agreement.kind
        name = name_of(agreement)
        if name not in self._kinds:
            self._kinds[name] = (yield from self.gateway.get(Agreement, f"/v1/agreements/{segment(name)}")).kind
        return self._kinds[name]

    def agreement_between(self, source: str, target: str) -> Flow[Agreement]:
        """Find the newest active exchange agreement between two programs that the signer's merchant may start.

        Args:
            source: Code or id of the program that the points leave.
            target: Code or id of the program that they enter.

        Returns:
            The agreement, checked.

        Raises:
            SigningError: There is none.
        """
        source_code = (yield from self.program(source)).code
        target_code = (yield from self.program(target)).code

        def fits(agreement: Agreement) -> bool:
            return (agreement.source_program, agreement.target_program) == (source_code, target_code)

        return (yield from self._newest("exchange", source_code, target_code, fits))

    def acceptance(self, program: str, acceptor: str | None) -> Flow[Agreement]:
        """Find the newest active agreement by which a merchant takes a program's points for goods, if the signer may use it.

        Args:
            program: Code or id of the program.
            acceptor: Id of the merchant that takes the points; None for the signer's own.

        Returns:
            The agreement, checked.

        Raises:
            SigningError: There is none.
        """
        code = (yield from self.program(program)).code
        if acceptor is None:
            acceptor = (yield from self._own_merchant()).id

        def fits(agreement: Agreement) -> bool:
            return (agreement.source_program, agreement.target_merchant) == (code, acceptor)

        return (yield from self._newest("acceptance", code, acceptor, fits))

    def _newest(self, kind: str, source: str, target: str, fits: Callable[[Agreement], bool]) -> Flow[Agreement]:
        """The newest active agreement of a kind that fits and that the signer's merchant may start. It is kept for a while."""
        kept = self._routes.get((kind, source, target))
        if kept is not None and kept[0] > self.gateway.now():
            return (yield from self.agreement(kept[1]))
        own = yield from self.own_number()
        candidates = yield from self._active_agreements(kind, source, fits)
        for candidate in sorted(candidates, key=lambda agreement: agreement.number or 0, reverse=True):
            if (yield from self._may_start(candidate, own)):
                self._routes[kind, source, target] = (self.gateway.now() + AGREEMENT_SECONDS, candidate.id)
                return (yield from self.agreement(candidate.id))
        raise SigningError(f"there is no active agreement from {source} to {target} that this merchant may use")

    def _active_agreements(
        self, kind: str, source_code: str, fits: Callable[[Agreement], bool]
    ) -> Flow[list[Agreement]]:
        found: list[Agreement] = []
        now = datetime.fromtimestamp(self.gateway.now(), UTC)
        query = Query("/v1/agreements", Agreement, {"kind": kind, "program": source_code, "limit": 200})
        cursor = None
        while True:
            page = yield from query.page(self.gateway, cursor)
            found += [
                agreement
                for agreement in page.data
                if agreement.kind == kind and agreement.is_usable_at(now) and fits(agreement)
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


def wire_terms(served: dict[str, int | bool | str]) -> AgreementTerms:
    """Read the wire terms that the gateway served.

    Args:
        served: The `terms` of an agreement.

    Returns:
        The terms as they are signed.

    Raises:
        VerificationError: A field is missing or not of its type.
    """
    numbers: dict[str, int] = {}
    for name in _TERM_NAMES:
        if name in {"keep_expiry", "document"}:
            continue
        value = served.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise VerificationError(f"terms.{name}", "must be a whole number", found=value)
        numbers[name] = value
    keep_expiry = served.get("keep_expiry")
    if not isinstance(keep_expiry, bool):
        raise VerificationError("terms.keep_expiry", "must be true or false", found=keep_expiry)
    try:
        document = bytes_of(str(served.get("document")))
    except ValueError:
        document = b""
    if len(document) != 32:
        raise VerificationError("terms.document", "must be 32 bytes of hex", found=served.get("document"))
    return AgreementTerms(**numbers, keep_expiry=keep_expiry, document=document)


def compare_terms(terms: AgreementTerms, on_chain: tuple[bytes, ...]) -> None:
    """Compare terms with those that the chain has registered.

    The chain may have an earlier end, after a termination; the document is not in the contract's storage.

    Args:
        terms: The wire terms.
        on_chain: The words of the registered terms.

    Raises:
        VerificationError: The chain has registered other terms.
    """
    for name, found in zip(_TERM_NAMES, on_chain, strict=True):
        if name == "document":
            continue
        value = getattr(terms, name)
        expected = value if isinstance(value, bytes) else word(value)
        if name == "valid_until" and found <= expected:
            continue
        require_same(f"terms.{name}", "the chain has registered other terms", hex_of(expected), hex_of(found))
