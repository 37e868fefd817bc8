"""What all schemas share: bases of bodies and answers, pages, hex. Types of fields are in `clearing.kit.fields`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


class Body(BaseModel):
    """Base of request bodies: unknown members are refused, because they are misspelt ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)

    shown_once: ClassVar[frozenset[str]] = frozenset()
    """Members that only the first answer has: they are not stored."""

    def for_record(self) -> bytes:
        """What the idempotency record keeps."""
        return self.model_copy(update=dict.fromkeys(self.shown_once)).model_dump_json().encode()


V = TypeVar("V")


class Page(View, Generic[V]):
    """One page of a list."""

    data: list[V]
    next_cursor: str | None = Field(
        default=None, description="give it as `cursor` to get the next page; null on the last"
    )


Hex = Annotated[bytes, PlainSerializer(lambda raw: "0x" + raw.hex(), return_type=str)]
"""Bytes that are shown as hex."""
