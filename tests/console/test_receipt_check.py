"""The check in the browser: it believes the node that the person names and nobody else, and says in plain words what is wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FileChooser

from console.explorer.sentences import SENTENCES
from scripts.dev.services import anvil
from tests.console.browser_receipts import Check, node, passing_on
from tests.console.site import ROOT, Person, Site
from tongdui import Receipt

Someone = Callable[..., Person]

GENUINE = {"en": "The receipt is genuine: the chain has this movement.", "zh": "回执属实：链上有这笔变动。"}
CHANGED = {
    "en": "The movement was changed: its values no longer give the fingerprint that the receipt has.",
    "zh": "变动的内容被改动过：算出的指纹与回执上的不同。",
}


@pytest.fixture
def receipt(site: Site, tmp_path: Path) -> Path:
    """The file of a receipt, as the SDK saves it."""
    station = site.merchants["FUEL"].client
    return station.entries.receipt(site.movements["exchange"].settled().leaf).save(tmp_path / "receipt.json")


@contextmanager
def stopped(site: Site) -> Iterator[None]:
    """The gateway answers nothing meanwhile."""
    process = site.network.children["gateway"].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def asked_hosts(person: Person) -> list[str]:
    """Where the page sends requests from now on."""
    found: list[str] = []
    person.page.on("request", lambda request: found.append(request.url) if request.resource_type == "fetch" else None)
    return found


def test_the_page_has_a_sentence_for_everything_that_the_check_can_find() -> None:
    script = f"import {{ CODES }} from '{ROOT}/pages/build/js/receipts/codes.mjs'; console.log(JSON.stringify(CODES))"
    found = subprocess.run(
        ["node", "--input-type=module", "-e", script], check=True, capture_output=True, text=True, timeout=60
    )
    words = {"passed", "noted", "refused", "undecided"} | {code for code in SENTENCES if code.startswith("kind.")}
    assert set(SENTENCES) == set(json.loads(found.stdout)) | words


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_movement_is_checked_while_the_gateway_is_stopped(site: Site, someone: Someone, language: str) -> None:
    person = someone("merchant:admin", language=language)
    page = person.open(f"/movements/{site.movements['exchange'].id}")
    asked = asked_hosts(person)
    with stopped(site):
        check = Check(page)
        assert check.run() == "valid"
    assert page.get_by_text(GENUINE[language]).is_visible()
    assert len(check.codes) == 12
    assert all(code.endswith(".passed") for code in check.codes)
    assert {url.rstrip("/") for url in asked} == {site.network.rpc_url}
    proven = dict(
        zip(
            page.locator("[data-says] dt").all_inner_texts(),
            page.locator("[data-says] dd").all_inner_texts(),
            strict=True,
        )
    )
    points, program, received = list(proven.values())[1:4]
    assert (points, program, received) == ("1,000", "FUEL", "900")
    page.locator("[data-steps] summary").first.click()
    assert page.locator("[data-steps] dl").first.is_visible()
    person.check(f"checked-{language}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_receipt_altered_by_one_digit_is_refused(someone: Someone, receipt: Path, language: str) -> None:
    person = someone("operator", language=language)
    check = Check(person.open("/explorer/check"))
    assert check.choose(receipt) == "valid"
    for field, digit in (("points", "1000"), ("merchant", "1")):
        altered = receipt.with_name(f"{field}.json")
        text = receipt.read_text()
        altered.write_text(re.sub(rf'("{field}": ){digit}\b', rf"\g<1>{int(digit) + 1}", text, count=1))
        assert altered.read_text() != text
        assert check.choose(altered) == "refused"
        assert check.sentence == CHANGED[language]
    person.check("refused")


def test_a_file_can_be_dropped_and_chosen_by_keyboard(someone: Someone, receipt: Path) -> None:
    person = someone("operator", language="en")
    page = person.open("/explorer/check")
    choosers: list[FileChooser] = []

    def chosen(chooser: FileChooser) -> None:
        choosers.append(chooser)

    page.on("filechooser", chosen)  # now: the browser takes a moment until it tells of the next one
    check = Check(page)
    assert check.run() == "no_file"
    assert page.evaluate("document.activeElement.type") == "file"
    check.forget()
    page.keyboard.press("Space")
    deadline = time.monotonic() + 60
    while not choosers:
        assert time.monotonic() < deadline, "no file can be chosen"
        page.wait_for_timeout(20)
    choosers[0].set_files(receipt)
    assert check.result() == "valid"
    dropped = page.evaluate_handle(
        """text => { const data = new DataTransfer(); data.items.add(new File([text], "dropped.json")); return data; }""",
        receipt.read_text()[:400],
    )
    check.forget()
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": dropped})
    page.get_by_text("dropped.json").wait_for()
    assert check.result() == "refused"
    assert check.sentence == "This is no receipt, or its file was cut off or damaged. Download it again."


def test_the_node_that_the_person_chose_is_the_one_asked_and_remembered(
    site: Site, someone: Someone, receipt: Path
) -> None:
    with node(passing_on(site.network.rpc_url)) as (own, methods):
        person = someone("merchant:admin", language="en")
        check = Check(person.open("/explorer/check"))
        asked = asked_hosts(person)
        check.trust(rpc_url=own)
        assert check.choose(receipt) == "valid"
        assert {"eth_chainId", "eth_call", "eth_getTransactionReceipt", "eth_getBlockByNumber"} <= set(methods)
        assert set(asked) == {own}
        page = person.open(f"/movements/{site.movements['exchange'].id}")
        methods.clear()
        assert Check(page).run() == "valid"
        assert methods, "the other page does not remember the node"
        page.locator("details.receipt-trust summary").click()
        page.get_by_role("button", name="Back to what the network offers").click()
        assert page.locator("[name=rpc_url]").input_value() == site.network.rpc_url
        person.open(f"/movements/{site.movements['exchange'].id}")
        assert page.locator("[name=rpc_url]").input_value() == site.network.rpc_url


def test_a_node_that_is_no_help_is_named(site: Site, someone: Someone, receipt: Path) -> None:
    person = someone("operator", language="en")
    person.excused += ["127.0.0.1", "CORS", "Failed to load resource"]
    check = Check(person.open("/explorer/check"))
    assert check.choose(receipt) == "valid"

    def ends(rpc_url: str, sentence: str, **trust: Any) -> None:
        check.trust(rpc_url=rpc_url, **trust)
        assert check.run() == "undecided"
        assert sentence in check.sentence

    with node(passing_on(site.network.rpc_url), allowed=False) as (closed, _):
        ends(closed, "does not allow web pages to read the answer (CORS)")
    ends(closed, f"Nobody answers at {closed}. Check the address and your connection")
    with node(lambda _: b"<html>hello</html>") as (page, _):
        ends(page, "no chain node; it said “<html>hello</html>”")
    with anvil() as behind:
        ends(behind.url, "The node has only come to block 0")
    with anvil(chain_id=7) as other:
        ends(other.url, "This node is on chain 7, not on chain 31337.")
    ends("my node", "Enter the address of a chain node")
    ends(site.network.rpc_url, "Enter the number of the chain", chain_id="main")


def test_only_pages_that_check_may_connect_elsewhere(site: Site) -> None:
    leaf = site.movements["exchange"].settled().leaf
    wide = {f"/movements/{site.movements['exchange'].id}", "/explorer/check", f"/explorer/entries/{leaf}"}
    narrow = {"/movements", "/explorer", "/explorer/batches/1", "/home"}
    with site.http(site.seats["merchant:admin"]) as http:
        for path in wide | narrow:
            policy = http.get(path).raise_for_status().headers["content-security-policy"]
            connect = next(part for part in policy.split("; ") if part.startswith("connect-src"))
            assert connect == ("connect-src 'self' https: http:" if path in wide else "connect-src 'self'"), path
            assert "script-src 'self';" in policy


def test_the_downloaded_receipt_is_the_one_that_the_sdk_verifies(site: Site, tmp_path: Path) -> None:
    movement = site.movements["exchange"]
    with site.http(site.seats["merchant:admin"]) as http:
        for path in (
            f"/movements/{movement.id}/receipt.json",
            f"/explorer/entries/{movement.settled().leaf}/receipt.json",
        ):
            answer = http.get(path).raise_for_status()
            assert answer.headers["content-disposition"].startswith("attachment")
            file = tmp_path / "receipt.json"
            file.write_bytes(answer.content)
            network = site.operator.network.get()
            Receipt.load(file).verify(
                rpc_url=site.network.rpc_url, contract=network.contract, chain_id=network.chain_id
            )
