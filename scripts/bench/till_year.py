"""Writes a year of a supermarket with eight tills: 1,460,438 rows of 152,450 sales, the same each time.

python -m scripts.bench.till_year year.csv
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

ROWS, SALES = 1_460_438, 152_450
HEADER = "till,sale number,time,customer,article,quantity,unit,amount"
MAPPING = """
[till]
name = "Supermarket"
[columns]
till = "till"
sale = "sale number"
time = "time"
customer = "customer"
article = "article"
quantity = "quantity"
unit = "unit"
amount = "amount"
[articles]
fruit = ["Apples", "Oranges", "Bananas", "苹果"]
goods = ["*"]
[points]
fruit = "2"
goods = "1"
[units]
fruit = "kg"
goods = "pcs"
"""
_TILLS, _DAYS = 8, 365
_FRUIT = ("Apples", "Oranges", "Bananas", "苹果")


class Year(NamedTuple):
    """What was written: how many rows and sales, and the points that all sales are worth."""

    rows: int
    sales: int
    points: int


def generate_year(path: Path, rows: int = ROWS, sales: int = SALES) -> Year:
    """Write the file, and recount the points in whole cents as it is written."""
    random = Random(1_460_438)  # noqa: S311 - the same file each time is the point
    written = points = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for sale, size in enumerate(_sizes(random, rows, sales)):
            hundredths = 0
            for line, cents, rate in _rows(random, sale, sales, size):
                file.write(line)
                hundredths += cents * rate
            written += size
            points += hundredths // 100
    return Year(written, sales, points)


def _sizes(random: Random, rows: int, sales: int) -> Iterator[int]:
    """How many rows each sale has: from 1 to 18 or so, and all together exactly so many."""
    size, longer = divmod(rows, sales)
    swing = 0
    for sale in range(sales):
        swing = -swing if sale % 2 else random.randrange(size) if sale + 1 < sales else 0
        yield size + swing + (1 if sale < longer else 0)


def _rows(random: Random, sale: int, sales: int, size: int) -> Iterator[tuple[str, int, int]]:
    """The lines of one sale, each with its amount in cents and what a yuan of it is worth."""
    till, day = sale % _TILLS + 1, sale * _DAYS // sales
    number = sale + 1 - -(-day * sales // _DAYS)  # they start again each day
    time = datetime(2025, 1, 1, 8) + timedelta(days=day, seconds=random.randrange(12 * 3600))  # noqa: DTZ001 - the till's
    customer = f"{random.randrange(1, 20_000):08d}"
    fruit = random.sample(_FRUIT, k=min(size, random.randrange(3)))
    for n in range(size):
        cents = random.randrange(50, 5_000)
        head = f"{till},{number:04d},{time},{customer}"
        if n < len(fruit):
            grams = random.randrange(100, 4_000)
            yield (
                f"{head},{fruit[n]},{grams // 1000}.{grams % 1000:03d},kg,{cents // 100}.{cents % 100:02d}\n",
                cents,
                2,
            )
        else:
            article, quantity = f"690{random.randrange(3_000):010d}", random.randrange(1, 4)
            yield f"{head},{article},{quantity},pcs,{cents // 100}.{cents % 100:02d}\n", cents, 1


if __name__ == "__main__":
    print(generate_year(Path(sys.argv[1])))
