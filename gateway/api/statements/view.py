"""Statements as the API shows them."""

from __future__ import annotations

from typing import Any

from clearing.oversight.statements.models import Statement
from gateway.api.statements.schemas import StatementLineView, StatementView
from gateway.http.context import Call


def statement_view(call: Call, statement: Statement) -> StatementView:
    """A merchant's day."""
    return StatementView(
        id=statement.id,
        merchant=call.names.merchant(statement.merchant_number),
        day=call.gateway.network.date_of(statement.day),
        revision=statement.revision,
        opening_micros=statement.opening,
        closing_micros=statement.closing,
        deposited_micros=statement.deposited,
        withdrawn_micros=statement.withdrawn,
        lines=[_line_view(call, line) for line in statement.lines],
        last_block=statement.last_block,
        created_at=statement.created_at,
    )


def _line_view(call: Call, line: dict[str, Any]) -> StatementLineView:
    return StatementLineView(
        kind=line["kind"],
        of=line["of"],
        program=call.names.program(line["program"]),
        agreement=call.names.agreement(line["agreement"]),
        count=line["count"],
        points=line["points"],
        out=line["out"],
        received_micros=line["received"],
        paid_micros=line["paid"],
        fees_paid_micros=line["fees_paid"],
        fees_received_micros=line["fees_received"],
    )
