"""`make demo`: the whole story on one machine, from a till's export to an audit. Exits non-zero if anything does not add up."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from clearing.runtime.embedded.network import EmbeddedNetwork, NetworkError
from scripts.demo.chapters import Story
from scripts.demo.display import Display
from scripts.demo.node import Node
from scripts.demo.participants import Participants
from tongdui import TongduiError


def main() -> int:
    """Tells the story; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="append the figures to FILE, one JSON object a line")
    chosen = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode shows a question mark, not a traceback
    display = Display()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tongdui-demo-") as directory:
        try:
            failures = run(Path(directory), display)
        except (NetworkError, TongduiError, httpx.HTTPError, subprocess.CalledProcessError) as error:
            failures = [f"{type(error).__name__}: {error}"]
        except KeyboardInterrupt:
            failures = ["interrupted"]
    seconds = time.monotonic() - begun
    display.figure("demo_seconds", round(seconds, 1), "s", "the whole demo")
    if chosen.json:
        display.write_figures(chosen.json)
    if failures:
        display.end(f"Some checks failed, after {seconds:.0f} s:", failures)
        return 1
    display.end(f"Everything adds up, after {seconds:.0f} s.")
    return 0


def run(directory: Path, display: Display) -> list[str]:
    """Starts a network in `directory`, tells the story on it, and returns what failed."""
    network = EmbeddedNetwork(directory, worker=False)  # nothing in this story waits for a day to end
    with display.waiting("Starting chain, database, gateway, sequencer and projector"):
        network.start()
    try:
        participants = Participants(network)
        node = Node(network.rpc_url, network.settings.contract)
        story = Story(participants, node, display)
        story.introduce()
        story.onboard()
        story.import_day()
        story.import_malformed()
        story.programme(directory)
        story.link_members()
        story.move_points()
        story.spend_and_give_back()
        story.retry()
        story.refusals()
        story.hundred()
        story.balances()
        receipts = story.receipts()
        story.audit(receipts)
        story.figures()
        node.close()
        participants.close()
    finally:
        network.stop()
    return story.failures


if __name__ == "__main__":
    sys.exit(main())
