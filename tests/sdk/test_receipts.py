"""Receipts are checked against a chain node over JSON-RPC; each way in which one can be false has its own name."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearing.runtime.embedded.ports import free_port
from tests.sdk.stand_in import CHAIN_ID, CONTRACT, Call, StandIn, day_number, stand_in, today
from tongdui import (
    APIConnectionError,
    APIError,
    AsyncClient,
    Client,
    Exchange,
    Issue,
    LocalSigner,
    Movement,
    PendingError,
    Receipt,
    Redeem,
    RejectedError,
    VerificationError,
)
from tongdui._cli import main
from tongdui.encoding import hex_of, word


@pytest.fixture
def receipt(gateway: StandIn, client: Client) -> Receipt:
    entries = [gateway.post_entry(points) for points in (5, 6, 7, 8, 9)]
    return client.entries.receipt(hex_of(entries[2].leaf()))


def changed(receipt: Receipt, **members: Any) -> Receipt:
    document = json.loads(receipt.model_dump_json())
    document["entry"].update(members.pop("entry", {}))
    return Receipt.model_validate({**document, **members})


def test_a_true_receipt_is_valid(receipt: Receipt, gateway: StandIn) -> None:
    passed: list[str] = []
    rpc = f"{gateway.url}/rpc"
    receipt.verify(
        rpc_url=rpc, contract=CONTRACT.lower(), chain_id=CHAIN_ID, on_check=lambda name, _: passed.append(name)
    )
    assert passed == ["proof", "contract", "chain_id", "root", "transaction"]
    asyncio.run(receipt.averify(rpc_url=rpc, contract=CONTRACT))


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        ({"entry": {"points": 700}}, "leaf"),
        ({"entry": {"member": "0x" + "12" * 20}}, "leaf"),
        ({"entry": {"batch": 8}}, "batch"),
        ({"leaf": "0x" + "12" * 32}, "leaf"),
        ({"proof": ["0x" + "12" * 32]}, "proof"),
        ({"proof": []}, "proof"),
        ({"root": "0x" + "12" * 32}, "proof"),
        ({"contract": "0x" + "12" * 20}, "contract"),
        ({"chain_id": 1}, "chain_id"),
        ({"block_number": 13}, "transaction"),
    ],
    ids=str,
)
def test_a_false_receipt_says_where(receipt: Receipt, gateway: StandIn, lie: dict[str, Any], check: str) -> None:
    with pytest.raises(VerificationError) as caught:
        changed(receipt, **lie).verify(rpc_url=f"{gateway.url}/rpc", contract=CONTRACT)
    assert caught.value.check == check


@pytest.mark.parametrize(
    ("node", "check"),
    [
        ({"eth_getCode": "0x"}, "code"),
        ({"eth_call": "0x" + "00" * 32}, "root"),
        ({"eth_call": "0x" + "12" * 32}, "root"),
        ({"eth_chainId": "0x1"}, "chain_id"),
        ({"eth_getTransactionReceipt": None}, "transaction"),
        ({"eth_getTransactionReceipt": {"blockNumber": "0xc", "logs": []}}, "transaction"),
    ],
    ids=str,
)
def test_a_chain_that_says_otherwise_wins(receipt: Receipt, gateway: StandIn, node: dict[str, Any], check: str) -> None:
    gateway.chain.update(node)
    with pytest.raises(VerificationError) as caught:
        receipt.verify(rpc_url=f"{gateway.url}/rpc", contract=CONTRACT)
    assert caught.value.check == check


def test_the_chain_that_you_trust_can_be_named(receipt: Receipt, gateway: StandIn) -> None:
    with pytest.raises(VerificationError, match="the node is on another chain"):
        receipt.verify(rpc_url=f"{gateway.url}/rpc", contract=CONTRACT, chain_id=1)


def test_the_next_node_is_asked_where_one_does_not_answer(receipt: Receipt, gateway: StandIn) -> None:
    rpc = f"{gateway.url}/rpc"
    for silent in (f"http://127.0.0.1:{free_port()}", f"{gateway.url}/nothing/here"):
        receipt.verify(rpc_url=f"{silent}, {rpc}", contract=CONTRACT, chain_id=CHAIN_ID)
        asyncio.run(receipt.averify(rpc_url=f"{rpc},{silent}", contract=CONTRACT, chain_id=CHAIN_ID))
        with pytest.raises(APIConnectionError, match=silent):
            receipt.verify(rpc_url=f"{silent},{silent}", contract=CONTRACT)


def test_a_node_of_another_chain_is_not_asked_in_ones_place(
    receipt: Receipt, gateway: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = gateway.rpc
    monkeypatch.setattr(
        gateway, "rpc", lambda body: answer(body) if body["method"] == "eth_chainId" else {"error": "ill"}
    )
    with stand_in() as stranger:
        stranger.chain["eth_chainId"] = "0x1"
        with pytest.raises(APIConnectionError, match=f"{stranger.url}/rpc is on chain 1, and {gateway.url}/rpc on"):
            receipt.verify(rpc_url=f"{gateway.url}/rpc,{stranger.url}/rpc", contract=CONTRACT)


@pytest.mark.parametrize("answer", ["0x", "0x1234", "nonsense", None])
def test_an_answer_that_is_none_proves_nothing(receipt: Receipt, gateway: StandIn, answer: Any) -> None:
    gateway.chain["eth_call"] = answer
    with pytest.raises(APIConnectionError, match="is a clearing house there"):
        receipt.verify(rpc_url=f"{gateway.url}/rpc", contract=CONTRACT)


def test_a_saved_receipt_is_the_same(receipt: Receipt, tmp_path: Path) -> None:
    assert Receipt.load(receipt.save(tmp_path / "receipt.json")) == receipt


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"tx_hash": None}, "tx_hash"),
        ({"block_number": None}, "block_number"),
        ({"batch": 2**40}, "batch"),
        ({"root": "0x12"}, "root"),
        ({"proof": ["12"]}, "proof.0"),
        ({"entry": {"points": -1}}, "entry.points"),
        ({"entry": {"points": 1.5}}, "entry.points"),
        ({"entry": {"points": "07"}}, "entry.points"),
        ({"entry": {"points": "9" * 5_000}}, "entry.points"),
        ({"chain_id": 1.0}, "chain_id"),
        ({"block_number": True}, "block_number"),
        ({"entry": {"fee": 2**64}}, "entry.fee"),
    ],
    ids=str,
)
def test_a_file_that_is_no_receipt_says_where(
    receipt: Receipt, tmp_path: Path, change: dict[str, Any], where: str
) -> None:
    document = json.loads(receipt.model_dump_json())
    changed = {**document, **change, "entry": {**document["entry"], **change.get("entry", {})}}
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(changed))
    with pytest.raises(VerificationError, match=f"{where}:") as caught:
        Receipt.load(path)
    assert caught.value.check == "format"


def test_a_receipt_may_have_its_integers_as_text(receipt: Receipt, tmp_path: Path) -> None:
    """So the gateway writes them for JavaScript."""
    document = json.loads(receipt.model_dump_json(), parse_int=str)
    assert document["entry"]["points"] == "7"
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(document))
    assert Receipt.load(path) == receipt


def test_the_command_tells_by_its_exit_code(
    receipt: Receipt, gateway: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = str(receipt.save(tmp_path / "good.json"))
    bad = str(changed(receipt, entry={"points": 700}).save(tmp_path / "bad.json"))
    chain = ["--rpc", f"{gateway.url}/rpc", "--contract", CONTRACT]
    assert main(["verify", good, *chain]) == 0
    assert "VALID  merchant 1, program 1: 7 points" in capsys.readouterr().out
    assert main(["verify", bad, *chain]) == 1
    assert "NOT VALID  leaf: the entry does not hash to the leaf" in capsys.readouterr().err
    assert main(["verify", good, "--rpc", "http://127.0.0.1:1", "--contract", CONTRACT]) == 2
    assert main(["verify", str(tmp_path / "none.json"), *chain]) == 2


# --- whose receipt it is

SALE: dict[str, Any] = {"program": "FUEL", "member": "external:FC-1001", "points": 200}


def show(gateway: StandIn, movement: Movement, **changes: Any) -> None:
    """From now on the gateway says that the movement became another entry, and that one is in the chain, too."""
    served = next(m for m in gateway.movements if m["id"] == movement.id)
    entry = next(e for e in gateway.entries if hex_of(e.leaf()) == served["entry"]["leaf"])
    other = replace(entry, index=len(gateway.entries), **changes)
    gateway.entries.append(other)
    amounts = {"points": other.points, "out": other.out, "settled_micros": other.settled, "fee_micros": other.fee}
    served["entry"].update(leaf=hex_of(other.leaf()), index=other.index, **amounts)


def test_another_entry_than_the_one_asked_for_is_refused(client: Client, gateway: StandIn) -> None:
    asked, other = (hex_of(gateway.post_entry(points).leaf()) for points in (5, 6))
    gateway.faults.append(lambda call: gateway.get_entries(call, other, "receipt") if asked in call.path else None)
    with pytest.raises(VerificationError) as caught:
        client.entries.receipt(asked)
    assert caught.value.check == "leaf"


@pytest.mark.parametrize("missing", ["tx_hash", "block_number"])
def test_a_receipt_that_names_no_transaction_is_none(client: Client, gateway: StandIn, missing: str) -> None:
    leaf = hex_of(gateway.post_entry(5).leaf())

    def withhold(call: Call) -> tuple[int, Any]:
        status, receipt = gateway.get_entries(call, leaf, "receipt")
        return status, {**receipt, missing: None}

    gateway.faults.append(withhold)
    with pytest.raises(APIError, match=missing):
        client.entries.receipt(leaf)


def test_every_movement_has_the_receipt_of_what_was_signed(client: Client, gateway: StandIn) -> None:
    order = client.orders.create(
        [
            Issue(**SALE, reference="till:2"),
            Redeem(program="FUEL", member="mem_FC-1001", points=2),
            Exchange(agreement="agr_1", member="mem_FC-1001", points=10),
        ]
    )
    exchange = client.exchanges.create(agreement="agr_1", member="mem_FC-1001", points=10)
    captured = client.holds.capture(client.holds.create(**SALE), points=25, wait=1)
    for movement in (client.issuances.create(**SALE), *order.movements, exchange, captured):
        receipt = client.entries.receipt(movement)
        receipt.verify(rpc_url=f"{gateway.url}/rpc", contract=CONTRACT)
        assert hex_of(receipt.entry.wire().leaf()) == movement.settled().leaf


@pytest.mark.parametrize(
    "lie",
    [
        {"merchant": 2},
        {"nonce": 99},
        {"item": 1},
        {"kind": 2},
        {"program": 2},
        {"agreement": 1},
        {"member": "0x" + "66" * 20},
        {"points": 199},
        {"ref": b"\7" * 32},
    ],
    ids=str,
)
def test_an_entry_that_was_not_signed_is_no_receipt_of_a_movement(
    client: Client, gateway: StandIn, lie: dict[str, Any]
) -> None:
    gateway.settle_at_once = False
    sale = client.issuances.create(**SALE, reference="till:1")
    gateway.get_issuances(Call("GET", "", {}, {}, None), sale.id)
    show(gateway, sale, **lie)
    settled = client.issuances.wait(sale)
    with pytest.raises(VerificationError) as caught:
        client.entries.receipt(settled)
    assert caught.value.check == f"entry.{next(iter(lie))}"
    client.entries.receipt(settled.settled().leaf)  # that it happened is true


def test_a_capture_with_the_day_of_another_hold_is_no_receipt(client: Client, gateway: StandIn) -> None:
    captured = client.holds.capture(client.holds.create(**SALE), points=25, wait=1)
    gateway.get_redemptions = lambda _, identity: (200, next(m for m in gateway.movements if m["id"] == identity))  # type: ignore[attr-defined]
    assert client.entries.receipt(captured).entry.link == hex_of(word(day_number(today())))
    show(gateway, captured, link=word(day_number(today()) - 1))
    with pytest.raises(VerificationError) as caught:
        client.entries.receipt(client.redemptions.wait(captured))
    assert caught.value.check == "entry.link"


def test_an_older_sale_in_the_same_words_is_no_receipt(client: Client, gateway: StandIn) -> None:
    older = client.issuances.create(**SALE).settled()
    for again in (lambda: client.issuances.create(**SALE), lambda: client.orders.create([Issue(**SALE)]).movements[0]):
        sale = again()
        forged = sale.model_copy(update={"entry": older})
        with pytest.raises(VerificationError) as caught:
            client.entries.receipt(forged)
        assert caught.value.check == "entry.nonce"


def test_an_order_without_detail_remembers_too(client: Client, gateway: StandIn) -> None:
    def orders() -> Any:
        counted = client.orders.create([Issue(**SALE), Issue(**SALE)], detail=False)
        yield client.orders.wait(counted)
        yield client.orders.create([Issue(**SALE), Issue(**SALE, reference="refuse")], detail=False)

    for order in orders():
        client.entries.receipt(order.movements[0])
        show(gateway, order.movements[0], nonce=99)
        with pytest.raises(VerificationError) as caught:
            client.entries.receipt(client.orders.wait(order).movements[0])
        assert caught.value.check == "entry.nonce"


def test_an_exchange_may_burn_fewer_points_but_not_more(client: Client, gateway: StandIn) -> None:
    exchange = client.exchanges.create(agreement="agr_1", member="mem_FC-1001", points=105)
    gateway.get_exchanges = lambda _, identity: (200, next(m for m in gateway.movements if m["id"] == identity))  # type: ignore[attr-defined]
    show(gateway, exchange, points=104)
    assert client.entries.receipt(client.exchanges.wait(exchange)).entry.points == 104
    show(gateway, exchange, points=106)
    with pytest.raises(VerificationError) as caught:
        client.entries.receipt(client.exchanges.wait(exchange))
    assert caught.value.check == "entry.points"


def test_amounts_that_a_movement_shows_are_proven_too(client: Client, gateway: StandIn) -> None:
    sale = client.issuances.create(**SALE)
    for shown, name in (("points", "points"), ("out", "out"), ("settled_micros", "settled"), ("fee_micros", "fee")):
        boasting = sale.model_copy(update={"entry": sale.settled().model_copy(update={shown: 1_000})})
        with pytest.raises(VerificationError) as caught:
            client.entries.receipt(boasting)
        assert caught.value.check == f"entry.{name}"


@pytest.mark.parametrize("file", [True, False])
def test_a_first_answer_from_before_a_restart_has_its_receipt(
    gateway: StandIn, station: LocalSigner, tmp_path: Path, file: bool
) -> None:
    """Without a file the new process cannot know under which nonce the old one had signed."""
    for _ in range(2):
        with Client(gateway.url, "k", signer=station, nonce_file=tmp_path / "nonces.db" if file else None) as client:
            sale = client.issuances.create(**SALE, reference="till:1", idempotency_key="sale-1")
            client.entries.receipt(sale)
    show(gateway, sale, nonce=99)
    with Client(gateway.url, "k") as client:
        forged = client.issuances.wait(sale)
        if file:
            with pytest.raises(VerificationError, match=r"entry\.nonce"):
                client.entries.receipt(forged)
        else:
            client.entries.receipt(forged)


def test_a_client_without_a_signer_knows_what_it_asked_for(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "k") as client:
        member = client.members.create(external_id="FC-1001")
        for name in (member, "external:FC-1001"):
            lies: tuple[dict[str, Any], ...] = ({"kind": 2}, {"points": 1}, {"member": "0x" + "66" * 20})
            for lie in lies:
                sale = client.issuances.create(program="FUEL", member=name, points=200)
                client.entries.receipt(sale)
                show(gateway, sale, **lie)
                with pytest.raises(VerificationError) as caught:
                    client.entries.receipt(client.issuances.wait(sale))
                assert caught.value.check == f"entry.{next(iter(lie))}"


def test_an_awaited_client_remembers_as_well(gateway: StandIn, station: LocalSigner) -> None:
    async def run() -> None:
        client = AsyncClient(gateway.url, "k", signer=station)
        sale = await client.issuances.create(**SALE)
        await client.entries.receipt(sale)
        show(gateway, sale, nonce=99)
        with pytest.raises(VerificationError, match=r"entry\.nonce"):
            await client.entries.receipt(await client.issuances.wait(sale))
        await client.close()

    asyncio.run(run())


def test_a_movement_is_the_same_whoever_asked_for_it(client: Client) -> None:
    sale = client.issuances.create(**SALE)
    found = client.issuances.get(sale.id)
    assert found == sale
    assert hash(found) == hash(sale)
    assert found != found.model_copy(update={"points": 1})
    client.entries.receipt(found)  # what it shows is compared


def test_what_is_not_settled_has_no_receipt(client: Client, gateway: StandIn) -> None:
    with pytest.raises(RejectedError):
        client.entries.receipt(client.issuances.create(**SALE, reference="refuse"))
    gateway.settle_at_once = False
    with pytest.raises(PendingError):
        client.entries.receipt(client.issuances.create(**SALE))
