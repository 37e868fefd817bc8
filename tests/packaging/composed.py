"""Services of a compose.yaml, run in what the image holds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.dev.services import free_port
from tests.packaging.image import USER, Image


class Composed:
    """Services, each in the image with its own command, environment and secrets.

    `hosts` has this machine's addresses for the names of containers; what listens gets a free port.
    """

    def __init__(
        self, image: Image, directory: Path, services: dict[str, dict[str, Any]], hosts: Mapping[str, str]
    ) -> None:
        self.image = image
        self.directory = directory
        self.services = services
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.hosts = hosts
        self.ports: dict[str, str] = {}

    def environment(self, name: str) -> dict[str, str]:
        """What a service has, with this machine's addresses in the place of the containers' names."""
        found = {key: str(value) for key, value in self.services[name]["environment"].items()}
        for host, address in self.hosts.items():
            found = {key: value.replace(host, address) for key, value in found.items()}
        ports = [key for key in found if key.endswith("_PORT") and key != "TONGDUI_SMTP_PORT"]
        return found | {key: self.ports.setdefault(f"{name} {key}", str(free_port())) for key in ports}

    def secrets(self, name: str, files: Mapping[str, Path]) -> dict[str, Path]:
        """The secrets of a service, and no others."""
        return {secret: files[secret] for secret in self.services[name].get("secrets", [])}

    def start(self, name: str, files: Mapping[str, Path]) -> None:
        """Starts a service."""
        service = self.services[name]
        assert service["user"] == f"{USER}:{USER}"
        assert service["read_only"] is True
        command = self.image.command(service["command"], self.environment(name), self.secrets(name, files))
        with (self.directory / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def stop(self, name: str) -> int:
        """Ends a service as its service manager would."""
        process = self.processes.pop(name)
        os.kill(_innermost(process.pid), signal.SIGTERM)
        try:
            return process.wait(90)
        finally:
            process.kill()
            process.wait()

    def users_of(self, name: str) -> set[str]:
        """Real, effective, saved and file system user of a service that runs."""
        pid = _innermost(self.processes[name].pid)
        (line,) = re.findall(r"^Uid:\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return set(line.split())

    def stop_all(self) -> None:
        for name in list(self.processes):
            self.processes[name].kill()
            self.processes.pop(name).wait()


def _innermost(pid: int) -> int:
    """The process that the sandbox runs: the sandbox's own two stand before it."""
    for _ in range(2):
        (pid,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return pid


def secret_file(path: Path, content: str) -> Path:
    """A file with a secret, for the image's user alone."""
    path.write_text(content + "\n")
    return owned(path)


def owned(path: Path) -> Path:
    """A file that the image's user may read, and nobody else."""
    os.chown(path, USER, USER)
    path.chmod(0o400)
    return path
