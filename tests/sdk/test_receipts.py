"""Receipts are checked against a chain node over JSON-RPC; each way in which one can be false has its own name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.stand_in import CHAIN_ID, CONTRACT, StandIn
from tongdui import APIConnectionError, Client, Receipt, VerificationError
from tongdui._cli import main
from tongdui.words import hex_of


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
        ({"batch": 2**40}, "batch"),
        ({"root": "0x12"}, "root"),
        ({"proof": ["12"]}, "proof.0"),
        ({"entry": {"points": -1}}, "entry.points"),
        ({"entry": {"points": 1.5}}, "entry.points"),
        ({"entry": {"points": "7"}}, "entry.points"),
        ({"entry": {"fee": 2**64}}, "entry.fee"),
    ],
    ids=str,
)
def test_a_file_that_is_no_receipt_says_where(
    receipt: Receipt, tmp_path: Path, change: dict[str, Any], where: str
) -> None:
    document = json.loads(receipt.model_dump_json())
    document["entry"].update(change.pop("entry", {}))
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps({**document, **change}))
    with pytest.raises(VerificationError, match=f"{where}:") as caught:
        Receipt.load(path)
    assert caught.value.check == "format"


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
