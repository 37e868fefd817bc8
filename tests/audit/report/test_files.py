"""The report's files: the same bytes each time, numbers that every program keeps, and nothing half written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256

import pytest

from tests.audit.report.sample import FINDINGS, Rendered, render, report
from tests.audit.report.story import year
from tongdui.audit.findings import CannotCheck, Finding
from tongdui.audit.liability.settings import ProgramTerms
from tongdui.audit.report.document import Report
from tongdui.audit.report.files import canonical_json, csv_files

DIGEST = """
from hashlib import sha256
from tests.audit.report.sample import FINDINGS, Rendered, render, report
from tests.audit.report.story import year
print(sha256(render(report(year(days=40), findings=FINDINGS)).json).hexdigest())
"""


@pytest.fixture(scope="module")
def made() -> Report:
    return report(year(days=40), findings=FINDINGS)


@pytest.fixture(scope="module")
def rendered(made: Report) -> Rendered:
    return render(made)


def test_the_same_chain_gives_the_same_bytes(rendered: Rendered) -> None:
    run = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "America/New_York", "LANG": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == sha256(rendered.json).hexdigest()


def test_the_json_names_every_file(rendered: Rendered) -> None:
    document = json.loads(rendered.json)
    files = {**rendered.pages, **rendered.tables}
    assert document["files"] == {name: sha256(content).hexdigest() for name, content in files.items()}
    assert set(rendered.pages) == {"report.html", "report.zh.html"}
    assert document["format"] == "tongdui-audit-report/1"
    assert document["findings"][0]["place"]["batch"] == 131
    assert canonical_json(document) == rendered.json


def test_no_number_is_too_large_for_a_double() -> None:
    value = {"b": [2**53 - 1, 2**53, -(2**53)], "a": {"é": True, "n": None}}
    assert canonical_json(value) == (
        '{"a":{"n":null,"é":true},"b":[9007199254740991,"9007199254740992","-9007199254740992"]}'.encode()
    )
    with pytest.raises(AssertionError, match="has no canonical form"):
        canonical_json({"a": 0.5})


def test_each_table_is_a_file(made: Report, rendered: Rendered) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        text = rendered.tables[f"csv/{name}.csv"].decode()
        return list(csv.DictReader(text.splitlines()))

    assert [row["name"] for row in rows("merchants")] == [one.name for one in made.figures.merchants]
    assert len(rows("days")) == len(made.figures.days)
    assert rows("findings")[0]["rule"] == "order.unknown_signer"
    assert rows("findings")[0]["index"] == "4"
    assert sum(int(row["points"]) for row in rows("ages")) == sum(one.outstanding for one in made.figures.programs)
    assert csv_files(report())["csv/bank_files.csv"].endswith(b"deposited_micros,withdrawn_micros\r\n")
    assert {row["what"]: row["value"] for row in rows("scope")}["last.number"] == str(made.scope.last.number)
    (bank,) = rows("bank_files")
    assert list(bank.values()) == [
        "statement-2026.csv",
        "2025-10-01",
        "2026-08-28",
        "3",
        "CNY",
        "8000000000",
        "800500000",
    ]
    assert rows("programs")[0]["is_paused"] == "no"


def test_a_spreadsheet_carries_nothing_out_and_a_page_neither(made: Report) -> None:
    evil = Finding("x", '=HYPERLINK("http://evil")', "<script>alert(1)</script>", "</style>")
    files = render(replace(made, findings=(evil,)))
    assert b"""x,"'=HYPERLINK(""http://evil"")",<script>""" in files.tables["csv/findings.csv"]
    assert all(b"<script" not in page for page in files.pages.values())
    assert all(b"&lt;script&gt;alert(1)" in page for page in files.pages.values())


def test_the_liability_closes_in_whole_micros(made: Report) -> None:
    terms = {code: ProgramTerms(code, 10_000, 333_333, ((0, Fraction(96, 97)),)) for code in ("FUEL", "CINE")}
    liability = report(year(days=90), settings=(terms, b"settings")).liability
    assert liability is not None
    for row in liability.roll_forward:
        made_points = row.opening_points + row.issued + row.exchanged_in + row.restored
        gone = row.redeemed + row.spent + row.exchanged_out + row.expired + row.revoked
        assert made_points - gone == row.closing_points
        if row.code == "MART":
            assert row.closing_micros is None
            continue
        assert None not in (row.opening_micros, row.additions_micros, row.recognised_micros, row.remeasurement_micros)
        assert (
            row.opening_micros + row.additions_micros - row.recognised_micros + row.remeasurement_micros
            == row.closing_micros
        )  # type: ignore[operator]
        assert row.closing_micros > 0  # type: ignore[operator]
    assert liability.settings_sha256 == sha256(b"settings").hexdigest()


def test_settings_of_a_program_that_is_not_there_are_refused() -> None:
    with pytest.raises(
        CannotCheck, match="name the program 'GAS', which is not on the chain; there are: CINE, FUEL, MART"
    ):
        report(year(days=5), settings=({"GAS": ProgramTerms("GAS", 1, None, ((0, None),))}, b""))


def test_nodes_are_named_without_their_secrets(made: Report) -> None:
    assert made.scope.nodes == ("http://127.0.0.1:8545", "https://node.example")
