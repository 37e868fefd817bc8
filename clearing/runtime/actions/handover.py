"""What a merchant gets that was taken on board, for people and for programs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from clearing.kit.config import Settings
from clearing.ledger.settlement.models import BankMovement
from clearing.oversight.onboarding.service import Step
from clearing.parties.access.models import ApiKey
from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.programs.models import Program
from clearing.runtime.actions.terminal import console, write_json
from tongdui import format_micros


@dataclass(slots=True)
class Handover:
    """Collects the parts of an onboarding and shows them."""

    settings: Settings
    url: str | None
    keystore: Path | None
    parts: dict[str, Step[Any]] = field(default_factory=dict)
    signer: SignerKey | None = None
    credit_limit: int = 0
    api_key: ApiKey | None = None
    token: str | None = None

    def found(self, name: str, step: Step[Any]) -> None:
        """Takes a part: `merchant`, `program` or `deposit`."""
        self.parts[name] = step

    @property
    def merchant(self) -> Merchant:
        """The merchant."""
        merchant: Merchant = self.parts["merchant"].part
        return merchant

    def write(self, *, as_json: bool) -> None:
        """Writes everything to standard output."""
        if as_json:
            write_json(self._document())
        else:
            self._show()

    # ---------------------------------------------------------------- for programs

    def _document(self) -> dict[str, Any]:
        assert self.api_key is not None
        return {
            "url": self._url,
            "contract": self.settings.contract,
            "chain_id": self.settings.chain_id,
            "merchant": {
                "id": self.merchant.id,
                "number": self.merchant.number,
                "name": self.merchant.name,
                "signer_address": self.signer.address if self.signer else None,
                "managed_key": self._is_managed,
                "credit_limit_micros": self.credit_limit,
                "made": self.parts["merchant"].made,
            },
            "program": self._program_document(),
            "deposit": self._deposit_document(),
            "api_key": {
                "id": self.api_key.id,
                "secret": self.token,
                "scopes": self.api_key.scopes,
                "made": self.token is not None,
            },
            "commands": self._commands(),
        }

    def _program_document(self) -> dict[str, Any] | None:
        step = self.parts.get("program")
        if step is None:
            return None
        program: Program = step.part
        return {
            "id": program.id,
            "number": program.number,
            "code": program.code,
            "name": program.name,
            "default_lifetime_days": program.default_lifetime_days,
            "made": step.made,
        }

    def _deposit_document(self) -> dict[str, Any] | None:
        step = self.parts.get("deposit")
        if step is None:
            return None
        deposit: BankMovement = step.part
        return {"id": deposit.id, "micros": deposit.micros, "made": step.made}

    # ---------------------------------------------------------------- for people

    def _show(self) -> None:
        assert self.api_key is not None
        table = Table(title=f"{self.merchant.name} is on board", title_style="bold", show_header=False)
        table.add_column()
        table.add_column(overflow="fold")
        for name, value in self._rows(self.api_key):
            table.add_row(name, value)
        console.print(table)
        if self.token is not None:
            # Beside the table, in one piece: it is shown only this once, and somebody will copy it.
            console.print("API key, shown only this once:")
            console.print(self.token, soft_wrap=True, highlight=False, style="bold")
        console.print("At the merchant's (`pip install 'tongdui[cli]'`); login asks for the API key:", markup=False)
        for command in self._commands():
            console.print(f"  {command}", soft_wrap=True, highlight=False, markup=False)

    def _rows(self, api_key: ApiKey) -> list[tuple[str, str]]:
        rows = [
            ("gateway", self._url),
            ("merchant", self._said("merchant", f"{self.merchant.id} (number {self.merchant.number})")),
            ("signer", self._signer()),
            ("credit limit", format_micros(self.credit_limit)),
        ]
        if (step := self.parts.get("program")) is not None:
            program: Program = step.part
            lifetime = program.default_lifetime_days
            lasts = "never expires" if lifetime is None else f"expires after {lifetime} days"
            rows.append(("program", self._said("program", f"{program.code}, {program.name}, {lasts}")))
        if (step := self.parts.get("deposit")) is not None:
            rows.append(("deposit", self._said("deposit", format_micros(step.part.micros))))
        scopes = ", ".join(api_key.scopes)
        there = "" if self.token else "; it was there, and --new-api-key makes another one"
        rows += [
            ("API key", f"{api_key.id}: {scopes}{there}"),
            ("contract", self.settings.contract),
            ("chain id", str(self.settings.chain_id)),
        ]
        return rows

    def _said(self, name: str, value: str) -> str:
        return value if self.parts[name].made else f"{value}; it was there"

    def _signer(self) -> str:
        if self.signer is None:
            return "none that may sign now"
        if self._is_managed:
            return f"{self.signer.address}, which the gateway keeps"
        return f"{self.signer.address}, in {self.keystore}" if self.keystore else self.signer.address

    @property
    def _is_managed(self) -> bool:
        return self.signer is not None and self.signer.keystore is not None

    @property
    def _url(self) -> str:
        return self.url or f"http://{self.settings.gateway_host}:{self.settings.gateway_port}"

    def _commands(self) -> list[str]:
        """What to type first at the merchant's. The API key is asked for, so that no shell remembers it."""
        login = ["tongdui", "login", "--url", self._url, "--contract", self.settings.contract]
        if self.keystore is not None:
            login += ["--keystore", str(self.keystore)]
        commands = [login]
        if (step := self.parts.get("program")) is not None:
            commands.append(["tongdui", "members", "create", "FC-1"])
            commands.append(["tongdui", "issue", "200", "FC-1", "--program", step.part.code])
        return [shlex.join(command) for command in commands]
