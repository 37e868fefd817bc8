"""The gateway as its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from clearing.kit.signing.passwords import Purpose
from scripts.dev.services import free_port
from tests.gateway.site import until
from tests.support.secrets import password_variables


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
        with log.open("wb") as output:
            command = [sys.executable, "-m", "gateway", *arguments]
            self.popen = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> GatewayProcess:
        try:
            until(lambda: self.popen.poll() is not None or self._answers(), 120)
            assert self.popen.poll() is None, self.log.read_text()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + "/healthz", timeout=10).status_code in (200, 503)
        except httpx.TransportError:
            return False
