"""The benchmark's own tools: a load that checks its answers, and the reading of flame graphs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clearing.kit.database import Database
from clearing.kit.signing.keyrings import Keyrings
from scripts.bench.generated import Size, generate
from scripts.bench.growth import open_site
from scripts.bench.load import as_fast_as_answered, at_a_pace, post
from scripts.bench.profile import Frame, count_samples, frames_of
from scripts.bench.rounds import round_figures


class _Handler(BaseHTTPRequestHandler):
    """Answers with the request's body, and refuses the body `"no"`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(422 if body == b'"no"' else 201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def created(status: int, body: bytes) -> None:
    if status != 201:
        raise RuntimeError(f"{status}: {body.decode()}")


def requests(*bodies: object) -> Iterator[bytes]:
    return (
        post("/v1/exchanges", "tdk_x", f"key-{number}", body, "Prefer: wait=30") for number, body in enumerate(bodies)
    )


def test_a_load_asks_each_request_once_and_ends_with_them(port: int) -> None:
    load = as_fast_as_answered(port, requests(*range(50)), created, connections=8, seconds=60)
    assert sorted(int(answer.body) for answer in load.answers) == list(range(50))
    assert all(0 < latency < load.seconds for latency in load.latencies)


def test_a_load_ends_when_its_time_is_over(port: int) -> None:
    load = as_fast_as_answered(port, requests(*itertools.repeat(1, 10**5)), created, connections=2, seconds=0.2)
    assert 0 < len(load.answers) < 10**5
    assert load.seconds >= 0.2


def test_a_paced_load_asks_so_many_a_second(port: int) -> None:
    load = at_a_pace(port, requests(*range(1_000)), created, rate=100, seconds=0.3, connections=4)
    assert len(load.answers) == 30
    assert load.seconds >= 0.29


@pytest.mark.parametrize("connections", [1, 8])
def test_a_refusal_fails_the_load(port: int, connections: int) -> None:
    with pytest.raises(RuntimeError, match='422: "no"'):
        as_fast_as_answered(port, requests(1, 2, "no", 3), created, connections=connections, seconds=60)


def test_a_refusal_fails_a_paced_load(port: int) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        at_a_pace(port, requests(1, "no", 3), created, rate=100, seconds=0.05, connections=2)
    assert [str(error) for error in caught.value.exceptions] == ['422: "no"']


def test_functions_are_counted_by_themselves_and_with_what_they_call() -> None:
    frames = [
        Frame(0, 0, 10, "all"),
        Frame(1, 0, 7, "f"),
        Frame(1, 7, 3, "g"),
        Frame(2, 2, 4, "g"),
        Frame(3, 3, 2, "f"),  # f calls itself through g
    ]
    own, total = count_samples(frames)
    assert {name: own[name] for name in own if own[name]} == {"f": 3 + 2, "g": 3 + 2}
    assert total == {"all": 10, "f": 7, "g": 7}


_SVG = """<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:fg="http://github.com/jonhoo/inferno">
<rect x="0"/><svg id="frames"><g><title>all (1,200 samples, 100%)</title>
<rect y="52" fg:x="0" fg:w="1200"/></g><g><title>&lt;module&gt; (a.py:1) (7 samples, 0.58%)</title>
<rect y="68" fg:x="3" fg:w="7"/></g></svg></svg>"""


def test_a_flame_graph_is_read(tmp_path: Path) -> None:
    path = tmp_path / "graph.svg"
    path.write_text(_SVG)
    assert frames_of(path) == [Frame(52, 0, 1200, "all"), Frame(68, 3, 7, "<module> (a.py:1)")]


def test_rounds_can_be_measured_in_a_generated_network(tmp_path: Path) -> None:
    """The node that stands in for a chain answers all that a reconciliation asks, and an expiry round burns what is due."""
    size = Size(accounts=1_000, entries=4_000)
    database = Database(f"sqlite:///{tmp_path}/generated.db")
    database.upgrade()
    generate(database, size)
    with open_site(database, tmp_path) as site:
        keyring = Keyrings.of(site.settings).managed_keys
        figures = dict(round_figures(database, site.settings, keyring, size, due=100))
    database.close()
    assert len(figures) == 2
    assert all(milliseconds > 0 for milliseconds in figures.values())
