"""What all schemas share: bases of bodies and views, pages, hex. Types of fields are in `clearing.kit.fields`."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, create_model

from tongdui.encoding import bytes_of


class Body(BaseModel):
    """Base of request bodies. It refuses unknown fields: most are misspelt known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Base of what responses show."""

    model_config = ConfigDict(frozen=True)

    shown_once: ClassVar[frozenset[str]] = frozenset()
    """Fields that only the first response has. They are never stored."""

    def for_record(self) -> bytes:
        """The body that the idempotency record keeps."""
        return self.model_copy(update=dict.fromkeys(self.shown_once)).model_dump_json().encode()


V = TypeVar("V")


class Page(View, Generic[V]):
    """One page of a list."""

    data: list[V]
    next_cursor: str | None = Field(
        default=None, description="give it as `cursor` to get the next page; null on the last"
    )


Hex = Annotated[
    bytes,
    BeforeValidator(lambda raw: bytes_of(raw) if isinstance(raw, str) else raw),
    PlainSerializer(lambda raw: "0x" + raw.hex(), return_type=str),
]
"""Bytes, shown as hex; from bytes, or from hex."""


def view_of(wire: type[Any], name: str, doc: str) -> type[View]:
    """A view with the fields of a wire dataclass of the SDK, so that they are listed once; bytes are shown as hex."""
    types = get_type_hints(wire)
    shown: dict[str, Any] = {
        field.name: (Hex if types[field.name] is bytes else types[field.name], ...) for field in fields(wire)
    }
    return create_model(name, __base__=View, __doc__=doc, **shown)
