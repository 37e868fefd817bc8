"""The contracts of .importlinter cover what they promise."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "pages": {"clearing", "console", "gateway", "loyalty", "scripts", "tests", "tongdui"},
    "console": {"clearing", "gateway", "loyalty", "scripts", "tests"},
    "loyalty": {"clearing", "console", "gateway", "scripts", "tests"},
}
"""Which packages of ours each client may not import: pages imports nothing, its users only tongdui and pages."""


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def values(text: str) -> set[str]:
    return set(text.split())


def missing(parser: configparser.ConfigParser, packages: set[str]) -> list[str]:
    """Says which of the packages that exist no contract keeps away from the rest."""
    roots = values(parser["importlinter"]["root_packages"])
    found = []
    for package in sorted(packages & FORBIDDEN.keys()):
        kept_away = {
            forbidden
            for name in parser.sections()
            if parser[name].get("type") == "forbidden" and package in values(parser[name]["source_modules"])
            for forbidden in values(parser[name]["forbidden_modules"])
        }
        # A contract can only name packages that exist.
        expected = FORBIDDEN[package] & (packages | roots)
        if package not in roots or expected - kept_away:
            found.append(f"{package} must not import {', '.join(sorted(expected - kept_away))}")
    return found


def test_every_client_has_a_contract_once_it_exists() -> None:
    existing = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert missing(contracts(), existing) == []


def test_a_client_without_a_contract_is_found() -> None:
    parser = contracts()
    parser.remove_section("importlinter:contract:loyalty")
    assert missing(parser, {"loyalty"}) == ["loyalty must not import clearing, console, gateway, scripts, tests"]


def test_no_contract_ignores_an_import() -> None:
    parser = contracts()
    assert [name for name in parser.sections() if "ignore_imports" in parser[name]] == []
    assert [name for name in parser.sections() if "skip_descendants" in parser[name]] == []


def test_routes_are_kept_from_every_repository() -> None:
    """A wildcard cannot say `*_repository`, so the contract names these one by one."""
    named = values(contracts()["importlinter:contract:routes"]["forbidden_modules"])
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "clearing").rglob("*_repository.py")
    }
    assert modules <= named


@pytest.mark.parametrize("wing", sorted(path.parent.name for path in (ROOT / "clearing").glob("*/__init__.py")))
def test_every_wing_has_its_place(wing: str) -> None:
    layers = values(contracts()["importlinter:contract:wings"]["layers"])
    assert wing in layers or wing == "migrations"
