"""Lots of an account, points whose day has come, and points whose day is near."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from gateway.http.schemas import Hex, View


class LotView(View):
    """Points that were issued together."""

    entry: Hex = Field(description="leaf of the entry that made the lot")
    points: int = Field(description="what the account has left of it")
    expires_on: date | None = Field(description="the first day without them; null for never")


class DueView(View):
    """Points of an account that are to be burnt because their day has come."""

    member: str | None
    address: str
    program: str
    points: int


class UpcomingView(View):
    """An account whose next points expire on a day."""

    member: str | None
    address: str
    program: str
    points: int = Field(description="what the account has left that expires on that day; 0 if it was all used since")
    expires_on: date = Field(description="the first day without them")
