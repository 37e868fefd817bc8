"""A form: a class with fields. An object of it is what one person has typed into it, with what is wrong about that."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from pages.forms.fields import Choice, Choices, Field, File, Flag, Mistake, Options
from pages.translations import Text as Label
from pages.translations import gettext as _

KEY = "idempotency_key"
UNANSWERED = "unanswered"
_LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field of one form: what a template renders."""

    name: str
    field: Field
    value: str
    """What was typed, or is offered."""
    chosen: frozenset[str]
    """The chosen options."""
    options: tuple[tuple[str, Label], ...]
    error: str | None
    id: str
    """The id of its control; what stands beside it has ids made from it."""

    @property
    def described_by(self) -> str | None:
        """The ids of hint and error."""
        ids = [f"{self.id}-hint"] if self.field.hint else []
        ids += [f"{self.id}-error"] if self.error else []
        return " ".join(ids) or None

    @property
    def names(self) -> dict[str, str | None]:
        """What every control says of itself: attributes; None leaves one out."""
        return {
            "id": self.id,
            "name": self.name,
            "aria-describedby": self.described_by,
            "aria-invalid": "true" if self.error else None,
            "required": "required" if self.field.required else None,
        }

    @property
    def control_attributes(self) -> dict[str, str | int | None]:
        """All attributes of an <input>."""
        own = {
            name: name if value is True else value
            for name, value in self.field.attributes.items()
            if value is not False
        }
        return {**self.names, **own, "class": f"form-control {own.get('class', '')}".strip()}


class Form:
    """Base of all forms: its fields are attributes of the class, in the order in which they are shown.

    ```
    class NewMember(Form):
        external_id = Text(lazy("Number at your till"))
        points = Points(lazy("Points"))

    form = NewMember()                                  # GET: empty
    form = await NewMember.read(request)                # POST: as it was sent
    if form.is_valid: ... form.values["points"]
    ```
    """

    fields: ClassVar[Mapping[str, Field]] = {}
    ids: ClassVar[str] = "f-"
    """What ids of its controls begin with: another word where several forms of a page have fields of the same name."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        cls.fields = {**cls.fields, **own}
        for name in own:
            delattr(cls, name)

    def __init__(
        self,
        initial: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Options] | None = None,
        sent: FormData | None = None,
    ) -> None:
        self.initial = dict(initial or {})
        self.sent = sent
        self.key = str(uuid.uuid4())
        """What makes it act once, however often it is sent: the Idempotency-Key of what it does."""
        self.is_unanswered = sent is not None and UNANSWERED in sent
        """Whether it was sent with this key before and nobody knows what has become of it: it keeps the key then."""
        self.errors: dict[str, str] = {}
        """What is wrong, by field."""
        self.general: list[str] = []
        """What is wrong with no field in particular."""
        self.original: str | None = None
        """The refusal in the gateway's own words, for whoever reports it."""
        self.values: dict[str, Any] = {}
        self._options = {name: _pairs(given) for name, given in (options or {}).items()}
        if sent is not None:
            self._take_key(sent.get(KEY))
            self._read_all(sent)

    @classmethod
    async def read(
        cls, request: Request, initial: Mapping[str, Any] | None = None, *, options: Mapping[str, Options] | None = None
    ) -> Self:
        """The form as a request has sent it, with its values checked."""
        return cls(initial, options=options, sent=await request.form())

    # ---------------------------------------------------------------- what was sent

    def _take_key(self, key: object) -> None:
        if (
            isinstance(key, str)
            and 0 < len(key) <= _LONGEST_KEY
            and key.isascii()
            and key.isprintable()
            and " " not in key
        ):
            self.key = key

    def _read_all(self, sent: FormData) -> None:
        for name, field in self.fields.items():
            try:
                self.values[name] = self._read(name, field, sent)
            except Mistake as mistake:
                self.errors[name] = str(mistake)
        if not self.errors:
            self.check()

    def _read(self, name: str, field: Field, sent: FormData) -> object:
        if isinstance(field, File):
            upload = sent.get(name)
            if isinstance(upload, UploadFile) and upload.filename:
                return field.take(upload)
            return self._missing(field, _("Choose a file."))
        if isinstance(field, Choices):
            return self._read_choices(name, field, sent)
        if isinstance(field, Flag):
            return name in sent or bool(self._missing(field, _("Confirm this to go on.")))
        text = self._typed(name, sent)
        if not text:
            missing = _("Choose one.") if isinstance(field, Choice) else _("Fill this in.")
            return self._missing(field, missing)
        if isinstance(field, Choice) and text not in dict(self._options_of(name, field)):
            raise Mistake(_("Choose one of those offered."))
        return field.parse(text)

    def _read_choices(self, name: str, field: Choices, sent: FormData) -> tuple[str, ...]:
        chosen = tuple(str(one) for one in sent.getlist(name))
        if not set(chosen) <= set(dict(self._options_of(name, field))):
            raise Mistake(_("Choose from those offered."))
        if not chosen:
            self._missing(field, _("Choose at least one."))
        return chosen

    @staticmethod
    def _missing(field: Field, sentence: str) -> None:
        if field.required:
            raise Mistake(sentence)

    @staticmethod
    def _typed(name: str, sent: FormData) -> str:
        typed = sent.get(name, "")
        return typed.strip() if isinstance(typed, str) else ""

    def check(self) -> None:
        """What a form checks when every field by itself is right: override it, and call `refuse`."""

    @property
    def is_sent(self) -> bool:
        """Whether somebody has sent it."""
        return self.sent is not None

    @property
    def is_valid(self) -> bool:
        """Whether it was sent and nothing is wrong."""
        return self.is_sent and not self.errors and not self.general

    @property
    def status(self) -> int:
        """The HTTP status of a page that shows it: 422 if it was refused."""
        return 200 if not self.errors and not self.general else 422

    # ---------------------------------------------------------------- what is wrong

    def refuse(self, name: str | None, sentence: str) -> None:
        """Shows a sentence beside the field of this name, or above all of them."""
        if name in self.fields:
            self.errors.setdefault(str(name), sentence)
        elif sentence not in self.general:
            self.general.append(sentence)

    def refuse_at(self, pointers: Iterable[str], sentence: str) -> None:
        """Shows a sentence beside each field at which a JSON pointer into the request leads, or above all of them."""
        names = {name for pointer in pointers if (name := self._pointed(pointer))}
        for name in sorted(names):
            self.refuse(name, sentence)
        if not names:
            self.refuse(None, sentence)

    def _pointed(self, pointer: str) -> str | None:
        """The field whose pointer this is, or begins with."""
        while pointer:
            for name, field in self.fields.items():
                if pointer == (field.pointer or f"/{name}"):
                    return name
            pointer = pointer.rpartition("/")[0]
        return None

    def renew_key(self) -> None:
        """After a refusal: what was refused stays refused, so what is typed now is another request."""
        self.key, self.is_unanswered = str(uuid.uuid4()), False

    def refuse_unanswered(self, sentence: str) -> None:
        """Nobody knows whether it has happened: sent again, it has the same key, and happens once."""
        self.is_unanswered = True
        self.refuse(None, sentence)

    # ---------------------------------------------------------------- what is shown

    def __getitem__(self, name: str) -> BoundField:
        field = self.fields[name]
        return BoundField(
            name,
            field,
            self._value(name, field),
            self._chosen(name),
            self._options_of(name, field),
            self.errors.get(name),
            self.ids + name,
        )

    def __iter__(self) -> Iterator[BoundField]:
        return (self[name] for name in self.fields)

    @property
    def has_files(self) -> bool:
        """Whether it hands in files."""
        return any(isinstance(field, File) for field in self.fields.values())

    def _value(self, name: str, field: Field) -> str:
        if self.sent is None:
            return field.show(self.initial.get(name))
        return field.show(self._typed(name, self.sent))

    def _chosen(self, name: str) -> frozenset[str]:
        if self.sent is not None:
            return frozenset(str(one) for one in self.sent.getlist(name))
        initial = self.initial.get(name)
        if isinstance(initial, (list, tuple, set, frozenset)):
            return frozenset(map(str, initial))
        if initial is True:
            return frozenset({"on"})
        return frozenset({str(initial)}) if initial not in (None, False) else frozenset()

    def _options_of(self, name: str, field: Field) -> tuple[tuple[str, Label], ...]:
        if name in self._options:
            return self._options[name]
        return _pairs(field.options) if isinstance(field, (Choice, Choices)) else ()


def _pairs(options: Options) -> tuple[tuple[str, Label], ...]:
    return tuple(options.items() if isinstance(options, Mapping) else options)
