"""The mappings by which till files are read: those that ship with the SDK, and the merchant's own in one directory."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from loyalty.kit.errors import Malformed
from tongdui import TillError
from tongdui.till import TillMapping

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class KnownMapping:
    """A mapping and its name."""

    name: str
    content: TillMapping

    @property
    def fingerprint(self) -> bytes:
        """Of all that it says."""
        return sha256(repr(self.content).encode()).digest()

    def at(self, time_zone: str) -> TillMapping:
        """The mapping at a station: times and days are the station's."""
        return replace(self.content, zone=ZoneInfo(time_zone))


def mapping_names(directory: Path | None) -> list[str]:
    """The names of all mappings: those of the directory, and those that ship with the SDK."""
    own = () if directory is None else (path.stem for path in directory.glob("*.toml") if _NAME.fullmatch(path.stem))
    return sorted({*own, *TillMapping.shipped()})


def mapping_named(name: str, directory: Path | None) -> KnownMapping:
    """The mapping with this name: a file of the directory, or else one that ships with the SDK. Raises Malformed."""
    own = None if directory is None else directory / f"{name}.toml"
    if not _NAME.fullmatch(name):
        detail = "a mapping has a name of letters, digits, - and _: station, or that of a file in LOYALTY_TILL_MAPPINGS"
        raise Malformed("unknown_mapping", detail, parameter="mapping")
    return mapping_at(name if own is None or not own.exists() else str(own), name)


def mapping_at(path: str, name: str | None = None) -> KnownMapping:
    """The mapping that a file has, or a shipped one. Raises Malformed."""
    try:
        return KnownMapping((name or path)[-200:], TillMapping.load(path))
    except TillError as error:
        raise Malformed("unknown_mapping", str(error), parameter="mapping") from None
