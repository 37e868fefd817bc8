"""What an audit is asked for."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any

from pages.clock import now
from pages.forms import Choice, Choices, Day, File, Form, LongText, Text
from pages.presentation import local, presentation
from pages.translations import gettext as _
from pages.translations import lazy

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_COLUMN = re.compile(r"[a-z_]+=\S.*")


class NewAudit(Form):
    """An audit to begin."""

    nodes = Choices(
        lazy("Chain nodes"),
        hint=lazy("All of them must say the same. Who runs this console says which ones there are."),
    )
    contract = Text(
        lazy("Address of the contract"),
        longest=42,
        hint=lazy("Compare it with one from a source that you trust: this one is the operator's word."),
    )
    first_day = Day(
        lazy("From"),
        required=False,
        hint=lazy("Where the report begins; by default with the contract. All before it is checked, too."),
    )
    last_day = Day(lazy("Until"), required=False, hint=lazy("A day of the network that is over; by default until now."))
    bank = File(
        lazy("File of the settlement bank"),
        required=False,
        accept=".xml,.csv,.txt",
        hint=lazy("All of the account: an ISO 20022 statement (camt.053) or a table (CSV)."),
    )
    bank_columns = LongText(
        lazy("Columns of the table"),
        required=False,
        longest=1_000,
        hint=lazy(
            "If they have other names than usual: a line for each, such as day=Buchungstag, reference=Ref, amount=Betrag."
        ),
    )
    language = Choice(lazy("Language of the report"), options={"zh": "中文", "en": "English"})

    def check(self) -> None:
        """Refuses what no audit can be asked for."""
        if not _ADDRESS.fullmatch(self.values["contract"]):
            self.refuse("contract", _("An address is 0x and 40 digits, of which letters go up to f."))
        if not all(_COLUMN.fullmatch(line) for line in _lines(self.values.get("bank_columns"))):
            self.refuse(
                "bank_columns", _("Write each line as day=Buchungstag: what it is, an equals sign, the column's name.")
            )
        first, last = self.values.get("first_day"), self.values.get("last_day")
        today = local(now()).date()
        for name in ("first_day", "last_day"):
            if (day := self.values.get(name)) and day >= today:
                self.refuse(name, _("This day is not over yet."))
        if first and last and last < first:
            self.refuse("last_day", _("The last day is before the first one."))

    def asked(self) -> dict[str, Any]:
        """What the audit's command line needs of it, but for the nodes."""
        first, last = self.values.get("first_day"), self.values.get("last_day")
        upload = self.values.get("bank")
        return {
            "contract": self.values["contract"].lower(),
            "first": datetime.combine(first, time(), presentation().zone).isoformat() if first else None,
            "first_day": first.isoformat() if first else None,
            "last": None,
            "as_of": last.isoformat() if last else None,
            "bank": _file_name(upload.filename) if upload is not None else None,
            "bank_columns": _lines(self.values.get("bank_columns")),
            "language": self.values["language"],
        }


def _file_name(name: str | None) -> str:
    """A name of our own with what the other one says of its kind."""
    return "bank.xml" if (name or "").lower().endswith(".xml") else "bank.csv"


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
