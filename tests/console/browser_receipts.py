"""What tests of the check in the browser need: nodes that are no help, and the check's form."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page

_ALLOWED = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
RESULTS = ("valid", "refused", "undecided", "no_file", "broken")


@contextmanager
def node(answer: Callable[[bytes], bytes], *, allowed: bool = True) -> Iterator[tuple[str, list[str]]]:
    """A server that answers each question so; its address, and the methods it was asked. Web pages may read it if `allowed`."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(json.loads(body)["method"])
            self._say(answer(body))

        def do_GET(self) -> None:
            self._say(b"")

        def do_OPTIONS(self) -> None:
            self._say(b"")

        def _say(self, content: bytes) -> None:
            self.send_response(200)
            for name, value in {**(_ALLOWED if allowed else {}), "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()


def passing_on(rpc_url: str) -> Callable[[bytes], bytes]:
    """Answers what another node answers."""
    return lambda body: (
        httpx.post(rpc_url, content=body, headers={"Content-Type": "application/json"}, timeout=60).content
    )


class Check:
    """The form that checks a receipt, on whatever page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.form: Locator = page.locator("[data-receipt-check]")

    def trust(self, **fields: Any) -> None:
        """Types whom to ask and what to trust: `rpc_url`, `contract`, `chain_id`."""
        trust = self.form.locator("details.receipt-trust")
        if trust.get_attribute("open") is None:
            trust.locator("summary").click()
        for name, value in fields.items():
            self.form.locator(f"[name={name}]").fill(str(value))

    def run(self) -> str:
        """Presses the button; the result."""
        self.forget()
        self.form.locator("[type=submit]").click()
        return self.result()

    def choose(self, file: Path) -> str:
        """Chooses the file of a receipt; the result."""
        self.forget()
        self.form.locator("input[type=file]").set_input_files(file)
        return self.result()

    def forget(self) -> None:
        """Takes back how it ended before, so that `result` waits for what comes now."""
        self.form.evaluate("form => { form.dataset.result = ''; }")

    def result(self) -> str:
        """How it ended."""
        ended = ",".join(f"[data-receipt-check][data-result={name}]" for name in RESULTS)
        self.page.locator(ended).wait_for()
        return str(self.form.get_attribute("data-result"))

    @property
    def sentence(self) -> str:
        """What the last step says."""
        return self.form.locator("[data-steps] [data-sentence]").last.inner_text()

    @property
    def codes(self) -> list[str]:
        """The codes of all steps."""
        return [str(step.get_attribute("data-code")) for step in self.form.locator("[data-steps] > li").all()]
