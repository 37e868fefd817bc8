"""Values of what was recorded, as people read them: money, moments, names, and links to what an id stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup, escape

from console.audit.words import CHOICES, field_name
from pages.formats import basis_points, count, moment, money, short
from pages.translations import gettext as _
from tongdui import AuditEntry

MICROS = "_micros"
_BASIS_POINTS = "_bps"
_MOMENTS = {"accept_by", "since", "valid_from", "valid_until"}
"""Fields that are moments, besides those whose names end in `_at`."""
_TYPED = {"answer", "bank_reference", "description", "email", "name", "reason", "reference", "url"}
"""Fields that somebody fills with whatever text: it is shown as it is, also where it looks like an id or a hash."""
_ID = re.compile(r"([a-z]{3})_[0-9a-z]{26}", re.ASCII)
_HASH = re.compile(r"0x([0-9a-f]{40}|[0-9a-f]{64})", re.ASCII)
_KEY = re.compile(r"a key of (?P<owner>.+)|(?P<name>.*) \((?P<named_owner>.+)\)")
_CHAIN = "chain"
"""The actor of what nobody has asked for here."""
_COMMAND_LINE = "cli:"
_PAGES = {
    "mer": "onboarding",
    "mem": "members",
    "agr": "agreements",
    **dict.fromkeys(("iss", "red", "exc", "spd", "trf", "rev", "exp"), "movements"),
}
"""Which page shows what has an id that begins like this."""


@dataclass(frozen=True, slots=True)
class Values:
    """Shows values to somebody who sees these merchants and pages."""

    names: Mapping[str, str]
    """Merchants' names, by id."""
    path_of: Callable[[str], str | None]
    filtered: Callable[[str], str] | None
    """The address of the audit log about one id; None for somebody who does not see it."""

    def shown(self, field: str, value: object) -> Markup | None:
        """A value of a field; None if there is nothing."""
        if value is None or value in ("", [], {}):
            return None
        if isinstance(value, bool):
            return escape(_("yes") if value else _("no"))
        if isinstance(value, int):
            return self._number(field, value)
        if isinstance(value, list):
            return Markup(", ").join(one for item in value if (one := self.shown(field, item)) is not None)
        if isinstance(value, Mapping):
            parts = ((field_name(name), self.shown(name, one)) for name, one in value.items())
            return Markup("; ").join(Markup("{}: {}").format(name, one) for name, one in parts if one is not None)
        return self._text(field, str(value))

    def _number(self, field: str, value: int) -> Markup:
        if f"_{field}".endswith(MICROS):
            return money(value)
        return escape(basis_points(value) if field.endswith(_BASIS_POINTS) else count(value))

    def _text(self, field: str, value: str) -> Markup:
        if (known := CHOICES.get(field, {}).get(value)) is not None:
            return escape(str(known))
        if field in _TYPED:
            return escape(value)
        if field in _MOMENTS or field.endswith("_at"):
            return _moment(value)
        if _ID.fullmatch(value):
            return self.link(value)
        if _HASH.fullmatch(value):
            return Markup('<span class="code" title="{}">{}</span>').format(value, short(value))
        return escape(value)

    def link(self, id: str) -> Markup:  # noqa: A002
        """What an id stands for, with its page; or what else was done to it, if it has none."""
        name = _PAGES.get(id.partition("_")[0])
        page = self.path_of(name) if name else None
        href = f"{page}/{id}" if page else self.filtered(id) if self.filtered else None
        text = self.names.get(id, short(id))
        if href is None:
            return Markup('<span title="{}">{}</span>').format(id, text)
        return Markup('<a class="text-decoration-underline" href="{}" title="{}">{}</a>').format(href, id, text)


def _moment(value: str) -> Markup:
    """A moment; as it is, if it is none."""
    try:
        return moment(datetime.fromisoformat(value).astimezone(UTC))
    except (ValueError, OverflowError):
        return escape(value)


def subject_name(entry: AuditEntry, names: Mapping[str, str]) -> str:
    """To whom or what it was done: people and merchants by name."""
    if entry.actor.id == f"staff:{entry.subject}":
        return entry.actor.name
    told = entry.data.get("name") if entry.subject.startswith(("stf_", "inv_", "key_", "mer_")) else None
    return names.get(entry.subject) or (told if isinstance(told, str) and told else short(entry.subject))


def actor_name(id: str, told: str) -> str:  # noqa: A002
    """Who acted: people by name, keys by their name and owner."""
    if id == _CHAIN:
        return _("past this gateway, on the chain")
    if id.startswith(_COMMAND_LINE):
        return _("%(user)s, at the command line") % {"user": id.removeprefix(_COMMAND_LINE)}
    found = _KEY.fullmatch(told) if id.startswith("key_") else None
    if found is None:
        return told
    name, owner = found["name"] or _("API key"), _owner(found["owner"] or found["named_owner"])
    return f"{name} · {owner}"


def _owner(told: str) -> str:
    roles = CHOICES["role"]
    return str(roles.get(told.removeprefix("the "), told)) if told.startswith("the ") else told
