"""A video platform turns 500 VIDEO into a month's membership, as soon as a webhook says that a member exchanged points.

If there is nobody to give the month to, it undoes the exchange: the member has the FUEL again, and the money flows back.

    python video_platform.py join V-7 2F7K-9QXM-4RT0     a new customer, known to the gas station
    python video_platform.py close V-7                   the customer leaves
    python video_platform.py serve                       waits for webhooks
    python video_platform.py months
"""

import argparse
import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tongdui import Client, InsufficientPointsError, RejectedError, TongduiError, VerificationError, webhooks

MONTH = 500
PROGRAM = "VIDEO"
PORT = int(os.environ.get("VIDEO_PORT", "8090"))
URL = os.environ.get("VIDEO_URL", f"http://localhost:{PORT}/tongdui")

SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (number TEXT PRIMARY KEY, is_open INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS months (movement TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers);
CREATE TABLE IF NOT EXISTS endpoints (url TEXT PRIMARY KEY, secret TEXT NOT NULL);
"""


class Platform:
    """The platform's own database, and its client of the network."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.database = sqlite3.connect("video.db", isolation_level=None)
        self.database.executescript(SCHEMA)

    def join(self, number: str, link_code: str) -> None:
        """A customer whom the gas station knows. The network tells the platform its own number with every movement."""
        self.client.members.create(external_id=number, link_code=link_code)
        self.database.execute("INSERT OR REPLACE INTO customers (number) VALUES (?)", (number,))

    def close(self, number: str) -> None:
        """The customer leaves."""
        self.database.execute("UPDATE customers SET is_open = 0 WHERE number = ?", (number,))

    def months(self) -> dict[str, int]:
        """How many months each customer has."""
        return dict(self.database.execute("SELECT customer, count(*) FROM months GROUP BY customer").fetchall())

    def secret(self) -> str:
        """What signs our webhooks. It is shown once, so it is kept."""
        known = self.database.execute("SELECT secret FROM endpoints WHERE url = ?", (URL,)).fetchone()
        if known is None:
            endpoint = self.client.webhook_endpoints.create(url=URL, types=["exchange.received"])
            known = (endpoint.secret,)
            self.database.execute("INSERT INTO endpoints VALUES (?, ?)", (URL, endpoint.secret))
        return str(known[0])

    def received(self, exchange: dict[str, Any]) -> None:
        """A member exchanged points into ours. Webhooks may come twice: all of this may be done twice, and has one effect."""
        movement, customer = exchange["id"], exchange["external_id"]
        if self.is_open(customer) and self.redeemed(movement, customer):
            self.database.execute("INSERT OR IGNORE INTO months VALUES (?, ?)", (movement, customer))
            print(f"{movement}: a month for {customer}, {MONTH} {PROGRAM} redeemed", flush=True)
            return
        undone = self.client.reversals.create(
            movement=movement, reference=f"undo {movement}", idempotency_key=f"undo-{movement}", wait=30
        ).settled()
        print(f"{movement}: no month for {customer or 'a stranger'}, {undone.points} FUEL given back", flush=True)

    def is_open(self, customer: str | None) -> bool:
        """Whether this is a customer of ours."""
        query = "SELECT is_open FROM customers WHERE number = ?"
        found = self.database.execute(query, (customer,)).fetchone()
        return found is not None and bool(found[0])

    def redeemed(self, movement: str, customer: str) -> bool:
        """Takes the month's points. False if the member has too few."""
        try:
            self.client.redemptions.create(
                program=PROGRAM,
                member=f"external:{customer}",
                points=MONTH,
                reference=f"month {movement}",
                idempotency_key=f"month-{movement}",
                wait=30,
            ).settled()
        except (InsufficientPointsError, RejectedError):
            return False
        return True


def serve(platform: Platform) -> None:
    """Waits for webhooks. A delivery that fails here comes again, for days."""
    secret = platform.secret()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                event = webhooks.verify(body, dict(self.headers), secret)
                platform.received(event.data)
            except VerificationError:
                self.answer(400)  # not from the network, or not whole
            except TongduiError as error:
                print(f"later: {error}", flush=True)
                self.answer(503)
            else:
                self.answer(204)

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: what happens is printed above."""

    with HTTPServer(("localhost", PORT), Receiver) as server:
        print(f"waiting at {URL}", flush=True)
        server.serve_forever()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="A video platform")
    parser.add_argument("action", choices=["join", "close", "serve", "months"])
    parser.add_argument("customer", nargs="?", default="", help="your number for the customer")
    parser.add_argument("link_code", nargs="?", default="", help="a link code from the gas station's app")
    options = parser.parse_args()
    with Client.from_env() as client:
        platform = Platform(client)
        if options.action == "join":
            platform.join(options.customer, options.link_code)
        elif options.action == "close":
            platform.close(options.customer)
        elif options.action == "serve":
            serve(platform)
        else:
            print(json.dumps(platform.months()))


if __name__ == "__main__":
    main()
