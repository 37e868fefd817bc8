"""The servers that tests start must come back with what they had, and must not outlive the tests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from kombu import Connection
from redis import Redis as RedisClient

from scripts.dev.services import RabbitMQ, anvil, is_alive, postgres, rabbitmq, redis


def test_postgres_keeps_what_was_committed_when_it_is_killed() -> None:
    with postgres() as service:
        url = service.new_database("books").replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE paid (amount int)")
            connection.execute("INSERT INTO paid VALUES (7)")
        service.kill()
        service.restart()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT amount FROM paid").fetchall() == [(7,)]


def test_anvil_keeps_its_blocks_when_it_is_killed_while_the_machine_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    with anvil() as node:
        node.rpc("anvil_mine", "0x3")
        ask, late = node.rpc, ["anvil_dumpState"]

        def slow(method: str, *parameters: object) -> object:
            if method in late:
                late.remove(method)
                raise httpx.ReadTimeout("no answer in a minute")
            return ask(method, *parameters)

        monkeypatch.setattr(node, "rpc", slow)
        node.kill()
        node.start()
        assert int(node.rpc("eth_blockNumber"), 16) == 3


def test_redis_keeps_what_it_confirmed_when_it_is_killed() -> None:
    with redis() as service:
        with RedisClient.from_url(service.url) as client:
            client.set("key", "value")
        service.kill()
        service.restart()
        with RedisClient.from_url(service.url) as client:
            assert client.get("key") == b"value"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_rabbitmq_keeps_a_durable_message_when_it_is_killed() -> None:
    def queue(service: RabbitMQ) -> Connection:
        # the broker confirms a durable message once it is on disk
        return Connection(service.url, connect_timeout=60, transport_options={"confirm_publish": True})

    with rabbitmq() as service:
        with queue(service) as connection:
            connection.SimpleQueue("work").put("do it")
        service.kill()
        service.restart()
        with queue(service) as connection:
            assert connection.SimpleQueue("work").get(timeout=60).payload == "do it"


def test_a_killed_chain_comes_back_with_its_blocks_logs_and_nonces() -> None:
    with anvil() as chain:
        sender = chain.rpc("eth_accounts")[0]

        def send(**fields: str) -> str:
            sent = str(chain.rpc("eth_sendTransaction", {"from": sender, "gasPrice": "0x0", **fields}))
            wait_until(lambda: chain.rpc("eth_getTransactionReceipt", sent) is not None)
            return sent

        def picture() -> list[object]:
            return [
                chain.rpc("eth_getBlockByNumber", "latest", True),
                chain.rpc("eth_getLogs", {"fromBlock": "0x0"}),
                chain.rpc("eth_getTransactionReceipt", call),
                chain.rpc("eth_getTransactionCount", sender, "latest"),
                chain.rpc("eth_getCode", contract, "latest"),
            ]

        contract = chain.rpc("eth_getTransactionReceipt", send(data=logger_code()))["contractAddress"]
        call = send(to=contract)
        before = picture()
        assert len(chain.rpc("eth_getLogs", {"fromBlock": "0x0"})) == 1
        chain.kill()
        chain.restart()

        assert picture() == before
        head = chain.rpc("eth_getBlockByNumber", "latest", False)["hash"]
        send(to=contract)
        block = chain.rpc("eth_getBlockByNumber", "latest", False)
        assert block["parentHash"] == head
        assert int(block["baseFeePerGas"], 16) == 0


def logger_code() -> str:
    """Creation code of a contract that logs topic 7 whenever it is called."""
    runtime = "600760006000a100"  # PUSH1 7, PUSH1 0, PUSH1 0, LOG1, STOP
    size = f"{len(runtime) // 2:02x}"
    return f"0x60{size}600c60003960{size}6000f3{runtime}"


def test_a_chain_can_be_handed_on_in_a_file(tmp_path: Path) -> None:
    with anvil(tmp_path / "chain.json") as chain:
        chain.rpc("anvil_mine", "0x5")
        chain.stop()
    with anvil(tmp_path / "chain.json") as chain:
        assert chain.rpc("eth_blockNumber") == "0x5"


def test_nothing_is_left_when_the_tests_themselves_are_killed() -> None:
    program = (
        "import time; from scripts.dev.services import *; p, c = Postgres().start(), Anvil().start()\n"
        "print(p.directory, p._process.pid, c.directory, c._process.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    words = process.stdout.readline().split()
    process.kill()
    process.communicate()

    wait_until(lambda: not any(Path(directory).exists() for directory in words[::2]))
    wait_until(lambda: not any(is_alive(int(pid)) for pid in words[1::2]))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "not so after 60 s"
        time.sleep(0.05)
