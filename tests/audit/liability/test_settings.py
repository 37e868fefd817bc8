"""The settings file: what it may say, and the sentence for everything else, which names the field."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from tongdui.audit.findings import CannotCheck
from tongdui.audit.liability.settings import ProgramTerms, read_settings

GOOD = """
[[program]]
code = "FUEL"
point_value = "0.01"
sales_per_point = "0.10"
expected_redemption = "97%"

[[program.change]]
from = 2026-07-01
expected_redemption = "estimate"

[[program]]
code = "CINE"
point_value = "0.009"
expected_redemption = "0.985"
"""
JULY = (date(2026, 7, 1) - date(1970, 1, 1)).days


def read(tmp_path: Path, text: str) -> dict[str, ProgramTerms]:
    path = tmp_path / "liability.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_what_it_says(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    fuel, cine = found["FUEL"], found["CINE"]
    assert (fuel.point_value, fuel.sales_per_point) == (10_000, 100_000)
    assert [fuel.expectation(day) for day in (0, JULY - 1, JULY)] == [Fraction(97, 100), Fraction(97, 100), None]
    assert (cine.point_value, cine.sales_per_point, cine.expectation(JULY)) == (9_000, None, Fraction(985, 1_000))


@pytest.mark.parametrize("share", ["97/100", "0.97", "97%", "97.0%"])
def test_a_share_has_three_forms(tmp_path: Path, share: str) -> None:
    text = f'[[program]]\ncode = "A"\npoint_value = "1"\nexpected_redemption = "{share}"\n'
    assert read(tmp_path, text)["A"].expectation(0) == Fraction(97, 100)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (GOOD, "", r"there is no \[\[program\]\]"),
        (GOOD, "x = [", "is not TOML"),
        (GOOD, "program = [1]", r"program\[0\] is no table"),
        (GOOD, 'programs = "FUEL"', "programs is not known; a field here is one of program"),
        ('code = "FUEL"\n', "", r"program\[0\]\.code: write the program's code"),
        ('"CINE"', '"FUEL"', r"program\[1\]\.code: 'FUEL' was there before"),
        ('point_value = "0.01"\n', "", r"program\[0\] \(FUEL\)\.point_value is missing"),
        ('"0.01"', "0.01", r"program\[0\] \(FUEL\)\.point_value: 0\.01 is not exact; write it with quotes"),
        ('"0.01"', '"-1"', r"program\[0\] \(FUEL\)\.point_value: -1 is below zero"),
        ('"0.10"', '"ten"', r"program\[0\] \(FUEL\)\.sales_per_point: 'ten' is not an amount of money"),
        ('"97%"', '"971/970"', r"program\[0\] \(FUEL\)\.expected_redemption: 971/970 is not from 0 to 1"),
        ('"97%"', '"1/0"', r"program\[0\] \(FUEL\)\.expected_redemption: 1/0 is not from 0 to 1"),
        ('"97%"', "0.97", r"program\[0\] \(FUEL\)\.expected_redemption: 0\.97 is not a share; write"),
        ('expected_redemption = "97%"\n', "", r"program\[0\] \(FUEL\)\.expected_redemption is missing"),
        ("sales_per_point", "sales_per_points", r"program\[0\]\.sales_per_points is not known"),
        ("from = 2026-07-01", 'from = "July"', r"program\[0\] \(FUEL\)\.change\[0\]\.from: write a day without quotes"),
        ("from = 2026-07-01", "from = 1969-07-01", r"change\[0\]\.from: 1969-07-01 is not after the change before it"),
        ("from = 2026-07-01", "since = 2026-07-01", r"change\[0\]\.since is not known"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(CannotCheck, match=sentence):
        read(tmp_path, GOOD.replace(old, new))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match=r"missing\.toml cannot be read"):
        read_settings(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b'code = "\xff"')
    with pytest.raises(CannotCheck, match="save it as UTF-8"):
        read_settings(tmp_path / "latin.toml")
