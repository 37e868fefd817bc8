"""A server that speaks the REST API of Web3Signer for eth1 keys. It is ours, written from the OpenAPI of
ConsenSys, with another library for signatures: the real one is in no package registry. Faults can be switched on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eth_account import Account
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey

_HALF_CURVE_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_CURVE_ORDER = 2 * _HALF_CURVE_ORDER + 1


class Web3SignerServer:
    """Signs with the keys that it is given, on a port of this machine."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self.keys = {f"0x{PrivateKey(key).public_key.to_bytes().hex()}": key for key in keys}
        self.asked: list[str] = []
        """The data that it was asked to sign."""
        self.fault = ""
        """`silent` does not answer, `refuses` answers 500, `lies` signs with another key, `high` with the upper s."""
        server = self
        self._release = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(HTTPStatus.OK, json.dumps(list(server.keys)), "application/json")

            def do_POST(self) -> None:
                body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = server.keys.get(self.path.removeprefix("/api/v1/eth1/sign/"))
                server.asked.append(body["data"])
                if server.fault == "silent":
                    server._release.wait(60)
                if server.fault == "refuses":
                    self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "vault is sealed")
                elif key is None:
                    self._answer(HTTPStatus.NOT_FOUND, "Public Key not found")
                else:
                    self._answer(HTTPStatus.OK, server._signature(key, bytes.fromhex(body["data"][2:])))

            def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _signature(self, key: bytes, data: bytes) -> str:
        """The signature of the keccak256 of the data: r, s and v."""
        signed = Account.unsafe_sign_hash(keccak(data), bytes(32 - 1) + b"\7" if self.fault == "lies" else key)
        s, v = (_CURVE_ORDER - signed.s, 55 - signed.v) if self.fault == "high" else (signed.s, signed.v)
        return f"0x{signed.r:064x}{s:064x}{v:02x}"
