"""One request to a merchant's server: signed, limited in time and size, and never to an address in our own network.

We resolve the name here and connect to the very address that we checked, so a name server gains nothing by giving another answer
the second time. We follow no redirects and use no proxies from the environment.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook

ANSWER_BYTES = 2_048
"""How much of an answer's body we keep."""
_HEADERS, _HEADER_LENGTH = 20, 200
"""How many of an answer's headers we keep, and how much of each."""
_BODY_SECONDS = 1.0
"""How long we read an answer's body: what counts is the status, which came before it."""
_NEVER_KEPT = frozenset({"set-cookie", "authorization", "proxy-authenticate", "www-authenticate"})
"""Headers that may hold a secret of the merchant's."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_USER_AGENT = "Tongdui-Webhooks/1"


class ForbiddenAddress(Exception):
    """The URL leads to an address outside the public internet."""


class Undelivered(Exception):
    """There was no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """What we send. `id` is the same for all attempts, so that the receiver can recognise a repetition."""

    id: str
    at: datetime
    body: str

    def headers(self, host: str, secrets: Iterable[bytes]) -> list[tuple[str, str]]:
        """The headers of Standard Webhooks, with one signature per secret."""
        signatures = [Webhook(secret).sign(self.id, self.at, self.body) for secret in secrets]
        return [*self.shown_headers(host), ("webhook-signature", " ".join(signatures))]

    def shown_headers(self, host: str) -> list[tuple[str, str]]:
        """The same without signatures, which are nobody's business but the receiver's."""
        return [
            ("Host", host),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body.encode()))),
            ("User-Agent", _USER_AGENT),
            ("webhook-id", self.id),
            ("webhook-timestamp", str(int(self.at.timestamp()))),
        ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the merchant's server answered."""

    status: int
    beginning: str
    headers: tuple[tuple[str, str], ...] = ()
    """The first of its headers."""

    @property
    def is_success(self) -> bool:
        """Whether the event counts as delivered."""
        return 200 <= self.status < 300


class Sender:
    """Sends messages. One per process; threads may share it."""

    def __init__(self, *, seconds: float, allow_local: bool = False) -> None:
        """`seconds` limits everything from resolving the name to the answer. `allow_local` is for development only."""
        self._seconds = seconds
        self._allow_local = allow_local
        self._ssl = ssl.create_default_context()

    def send(
        self, url: str, message: Message, secrets: Iterable[bytes], more_headers: Sequence[tuple[str, str]] = ()
    ) -> Answer:
        """Sends a message. Raises ForbiddenAddress or Undelivered."""
        deadline = _Deadline(self._seconds)
        backend = _GuardedBackend(deadline, allow_local=self._allow_local)
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        headers = [*message.headers(urlsplit(url).netloc, secrets), *more_headers]
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._ssl, network_backend=backend, http2=False) as pool,
                pool.stream(
                    "POST", url, headers=headers, content=message.body.encode(), extensions={"timeout": timeouts}
                ) as response,
            ):
                deadline.shorten(_BODY_SECONDS)
                return Answer(response.status, _beginning(response), _headers_of(response))
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise Undelivered(f"{type(error).__name__}: {error}") from error
        except UnicodeError as error:
            raise Undelivered(f"the host's name is not valid: {error}") from error


def _beginning(response: httpcore.Response) -> str:
    raw = b""
    with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        for chunk in response.iter_stream():
            raw += chunk
            if len(raw) >= ANSWER_BYTES:
                break
    return raw[:ANSWER_BYTES].decode(errors="replace").replace("\0", "")


def _headers_of(response: httpcore.Response) -> tuple[tuple[str, str], ...]:
    decoded = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
    kept = [(name, value[:_HEADER_LENGTH].replace("\0", "")) for name, value in decoded if name not in _NEVER_KEPT]
    return tuple(kept[:_HEADERS])


def addresses_of(host: str, port: int, *, allow_local: bool, seconds: float) -> list[str]:
    """The addresses of a host. Raises ForbiddenAddress if one of them is not public, OSError if there are none (in time)."""
    found = list(dict.fromkeys(str(info[4][0]) for info in _resolved(host, port, seconds)))
    for address in found:
        if not is_public(address) and not (allow_local and ipaddress.ip_address(address).is_loopback):
            raise ForbiddenAddress(f"{host} is {address}, which is not a public address")
    return found


def _resolved(host: str, port: int, seconds: float) -> list[Any]:
    """What the system's resolver says, which takes no limit of time: one that hangs is left to itself."""
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="webhook-resolver", daemon=True).start()
    return answer.result(seconds)  # a TimeoutError is an OSError


def is_public(address: str) -> bool:
    """Whether an address is on the public internet. Looks inside IPv6 addresses that wrap an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class _Deadline:
    """When everything about one request must be over."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def shorten(self, seconds: float) -> None:
        """Lets no more time than this pass from now on."""
        self._at = min(self._at, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds that are left. Raises ReadTimeout if there are none."""
        seconds = self._at - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("the time for this request has run out")
        return seconds


class _GuardedBackend(httpcore.SyncBackend):
    """Connects only to addresses that it has checked, and ends everything at a deadline."""

    def __init__(self, deadline: _Deadline, *, allow_local: bool) -> None:
        super().__init__()
        self._deadline = deadline
        self._allow_local = allow_local

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolves the name, checks the addresses, and tries them one after the other."""
        addresses = addresses_of(host, port, allow_local=self._allow_local, seconds=self._deadline.remaining())
        for position, address in enumerate(addresses):
            remaining = self._deadline.remaining() / (len(addresses) - position)
            try:
                stream = super().connect_tcp(address, port, remaining, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses) - 1:
                    raise
            else:
                return _DeadlineStream(stream, self._deadline)
        raise httpcore.ConnectError(f"{host} has no address")


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose operations all end at the deadline, so that a server cannot gain time by sending byte after byte."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Reads."""
        return self._stream.read(max_bytes, self._deadline.remaining())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Writes."""
        self._stream.write(buffer, self._deadline.remaining())

    def close(self) -> None:
        """Closes."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Starts TLS for the name in the URL."""
        return _DeadlineStream(
            self._stream.start_tls(ssl_context, server_hostname, self._deadline.remaining()), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        """Details of the underlying connection."""
        return self._stream.get_extra_info(info)
