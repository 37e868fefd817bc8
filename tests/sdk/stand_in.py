"""A small gateway and chain node that speak real HTTP and check real signatures, for what needs no clearing house behind it: the
shapes of requests, faults at chosen moments, lies that the client must see through. The real ones are in tests/e2e."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tongdui._unkeyed import takes_key
from tongdui.encoding import ZERO_WORD, address_word, bytes_of, hex_of, keccak256, text_word, word
from tongdui.orders import (
    AgreementTerms,
    Domain,
    Instruction,
    Kind,
    Order,
    recover_signer,
    signature_bytes,
    termination_digest,
)
from tongdui.receipts import Entry, merkle_proof, merkle_root

CHAIN_ID = 31_337
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
OFFSET = 28_800
HASH = "0x" + "ab" * 32
_NOUNS = {"issue": "issuance", "redeem": "redemption", "reverse": "reversal"}


@dataclass
class Call:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class ProblemError(Exception):
    """Becomes a problem document."""

    def __init__(
        self, status: int, code: str, detail: str = "", pointers: tuple[str, ...] = (), **headers: str
    ) -> None:
        self.status, self.code, self.detail, self.headers = status, code, detail, headers
        self.pointers = pointers


@dataclass
class StandIn:
    """State of the stand-in. `faults` are asked before each request is handled and may raise, or answer (status, body)."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    faults: list[Callable[[Call], tuple[int, Any] | None]] = field(default_factory=list)
    merchants: dict[str, dict[str, Any]] = field(default_factory=dict)
    programs: dict[str, dict[str, Any]] = field(default_factory=dict)
    agreements: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    movements: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    placed: dict[str, Order] = field(default_factory=dict)
    """What each order that names its programs or agreements says on the wire, to make its entries of."""
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    """The member whose code it is."""
    wires: list[Order] = field(default_factory=list)
    answered: dict[str, tuple[str, int, Any]] = field(default_factory=dict)
    used: set[tuple[int, int]] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    next_nonce: int = 100
    settle_at_once: bool = True
    chain: dict[str, Any] = field(default_factory=dict)
    """What the chain node says, where it differs from the gateway."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    # ---------------------------------------------------------------- setting up

    @property
    def domain(self) -> Domain:
        return Domain(CHAIN_ID, CONTRACT)

    def merchant(self, name: str, address: str) -> str:
        identity = f"mer_{name}"
        number = len(self.merchants) + 1
        signer = {"address": address, "managed": False}
        self.merchants[identity] = {
            "id": identity,
            "number": number,
            "name": name,
            "status": "active",
            "signer": signer,
        }
        return identity

    def program(self, code: str, merchant: str, lifetime: int | None = None) -> None:
        self.programs[code] = {
            "id": f"prg_{code}",
            "number": len(self.programs) + 1,
            "merchant": merchant,
            "code": code,
            "name": code.title(),
            "status": "active",
            "default_lifetime_days": lifetime,
        }

    def agreement(self, source: str, target: str, **changes: Any) -> dict[str, Any]:
        """An active agreement, served as the gateway would."""
        a, b = self.programs[source], self.programs[target]
        number = len(self.agreements) + 1
        body = {
            "kind": "exchange",
            "source_program": source,
            "target_program": target,
            "rate_num": 9,
            "rate_den": 10,
            "unit_price_micros": 9_000,
            "max_points": 1_000,
            "daily_cap": 10_000,
            "valid_until": "2030-01-01T00:00:00Z",
            **changes,
        }
        served = self.serve_agreement(body, a, b)
        served.update(number=number, state="active")
        return served

    def acceptance(self, source: str, acceptor: str, **changes: Any) -> dict[str, Any]:
        """An active agreement by which a merchant takes a program's points for goods, served as the gateway would."""
        a, target = self.programs[source], {"merchant": acceptor, "number": 0, "code": None}
        number = len(self.agreements) + 1
        body = {
            "kind": "acceptance",
            "rate_num": 1,
            "rate_den": 1,
            "unit_price_micros": 10_000,
            "max_points": 1_000,
            "daily_cap": 10_000,
            "initiators": ["source", "target"],
            "valid_until": "2030-01-01T00:00:00Z",
            **changes,
        }
        served = self.serve_agreement(body, a, target)
        served.update(number=number, state="active")
        return served

    def serve_agreement(self, body: dict[str, Any], a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
        identity = f"agr_{len(self.agreements) + 1}"
        start = body.get("valid_from", "2026-01-01T00:00:00Z")
        initiators = body.get("initiators", ["source"])
        accept_by = body.get("accept_by")
        terms = AgreementTerms(
            kind=2 if body["kind"] == "acceptance" else 1,
            initiators=sum({"source": 1, "target": 2}[s] for s in initiators),
            fee_bps=body.get("fee_bps", 0),
            lifetime_days=body.get("lifetime_days", 0),
            source_merchant=self.merchants[a["merchant"]]["number"],
            target_merchant=self.merchants[b["merchant"]]["number"],
            source_program=a["number"],
            target_program=b["number"],
            valid_from=_unix(start),
            valid_until=_unix(body["valid_until"]),
            rate_num=body["rate_num"],
            rate_den=body["rate_den"],
            unit_price_micros=body["unit_price_micros"],
            max_points=body["max_points"],
            daily_cap=body["daily_cap"],
            supersedes=self.agreements[body["supersedes"]]["number"] if body.get("supersedes") else 0,
            grace_seconds=body.get("grace_seconds", 0),
            accept_by=_unix(accept_by) if accept_by else 0,
            keep_expiry=body.get("keep_expiry", False),
            document=keccak256(identity.encode()),
        )
        shown = {name: getattr(terms, name) for name in AgreementTerms.__dataclass_fields__}
        served = {
            **shown,
            "id": identity,
            "state": "proposed",
            "kind": body["kind"],
            "source_merchant": a["merchant"],
            "target_merchant": b["merchant"],
            "source_program": a["code"],
            "target_program": b["code"],
            "initiators": initiators,
            "valid_from": start,
            "valid_until": body["valid_until"],
            "supersedes": body.get("supersedes"),
            "accept_by": accept_by,
            "document": hex_of(terms.document),
            "terms": {**shown, "document": hex_of(terms.document)},
            "digest": hex_of(terms.digest(self.domain)),
        }
        self.agreements[identity] = served
        return served

    # ---------------------------------------------------------------- gateway

    def handle(self, call: Call) -> tuple[int, Any]:
        key = call.headers.get("idempotency-key")
        if call.method == "POST" and not call.path.startswith("/rpc") and takes_key("POST", call.path):
            if not key:
                raise ProblemError(400, "idempotency_key_missing")
            body = {k: v for k, v in (call.body or {}).items() if k != "authorization"}
            fingerprint = json.dumps([call.path, body], sort_keys=True)
            if key in self.answered:
                first, status, answer = self.answered[key]
                if first != fingerprint:
                    raise ProblemError(422, "idempotency_key_reused")
                return status, answer
            status, answer = self.route(call)
            self.answered[key] = (fingerprint, status, answer)
            return status, answer
        return self.route(call)

    def route(self, call: Call) -> tuple[int, Any]:
        parts = [unquote(p) for p in call.path.strip("/").split("/")]
        if parts[0] == "rpc":
            return 200, self.rpc(call.body)
        if parts == ["readyz"]:
            return 503, {"status": "degraded", "checks": {"chain": {"ok": False, "detail": "no answer"}}}
        name = f"{call.method.lower()}_{parts[1]}"
        handler = getattr(self, name, None)
        if handler is None:
            raise ProblemError(404, "not_found", f"no {name}")
        found: tuple[int, Any] = handler(call, *parts[2:])
        return found

    def get_network(self, call: Call) -> tuple[int, Any]:
        return 200, {
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
            "currency": "CNY",
            "utc_offset_seconds": OFFSET,
            "today": today().isoformat(),
            "rpc_hint": None,
        }

    def get_merchants(self, call: Call, identity: str = "") -> tuple[int, Any]:
        return 200, self.merchants[identity] if identity else self.page(call, list(self.merchants.values()))

    def get_programs(self, call: Call, code: str = "") -> tuple[int, Any]:
        return 200, self.programs.get(code) or self.missing("unknown_program")

    def get_agreements(self, call: Call, identity: str = "") -> tuple[int, Any]:
        if identity:
            return 200, self.agreements.get(identity) or self.missing("unknown_agreement")
        return 200, self.page(call, list(self.agreements.values()))

    def post_agreements(self, call: Call, identity: str = "", what: str = "") -> tuple[int, Any]:
        if not identity:
            body = call.body
            source, target = self.programs[body["source_program"]], self.programs[body["target_program"]]
            return 201, self.serve_agreement(body, source, target)
        agreement = self.agreements[identity]
        if what == "withdrawal":
            agreement["state"] = "withdrawn"
            return 200, agreement
        if what == "termination":
            return 200, self.terminated(agreement, call.body)
        signer = recover_signer(bytes_of(agreement["digest"]), signature_bytes(call.body["signature"]))
        agreement.setdefault("signers", []).append(signer)
        if len(agreement["signers"]) == 2:
            agreement.update(state="active", number=len(self.agreements))
        return 201, agreement

    def terminated(self, agreement: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        if "signature" in body:
            digest = termination_digest(self.domain, agreement["number"], _unix(body["effective_at"]))
            agreement["terminated_by"] = recover_signer(digest, signature_bytes(body["signature"]))
        end = max(body.get("effective_at", ""), "2026-11-25T00:00:00Z")
        agreement.update(state="terminated", ends_at=end)
        return agreement

    def post_members(self, call: Call, what: str = "") -> tuple[int, Any]:
        if what == "register":
            externals = call.body["external_ids"]
            bad = tuple(f"/external_ids/{n}" for n, external in enumerate(externals) if external.startswith("bad"))
            if bad:
                raise ProblemError(422, "validation_failed", "not a customer number", bad)
            return 200, {"data": [self.member(external) for external in externals], "next_cursor": None}
        if what == "lookup":
            found = [self.members[name] for name in call.body["members"] if name in self.members]
            return 200, {"data": [*{member["id"]: member for member in found}.values()], "next_cursor": None}
        external = call.body["external_id"]
        if external.startswith("bad"):
            raise ProblemError(422, "validation_failed", "not a customer number", ("/external_id",))
        known = f"external:{external}" in self.members
        member = self.member(external)
        return (200 if known else 201), member

    def member(self, external: str) -> dict[str, Any]:
        identity = f"mem_{external.replace('/', '-')}"
        address = hex_of(keccak256(external.encode())[-20:])
        member = {"id": identity, "external_id": external, "external_ids": [external], "address": address}
        self.members[identity] = self.members[f"external:{external}"] = member
        return member

    def get_members(self, call: Call, name: str, what: str = "") -> tuple[int, Any]:
        return 200, self.members.get(name) or self.missing("unknown_member")

    def post_nonces(self, call: Call) -> tuple[int, Any]:
        first, count = self.next_nonce, call.body["count"]
        self.next_nonce += count
        return 201, {"first": first, "count": count}

    def post_issuances(self, call: Call) -> tuple[int, Any]:
        return self.single(call, Kind.ISSUE, call.body)

    def post_redemptions(self, call: Call) -> tuple[int, Any]:
        return self.single(call, Kind.REDEEM, call.body)

    def post_exchanges(self, call: Call) -> tuple[int, Any]:
        return self.single(call, Kind.EXCHANGE, call.body)

    def post_spends(self, call: Call) -> tuple[int, Any]:
        return self.single(call, Kind.SPEND, call.body)

    def post_transfers(self, call: Call) -> tuple[int, Any]:
        return self.single(call, Kind.TRANSFER, call.body)

    def post_reversals(self, call: Call) -> tuple[int, Any]:
        return self.single(call, Kind.REVERSE, call.body)

    def get_movements(self, call: Call, identity: str = "") -> tuple[int, Any]:
        if identity:
            return 200, next((m for m in self.movements if m["id"] == identity), None) or self.missing("not_found")
        return 200, self.page(call, [m for m in self.movements if m["reference"] == call.query["reference"]])

    def post_movements(self, call: Call, what: str) -> tuple[int, Any]:
        noun = _NOUNS.get(call.body["kind"], call.body["kind"])
        own = [m for m in self.movements if m["object"] == noun and m["state"] != "rejected"]
        found = {m["reference"]: m for m in own}
        return 200, {"data": [found[r] for r in call.body["references"] if r in found], "next_cursor": None}

    def post_member_codes(self, call: Call, what: str) -> tuple[int, Any]:
        return 200, self.members.get(self.codes.get(call.body["member_code"], "")) or self.missing(
            "member_code_invalid"
        )

    def named(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body with the member that a code or an original stands for."""
        if "movement" in body:
            original = next(m for m in self.movements if m["id"] == body["movement"])
            shown = {name: original[name] for name in ("member", "program", "agreement")}
            entry = next((e for e in self.entries if hex_of(e.leaf()) == original["entry"]["leaf"]), None)
            return {"points": original["points"], **body, **shown, "link": entry.leaf() if entry else ZERO_WORD}
        if "member_code" in body:
            return {**body, "member": self.codes[body["member_code"]]}
        return body

    def single(self, call: Call, kind: Kind, body: dict[str, Any]) -> tuple[int, Any]:
        order = self.accept([(kind, body, "")], body.get("authorization"), atomic=False)
        return (201 if self.settle_at_once else 202), order["movements"][0]

    def post_holds(self, call: Call, identity: str = "", what: str = "") -> tuple[int, Any]:
        if what == "capture":
            hold = self.holds[identity]
            shown = {name: hold[name] for name in ("program", "member", "taken_on")}
            return self.single(call, Kind[call.body["kind"].upper()], {**call.body, **shown})
        body = self.named(call.body)
        hold = {
            "id": f"hol_{len(self.holds) + 1}",
            "state": "pending",
            "merchant": next(iter(self.merchants)),
            "member": self.members[body["member"]]["id"],
            "member_address": self.members[body["member"]]["address"],
            "program": self.programs[body.get("program", "FUEL")]["code"],
            "agreement": body.get("agreement"),
            "points": call.body["points"],
            "taken_on": today().isoformat(),
            "expires_at": "2030-01-01T00:00:00Z",
        }
        self.holds[hold["id"]] = hold
        return 201, hold

    def post_orders(self, call: Call) -> tuple[int, Any]:
        items = [(Kind[i["kind"].upper()], i, f"/instructions/{n}") for n, i in enumerate(call.body["instructions"])]
        order = self.accept(items, call.body.get("authorization"), atomic=call.body["atomic"])
        if "return=minimal" in call.headers.get("prefer", ""):
            return 201, {**order, "movements": None}
        return 201, order

    def get_orders(self, call: Call, identity: str) -> tuple[int, Any]:
        self.settle(self.orders[identity])
        return 200, self.orders[identity]

    def get_issuances(self, call: Call, identity: str = "") -> tuple[int, Any]:
        if identity:
            found = next(m for m in self.movements if m["id"] == identity)
            self.settle(self.orders[found["order"]])
            return 200, found
        member = self.members.get(call.query.get("member", ""))
        wanted = [m for m in self.movements if call.query.get("reference") in (None, m["reference"])]
        return 200, self.page(call, [m for m in wanted if member is None or m["member"] == member["id"]])

    def get_entries(self, call: Call, leaf: str, what: str) -> tuple[int, Any]:
        leaves = [e.leaf() for e in self.entries]
        index = leaves.index(bytes_of(leaf))
        entry = self.entries[index]
        shown = {n: getattr(entry, n) for n in Entry.__dataclass_fields__}
        return 200, {
            "entry": {**shown, "ref": hex_of(entry.ref), "link": hex_of(entry.link)},
            "leaf": leaf,
            "proof": [hex_of(p) for p in merkle_proof(leaves, index)],
            "root": hex_of(merkle_root(leaves)),
            "batch": 7,
            "tx_hash": HASH,
            "block_number": 12,
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
        }

    def delete_api_keys(self, call: Call, identity: str) -> tuple[int, Any]:
        return 200, {"id": identity, "role": "merchant", "revoked_at": "2026-04-15T00:00:00Z"}

    def page(self, call: Call, rows: list[dict[str, Any]]) -> dict[str, Any]:
        limit, start = int(call.query.get("limit", 50)), int(call.query.get("cursor", 0))
        more = start + limit < len(rows)
        return {"data": rows[start : start + limit], "next_cursor": str(start + limit) if more else None}

    def missing(self, code: str) -> Any:
        raise ProblemError(404, code)

    # ---------------------------------------------------------------- orders

    def accept(self, items: list[tuple[Kind, Any, str]], authorization: Any, *, atomic: bool) -> dict[str, Any]:
        items = [(kind, self.named(body), place) for kind, body, place in items]
        taken = {m["reference"] for m in self.movements if m["state"] != "rejected"} - {None}
        pointers = tuple(f"{p}/reference" for _, body, p in items if body.get("reference") in taken)
        if pointers:
            raise ProblemError(409, "duplicate_reference", "used", pointers)
        merchant = self.check(items, authorization, atomic=atomic)
        order: dict[str, Any] = {
            "id": f"ord_{len(self.orders)}",
            "state": "accepted",
            "merchant": merchant,
            "atomic": atomic,
            "size": len(items),
            "rejected_count": 0,
        }
        order["movements"] = [self.movement(order, kind, body) for kind, body, _ in items]
        self.orders[order["id"]] = order
        if authorization or all("program" in body for _, body, _ in items):
            number, nonce = self.merchants[merchant]["number"], (authorization or {"nonce": 1})["nonce"]
            wires = tuple(self.wire(kind, body) for kind, body, _ in items)
            self.placed[order["id"]] = Order(number, nonce, 0, wires, atomic)
        self.movements += order["movements"]
        if self.settle_at_once:
            self.settle(order)
        return order

    def movement(self, order: dict[str, Any], kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"{kind.label[:3]}_{len(self.orders)}_{body.get('reference')}",
            "object": _NOUNS.get(kind.label, kind.label),
            "order": order["id"],
            "state": "accepted",
            "merchant": order["merchant"],
            "member": self.members[body["member"]]["id"],
            "external_id": self.members[body["member"]]["external_id"],
            "metadata": body.get("metadata"),
            "program": body.get("program", "FUEL"),
            "agreement": body.get("agreement"),
            "points": body["points"],
            "reversible_points": body["points"],
            "reverses": body.get("movement"),
            "reference": body.get("reference"),
            "entry": None,
        }

    def settle(self, order: dict[str, Any]) -> None:
        for index, movement in enumerate(order["movements"]):
            if movement["state"] != "accepted":
                continue
            if (movement["reference"] or "").endswith("refuse"):
                movement.update(state="rejected", reason="program_paused")
                continue
            movement["state"] = "settled"
            leaf, place = HASH, index
            if placed := self.placed.get(order["id"]):
                entry = self.entry_of(placed, index)
                self.entries.append(entry)
                leaf, place = hex_of(entry.leaf()), entry.index
            movement["entry"] = {
                "leaf": leaf,
                "batch": 7,
                "index": place,
                "points": movement["points"],
                "out": 0,
                "settled_micros": 0,
                "fee_micros": 0,
                "tx_hash": HASH,
                "block_number": 12,
                "settled_at": "2026-04-15T00:00:00Z",
            }
        order["state"] = "settled"
        order["rejected_count"] = sum(m["state"] == "rejected" for m in order["movements"])

    def check(self, items: list[tuple[Kind, Any, str]], authorization: Any, *, atomic: bool) -> str:
        """Rebuilds the order from the body alone and checks who signed it, as the gateway does."""
        if authorization is None:
            return next(iter(self.merchants))
        instructions = tuple(self.wire(kind, body) for kind, body, _ in items)
        for identity, merchant in self.merchants.items():
            order = Order(merchant["number"], authorization["nonce"], authorization["deadline"], instructions, atomic)
            signer = recover_signer(order.digest(self.domain), signature_bytes(authorization["signature"]))
            if signer == merchant["signer"]["address"]:
                if (merchant["number"], order.nonce) in self.used:
                    raise ProblemError(409, "nonce_used")
                self.used.add((merchant["number"], order.nonce))
                self.wires.append(order)
                return identity
        raise ProblemError(422, "wrong_signer")

    def wire(self, kind: Kind, body: dict[str, Any]) -> Instruction:
        if body["member"] not in self.members:
            raise ProblemError(404, "unknown_member")
        agreement = self.agreements.get(body.get("agreement") or "")
        program = self.programs[agreement["source_program"] if agreement else body["program"]]
        expiry = 0
        if kind is Kind.ISSUE:
            day = date.fromisoformat(body["expires_on"]) if body.get("expires_on") else None
            if day is None and program["default_lifetime_days"]:
                day = today() + timedelta(days=program["default_lifetime_days"])
            expiry = day_number(day) if day else 0
        return Instruction(
            kind=kind,
            member=self.members[body["member"]]["address"],
            points=body["points"],
            program=program["number"],
            agreement=agreement["number"] if agreement else 0,
            min_out=body.get("min_out", 0),
            expiry_day=expiry,
            link=self.link(body),
            ref=bytes_of(body["ref"]) if "ref" in body else ZERO_WORD,
        )

    def link(self, body: dict[str, Any]) -> bytes:
        if "taken_on" in body:
            return word(day_number(date.fromisoformat(body["taken_on"])))
        if "recipient" in body:
            return address_word(self.members[body["recipient"]]["address"])
        return body.get("link", ZERO_WORD)

    # ---------------------------------------------------------------- chain node

    def root(self, batch: int) -> bytes:
        return merkle_root([entry.leaf() for entry in self.entries]) if batch == 7 else bytes(32)

    def entry_of(self, order: Order, item: int) -> Entry:
        """What the chain makes of an instruction."""
        i = order.instructions[item]
        return Entry(
            batch=7,
            index=len(self.entries),
            merchant=order.merchant,
            nonce=order.nonce,
            item=item,
            kind=i.kind,
            expiry_day=i.expiry_day,
            program=i.program,
            agreement=i.agreement,
            member=i.member,
            points=i.points,
            out=0,
            settled=0,
            fee=0,
            ref=i.ref,
            link=i.link,
        )

    def post_entry(self, points: int) -> Entry:
        entry = Entry(
            7, len(self.entries), 1, 100, 0, 1, 0, 1, 0, "0x" + "11" * 20, points, 0, 0, 0, ZERO_WORD, ZERO_WORD
        )
        self.entries.append(entry)
        return entry

    def rpc(self, body: dict[str, Any]) -> dict[str, Any]:
        method, params = body["method"], body["params"]
        if method in self.chain:
            return {"jsonrpc": "2.0", "id": 1, "result": self.chain[method]}
        if method == "eth_call":
            return {"jsonrpc": "2.0", "id": 1, "result": hex_of(self.view(params[0]["data"]))}
        batch_closed = hex_of(keccak256(b"BatchClosed(uint40,uint16,bytes32,bytes32)"))
        log = {"address": CONTRACT.lower(), "topics": [batch_closed, hex_of(word(7))]}
        answers = {
            "eth_chainId": hex(CHAIN_ID),
            "eth_getCode": "0x6001",
            "eth_getTransactionReceipt": {"blockNumber": hex(12), "logs": [log]},
        }
        return {"jsonrpc": "2.0", "id": 1, "result": answers[method]}

    def view(self, data: str) -> bytes:
        raw = bytes_of(data)
        argument = int.from_bytes(raw[4:36], "big")
        for signature, answer in self.views().items():
            if keccak256(signature.encode())[:4] == raw[:4]:
                return answer(argument)
        raise ProblemError(500, "no_such_view")

    def views(self) -> dict[str, Callable[[int], bytes]]:
        return {
            "rootOf(uint40)": lambda batch: self.chain.get("root") or self.root(batch),
            "signerOf(address)": self.signer_of,
            "programOf(uint32)": self.program_of,
            "agreementOf(uint32)": lambda n: self.chain.get("terms") or self.terms_of(n),
        }

    def signer_of(self, address: int) -> bytes:
        number = next((m["number"] for m in self.merchants.values() if int(m["signer"]["address"], 16) == address), 0)
        return word(number) + word(0) + word(2**40 - 1)

    def program_of(self, number: int) -> bytes:
        code = next((p["code"] for p in self.programs.values() if p["number"] == number), "")
        return word(1) + word(0) + text_word(self.chain.get("code", code)) + bytes(32)

    def terms_of(self, number: int) -> bytes:
        terms = next(a["terms"] for a in self.agreements.values() if a["number"] == number)
        return AgreementTerms(**{**terms, "document": bytes_of(terms["document"])}).abi_encoding()


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A running stand-in."""
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            url = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            headers = {k.lower(): v for k, v in self.headers.items()}
            call = Call(self.command, url.path, query, headers, json.loads(raw) if raw else None)
            extra: dict[str, str] = {}
            with state.lock:
                state.calls.append(call)
                try:
                    status, body = next((a for f in state.faults if (a := f(call))), None) or state.handle(call)
                except ProblemError as problem:
                    extra = problem.headers
                    status, body = problem.status, _problem(problem)
                except ConnectionAbortedError:
                    self.close_connection = True
                    return
            self.reply(status, body, extra)

        def reply(self, status: int, body: Any, extra: dict[str, str]) -> None:
            raw = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Request-Id": "req_42", "Content-Length": str(len(raw)), **extra}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def today() -> date:
    """The network's day."""
    return (datetime.now(UTC) + timedelta(seconds=OFFSET)).date()


def day_number(day: date) -> int:
    """Days since 1970-01-01, as the chain counts them."""
    return (day - date(1970, 1, 1)).days


def _problem(problem: ProblemError) -> dict[str, Any]:
    return {
        "type": f"/problems/{problem.code.replace('_', '-')}",
        "title": problem.code,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": "req_42",
        "errors": [{"pointer": p, "detail": problem.detail} for p in problem.pointers],
    }
