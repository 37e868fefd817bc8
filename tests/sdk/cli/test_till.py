"""till inspect and till import, against a real network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sdk.cli.conftest import Terminal

DATA = Path(__file__).parents[3] / "scripts" / "demo" / "data"
DAY, MALFORMED = str(DATA / "fuel_day.csv"), str(DATA / "fuel_malformed.csv")


def test_inspect_prints_a_mapping_that_reads_the_file(tongdui: Terminal, tmp_path: Path) -> None:
    inspected = tongdui.good("till", "inspect", DAY)
    assert "26041500001" in inspected.err
    mapping = tmp_path / "mine.toml"
    mapping.write_text(inspected.out, encoding="utf-8")
    read = tongdui("till", "import", DAY, "--program", "SHOP", "--mapping", str(mapping), "--dry-run", "--json")
    assert read.code in {0, 1}
    assert read.json["sheet"]["rows_read"] > 200
    document = tongdui.good("till", "inspect", DAY, "--json").json
    assert document["mapping"].rstrip("\n") == inspected.out.rstrip("\n")
    assert document["rows"][0]["line"] == 2


def test_what_cannot_be_inspected_is_named(tongdui: Terminal, tmp_path: Path) -> None:
    assert tongdui("till", "inspect", str(tmp_path / "none.csv")).code == 2
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    wrong = tongdui("till", "inspect", str(empty), "--json")
    assert (wrong.code, wrong.problem["code"]) == (2, "till")
    assert "empty.csv" in wrong.problem["detail"]


def test_a_dry_run_needs_no_gateway(tongdui: Terminal) -> None:
    printed = tongdui.good("till", "import", DAY, "--program", "SHOP", "--dry-run").out
    assert "Nothing was sent: this was a dry run. 56192 points would be issued." in printed
    assert (
        tongdui.good("till", "import", DAY, "--program", "SHOP", "--dry-run", "--json").json["sheet"]["points"]
        == 56_192
    )
    assert tongdui("till", "import", MALFORMED, "--program", "SHOP", "--dry-run").code == 1


def test_a_file_is_imported_once(as_shop: Terminal) -> None:
    command = ("till", "import", MALFORMED, "--program", "SHOP", "--json")
    first, second = as_shop(*command), as_shop(*command)
    assert (first.code, second.code) == (1, 1), first.err + second.err
    issued = first.json["result"]["issued"]
    assert issued["count"] > 0
    assert (second.json["result"]["issued"]["count"], second.json["result"]["already"]) == (0, issued)
    text = as_shop("till", "import", MALFORMED, "--program", "SHOP")
    assert "issued by an earlier run" in text.out
    assert text.err == ""


def test_returns_are_taken_back_when_asked_for(as_shop: Terminal, tmp_path: Path) -> None:
    sold = as_shop("till", "import", DAY, "--program", "SHOP", "--json")
    assert sold.code == 1, "a return whose sale is in no file needs attention"
    assert json.loads(sold.out)["result"]["due"]
    reversed_ = as_shop("till", "import", DAY, "--program", "SHOP", "--reverse", "--json").json["result"]
    assert sum(one["points"] for one in reversed_["reversed"]) == sum(
        one["points"] for one in sold.json["result"]["due"]
    )


def test_a_mistyped_program_is_suggested(as_shop: Terminal) -> None:
    wrong = as_shop("till", "import", DAY, "--program", "SHPO", "--json")
    assert (wrong.code, wrong.problem["hints"]) == (2, ["SHPO: did you mean SHOP?"])


@pytest.mark.parametrize("mapping", ["none.toml", "statoin"])
def test_a_mapping_that_there_is_not_is_named(tongdui: Terminal, mapping: str) -> None:
    wrong = tongdui("till", "import", DAY, "--program", "SHOP", "--mapping", mapping, "--dry-run")
    assert (wrong.code, mapping in wrong.err) == (2, True)
