"""What all schemas share: bases of bodies and views, pages, hex. Types of fields are in `clearing.kit.fields`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


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


Hex = Annotated[bytes, PlainSerializer(lambda raw: "0x" + raw.hex(), return_type=str)]
"""Bytes, shown as hex."""
