"""The gateway as its own process."""

from __future__ import annotations

import os
from pathlib import Path

import httpx

from clearing.kit.signing.passwords import Purpose
from scripts.dev.services import free_port
from tests.gateway.site import until
from tests.support import forked
from tests.support.secrets import password_variables
from tongdui._flow import tls


class GatewayProcess:
    """A gateway in its own process, which is killed when the block ends."""

    def __init__(self, database_url: str, log: Path, *arguments: str, **settings: str) -> None:
        self.port = free_port()
        self.log = log
        self.environment = {
            **os.environ,
            "TONGDUI_DATABASE_URL": database_url,
            "TONGDUI_GATEWAY_PORT": str(self.port),
            "TONGDUI_RPC_URL": "http://127.0.0.1:9",
            "TONGDUI_CONTRACT": "0x" + "c0" * 20,
            **password_variables(*Purpose),
            **settings,
        }
        self.process = forked.start(["gateway", *arguments], environment=self.environment, log=log)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> GatewayProcess:
        try:
            until(lambda: self.process.poll() is not None or self._answers(), 120)
            assert self.process.poll() is None, self.log.read_text()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + "/healthz", timeout=10, verify=tls()).status_code in (200, 503)
        except httpx.TransportError:
            return False
