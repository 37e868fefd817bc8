"""Every type of event that the sources of `clearing` record, read from there: no test has to make it happen."""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from clearing.ordering.orders.events import REOPENED
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import OrderState
from clearing.oversight.approvals.models import ApprovalState
from clearing.oversight.calls.call import MerchantRequest, NetworkRequest
from clearing.oversight.liquidity.models import Level
from clearing.pipeline.power_events import REQUESTS
from tongdui.orders import Kind

_SOURCES = Path(__file__).resolve().parents[2] / "clearing"
_NOUNS = tuple(kind_of(kind).noun for kind in (Kind.EXCHANGE, Kind.SPEND, Kind.REVERSE))
"""Of the movements between two merchants."""
_VALUES: dict[tuple[str, str], Iterable[str]] = {
    ("ledger/settlement/events.py", "movement.kind"): ("deposit", "withdrawal"),
    ("ordering/orders/events.py", "action or order.state"): (*OrderState, REOPENED),
    ("ordering/orders/events.py", "type_"): [f"{noun}.{REOPENED}" for noun in _NOUNS],
    ("ordering/orders/events.py", "kind_of(row.kind).noun"): _NOUNS,
    ("ordering/orders/events.py", "name"): ("received", "sent"),
    ("oversight/approvals/service.py", "state"): set(ApprovalState) - {ApprovalState.REQUESTED},
    ("oversight/liquidity/service.py", "level"): set(Level) - {Level.FINE},
    ("oversight/reconciliation/service.py", "outcome"): ("reconciliation.clean", "reconciliation.drifted"),
    ("oversight/calls/service.py", "event"): NetworkRequest,
    ("oversight/calls/service.py", "request"): MerchantRequest,
    ("pipeline/power_events.py", "network_change"): [one for one in REQUESTS if one.startswith("contract.")],
    ("pipeline/power_events.py", "merchant_change"): [one for one in REQUESTS if not one.startswith("contract.")],
    ("parties/agreements/expiry.py", "action"): ("expired", "lapsed"),
    ("parties/agreements/service.py", "agreement.state"): ("withdrawn", "declined"),
    ("pipeline/registry_events.py", "agreement.state"): ("superseded", "terminated"),
}
"""What an expression can be that only a running program knows, by file."""


class _Call(NamedTuple):
    """A call, the file that it is in, and the function around it."""

    file: str
    node: ast.Call
    within: ast.FunctionDef | None

    @property
    def name(self) -> str:
        """What is called."""
        called = self.node.func
        return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""

    def says(self, keyword: str) -> bool:
        """Whether it gives the recorder this keyword: events for one merchant are made whole before."""
        return self.name == "NewEvent" or any(given.arg == keyword for given in self.node.keywords)


def recorded_types(*, for_merchants: bool = False) -> set[str]:
    """All of them, or those of which merchants are told."""
    calls = [call for path in sorted(_SOURCES.rglob("*.py")) for call in _calls_in(path)]
    named: dict[str, list[_Call]] = defaultdict(list)
    for call in calls:
        named[call.name].append(call)
    return {
        found
        for call in (*named["record"], *named["NewEvent"])
        if call.says("merchants" if for_merchants else "actor")
        for found in _values(call.node.args[0], call, named)
    }


def _calls_in(path: Path) -> Iterator[_Call]:
    file = path.relative_to(_SOURCES).as_posix()

    def visit(node: ast.AST, within: ast.FunctionDef | None) -> Iterator[_Call]:
        if isinstance(node, ast.Call):
            yield _Call(file, node, within)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, node if isinstance(node, ast.FunctionDef) else within)

    return visit(ast.parse(path.read_text(encoding="utf-8")), None)


def _values(node: ast.expr, where: _Call, named: dict[str, list[_Call]]) -> Iterator[str]:
    """What an expression can be. A parameter is what the function's callers give."""
    known = _VALUES.get((where.file, ast.unparse(node)))
    match node:
        case _ if known is not None:
            yield from known
        case ast.Constant(value=str(value)):
            yield value
        case ast.IfExp(body=one, orelse=other):
            yield from (*_values(one, where, named), *_values(other, where, named))
        case ast.FormattedValue(value=value):
            yield from _values(value, where, named)
        case ast.JoinedStr(values=parts):
            yield from map("".join, itertools.product(*(list(_values(part, where, named)) for part in parts)))
        case ast.Name(id=name) if where.within is not None and name in _parameters(where.within):
            yield from _given(name, where.within, where.file, named)
        case _:
            raise AssertionError(f"say in _VALUES what {ast.unparse(node)} can be in clearing/{where.file}")


def _given(name: str, function: ast.FunctionDef, file: str, named: dict[str, list[_Call]]) -> Iterator[str]:
    place = _parameters(function).index(name)
    for call in named[function.name]:
        if call.file == file or not function.name.startswith("_"):
            by_name = [keyword.value for keyword in call.node.keywords if keyword.arg == name]
            yield from _values(by_name[0] if by_name else call.node.args[place], call, named)


def _parameters(function: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    return names[1:] if names[:1] == ["self"] else names
