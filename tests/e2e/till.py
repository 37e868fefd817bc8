"""What the tests of the till need: files of sales, and imports of them into a real network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.e2e.witness import Witness
from tongdui import Movement
from tongdui.till import TillImport, TillResult, read_till

HEADER = "time,sale number,customer,article,quantity,unit,amount"
DAY = (datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(days=1)).date()
"""The day of the sales: yesterday, so that their points live."""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Till:
    """A till of a station, whose customers and sales no other test has."""

    witness: Witness
    directory: Path
    name: str
    program: str = "FUEL"

    def customer(self, number: int = 1) -> str:
        """A customer of this till."""
        return f"{self.name}-{number}"

    def row(
        self,
        sale: str,
        amount: str,
        *,
        customer: int | str = 1,
        time: str = "08:00:00",
        day: object = DAY,
        article: str = "95#",
        quantity: str = "10",
        unit: str = "L",
    ) -> str:
        """A row of the file: fuel, unless told otherwise."""
        name = customer if isinstance(customer, str) else self.customer(customer)
        return f"{day} {time},{self.name}-{sale},{name},{article},{quantity},{unit},{amount}"

    def tea(self, sale: str, amount: str, *, quantity: str = "1", article: str = "Tea", **more: int | str) -> str:
        """A row of shop goods: 2 points a yuan."""
        return self.row(sale, amount, article=article, unit="pcs", quantity=quantity, **more)  # type: ignore[arg-type]

    def file(self, rows: Iterable[str]) -> Path:
        """A file with these rows."""
        path = self.directory / f"{self.name}-{next(_numbers)}.csv"
        path.write_text("\n".join((HEADER, *rows)) + "\n")
        return path

    def run(self, *rows: str, reverse: bool = True) -> TillResult:
        """Import a file with these rows."""
        client = self.witness.fuel.client
        with read_till(self.file(rows)) as sheet:
            return TillImport(client, self.program, reverse=reverse).run(sheet)

    def points(self, customer: int = 1) -> int:
        """The points that the chain says the customer has."""
        member = self.witness.fuel.client.members.get(f"external:{self.customer(customer)}")
        return self.witness.points(member, self.program)

    def issuances(self) -> Iterator[Movement]:
        """The live issuances of this till's sales."""
        yield from self._live(self.witness.fuel.client.issuances.list(page_size=200))

    def reversals(self) -> Iterator[Movement]:
        """The live reversals of this till's sales."""
        yield from self._live(self.witness.fuel.client.reversals.list(page_size=200))

    def _live(self, movements: Iterable[Movement]) -> Iterator[Movement]:
        for movement in movements:
            if f":{self.name}-" in str(movement.reference) and (movement.is_settled or not movement.is_final):
                yield movement


def new_till(witness: Witness, directory: Path, program: str = "FUEL") -> Till:
    """A till that nobody has used."""
    return Till(witness, directory, f"T{next(_numbers)}x{datetime.now(UTC):%M%S%f}", program)
