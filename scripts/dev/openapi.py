"""Writes the descriptions of both APIs, docs/openapi.json and docs/openapi-loyalty.json; with --check, only says whether they are
current."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from clearing.kit.config import Settings
from gateway import app as gateway
from loyalty import app as loyalty
from loyalty.kit.database import Database

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "openapi.json"
LOYALTY_FILE = ROOT / "docs" / "openapi-loyalty.json"


def description() -> str:
    """The description that a gateway of these sources serves, as text that a diff can show."""
    settings = Settings(database_url="sqlite:///unused", contract="0x" + "c0" * 20)
    return _text(gateway.create_app(settings).openapi())


def loyalty_description() -> str:
    """The same of a merchant's programme."""
    return _text(loyalty.create_app(Database("sqlite:///unused")).openapi())


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes the files, or compares them."""
    is_check = "--check" in sys.argv[1:]
    stale = 0
    for file, text in ((FILE, description()), (LOYALTY_FILE, loyalty_description())):
        if not is_check:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"{file.relative_to(ROOT)} is not what the code says: run `make openapi`")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
