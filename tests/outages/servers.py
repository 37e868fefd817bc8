"""Servers of a network that depends on none of them alone: PostgreSQL with a hot standby, and nginx before the gateways."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg

from scripts.dev.services import HOST, Postgres, Service, ServiceError, find_program, free_port
from tests.support.production import eventually

ROOT = Path(__file__).resolve().parents[2]
PROXY = ROOT / "deploy" / "nginx" / "tongdui.conf"


class Machine:
    """A machine of its own on the network, as far as others see: a network namespace, whose cable can be pulled."""

    name = "tongdui-outages"
    near, far = "10.213.77.1", "10.213.77.2"

    def __enter__(self) -> Machine:
        self._remove()
        _ip("netns", "add", self.name)
        _ip("link", "add", "tongdui0", "type", "veth", "peer", "name", "tongdui1", "netns", self.name)
        _ip("address", "add", f"{self.near}/30", "dev", "tongdui0")
        _ip("link", "set", "tongdui0", "up")
        _ip("-n", self.name, "address", "add", f"{self.far}/30", "dev", "tongdui1")
        _ip("-n", self.name, "link", "set", "tongdui1", "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def vanish(self) -> None:
        """Nothing that is sent to it arrives any more, and nothing comes back: not even that."""
        _ip("-n", self.name, "link", "set", "tongdui1", "down")

    def _remove(self) -> None:
        for rest in (("link", "delete", "tongdui0"), ("netns", "delete", self.name)):
            with suppress(ServiceError):  # none is left
                _ip(*rest)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"ip {' '.join(arguments)}: {done.stderr}")


class Place(NamedTuple):
    """Where a server listens: on this machine, or on the one that can vanish."""

    host: str
    port: int


class Member(Postgres):
    """One of two servers: it begins empty, or as the standby of another one."""

    name = "postgres-member"

    def __init__(self, place: Place, primary: Postgres | None = None) -> None:
        super().__init__()
        self.host, self.port = place
        self._primary = primary

    def promote(self) -> None:
        """Makes it the primary, which waits for no standby before it answers."""
        ask(self, "ALTER SYSTEM RESET synchronous_standby_names")
        ask(self, "SELECT pg_reload_conf()")
        ask(self, "SELECT pg_promote()")

    def _prepare(self) -> None:
        if self._primary is None:
            super()._prepare()
            with (self.directory / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all,replication all {Machine.near}/30 trust\n")
            return
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        command = [
            *self._program("pg_basebackup"),
            *("-h", self._primary.host, "-p", str(self._primary.port), "-U", "postgres"),
            *("-D", str(self.directory / "data"), "--write-recovery-conf", "--wal-method=stream"),
            *("--checkpoint=fast", "--no-sync"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory, check=False)
        if done.returncode:
            raise ServiceError(f"pg_basebackup failed:\n{done.stderr}")

    def _program(self, name: str) -> list[str]:
        found = super()._program(name)
        return ["ip", "netns", "exec", Machine.name, *found] if self.host == Machine.far else found


class Pair:
    """A primary, and a hot standby that has each transaction before the primary says that it is committed."""

    def __init__(self) -> None:
        self.places = (Place(Machine.far, free_port()), Place(Machine.near, free_port()))
        self.primary = Member(self.places[0]).start()
        self.standby: Member | None = None
        self.follow()

    def url(self, name: str) -> str:
        """The address of a database, whichever of the two is primary now."""
        hosts = "&".join(f"host={place.host}:{place.port}" for place in self.places)
        return f"postgresql+psycopg://postgres@/{name}?{hosts}&target_session_attrs=read-write&connect_timeout=3"

    def follow(self) -> None:
        """Starts a standby at the other place, and has the primary wait for it."""
        place = next(place for place in self.places if place.port != self.primary.port)
        self.standby = Member(place, self.primary).start()
        ask(self.primary, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
        ask(self.primary, "SELECT pg_reload_conf()")
        eventually(self.is_synchronous, "the standby does not follow")

    def is_synchronous(self) -> bool:
        """Whether the standby has what the primary commits."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
        return bool(ask(self.primary, query)[0][0])

    def promote(self) -> None:
        """The standby becomes the primary. The old one does not come back."""
        assert self.standby is not None
        self.standby.promote()
        self.primary, self.standby = self.standby, None

    def close(self) -> None:
        """Ends both."""
        for server in (self.standby, self.primary):
            if server is not None:
                server.close()


def ask(server: Postgres, statement: str) -> list[tuple[Any, ...]]:
    """What a server answers to a statement."""
    with psycopg.connect(
        host=server.host, port=server.port, user="postgres", autocommit=True, connect_timeout=10
    ) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class Nginx(Service):
    """nginx with the settings that we ship, before several gateways, without TLS."""

    name = "nginx"
    stop_signal = signal.SIGQUIT

    def __init__(self, gateways: Sequence[int]) -> None:
        super().__init__()
        self._gateways = gateways

    @property
    def url(self) -> str:
        """Where merchants reach the gateways."""
        return f"http://{HOST}:{self.port}"

    def _prepare(self) -> None:
        upstream = "\n".join(f"    server {HOST}:{port} max_fails=0;" for port in self._gateways)
        temporary = "\n".join(
            f"  {what}_temp_path {self.directory}/{what};"
            for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = f"""daemon off;
worker_processes 1;
pid {self.directory}/pid;
error_log {self.directory}/error.log warn;
events {{}}
http {{
  access_log off;
{temporary}
  upstream gateways {{
{upstream}
    keepalive 32;
    keepalive_timeout 30s;
  }}
  server {{
    listen {HOST}:{self.port};
    include {PROXY};
  }}
}}
"""
        (self.directory / "nginx.conf").write_text(text)

    def _command(self) -> Sequence[str]:
        own = ["-e", str(self.directory / "error.log"), "-c", str(self.directory / "nginx.conf")]
        return [find_program("nginx"), *own]

    def _ping(self) -> bool:
        return bool(httpx.get(self.url, timeout=5).status_code)
