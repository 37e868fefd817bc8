"""Writes docs/openapi.json, the description of the API; with --check, only says whether it is current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clearing.kit.config import Settings
from gateway.app import create_app

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "openapi.json"


def description() -> str:
    """The description that a gateway of these sources serves, as text that a diff can show."""
    settings = Settings(database_url="sqlite:///unused", contract="0x" + "c0" * 20)
    return json.dumps(create_app(settings).openapi(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes the file, or compares it."""
    text = description()
    is_current = FILE.exists() and FILE.read_text(encoding="utf-8") == text
    if "--check" in sys.argv[1:]:
        if not is_current:
            print(f"{FILE.relative_to(ROOT)} is not what the gateway says: run `make openapi`")
        return 0 if is_current else 1
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
