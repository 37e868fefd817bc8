"""What deploy/ says of each process, in whichever form: compose.yaml, units, chart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clearing.runtime.preflight.keys import NEEDS, Needs

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def composed(variables: Mapping[str, str], directory: str = "docker") -> dict[str, Any]:
    """The compose.yaml of a directory of deploy/, with its variables replaced as Compose does it."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if variables.get(name):
            return variables[name]
        assert kind == "-", f"{name} is not set: {rest}"
        return str(rest)

    def replaced(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: replaced(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [replaced(inner) for inner in part]
        return _VARIABLE.sub(value, part) if isinstance(part, str) else part

    found: dict[str, Any] = replaced(yaml.safe_load((DEPLOY / directory / "compose.yaml").read_text()))
    return found


PROCESSES: dict[str, dict[str, Any]] = yaml.safe_load(
    (DEPLOY / "helm" / "tongdui" / "files" / "processes.yaml").read_text()
)
"""What the chart runs, by name. Compose's services and the units have the same names."""


def needs_of(name: str) -> tuple[set[str], set[str]]:
    """The roles whose keys a process needs, and all of its passwords: what the process itself checks at its start."""
    process, role = PROCESSES[name]["process"], name.partition("-")[2]
    needs = NEEDS.get(process, Needs())
    roles = {role} if role else set(needs.roles)
    assert roles <= set(needs.roles)
    return roles, {*roles, *map(str, needs.purposes)}


@dataclass(frozen=True)
class Given:
    """What a process gets in some form: its command, its environment, and the files of secrets that it can read."""

    command: list[str]
    environment: Mapping[str, str]
    files: set[str]

    def check(self, name: str) -> None:
        """Sees to it that a process has what it needs, and nothing else."""
        assert self.command == PROCESSES[name]["command"]
        roles, passwords = needs_of(name)
        named = {
            variable.removeprefix("TONGDUI_") for variable in self.environment if variable != "TONGDUI_MANAGED_KEYS"
        }
        assert {one for one in named if one.endswith("_PASSWORD_FILE")} == {
            f"{one.upper()}_PASSWORD_FILE" for one in passwords
        }
        assert {one for one in named if one.endswith("_KEY")} == {f"{role.upper()}_KEY" for role in roles}
        secret = re.compile(r"TONGDUI_\w+_(PASSWORD_FILE|KEY)")
        assert {value for variable, value in self.environment.items() if secret.fullmatch(variable)} == self.files
        mail = {"SMTP_PASSWORD"} if name == "worker" else set()
        assert {one for one in named if one.endswith("_PASSWORD")} <= mail, "a password in the environment"
        assert ("DATABASE_URL" in named) is (name not in ("console", "beat"))
        assert ("BROKER_URL" in named) is (name in ("worker", "rounds", "beat"))
        assert ("METRICS_PORT" in named) is (name not in ("console", "beat"))
