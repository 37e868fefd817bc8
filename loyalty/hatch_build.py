"""What the wheel holds: this directory as `loyalty`, and the pages' frame, which has no distribution of its own, as `pages`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_HERE = Path(__file__).resolve().parent
_HELD = {
    "loyalty": (_HERE, ("**/*.py", "**/*.mako", "**/templates/**/*.html", "**/zh.po")),
    "pages": (_HERE.parent / "pages", ("**/*.py", "templates/**/*.html", "static/dist/*", "zh.po")),
}


class WheelHook(BuildHookInterface[Any]):
    """The hook of `pyproject.toml`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the files to a wheel that is published. An editable installation uses the checkout's."""
        if version == "editable":
            return
        if not (_HELD["pages"][0] / "static" / "dist" / "manifest.json").exists():
            raise FileNotFoundError("pages/static/dist: build the pages' static files before the wheel (make setup)")
        for name, (directory, patterns) in _HELD.items():
            for path in sorted({found for pattern in patterns for found in directory.glob(pattern)}):
                if path != Path(__file__).resolve():
                    build_data["force_include"][str(path)] = f"{name}/{path.relative_to(directory).as_posix()}"
