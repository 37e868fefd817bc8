"""How sales and returns are kept as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from loyalty.kit.database import Written, json_text
from loyalty.sales import types

_SALE: TypeAdapter[types.Sale] = TypeAdapter(types.Sale)
_RETURN: TypeAdapter[types.Return] = TypeAdapter(types.Return)


def kept_sale(sale: types.Sale) -> dict[str, Any]:
    """A sale as it is kept."""
    found: dict[str, Any] = _SALE.dump_python(sale, mode="json")
    return found


def sale_of(content: dict[str, Any] | Written) -> types.Sale:
    """The sale that is kept so, or as this JSON."""
    return _SALE.validate_json(json_text(content))


def kept_return(returned: types.Return) -> dict[str, Any]:
    """A return as it is kept."""
    found: dict[str, Any] = _RETURN.dump_python(returned, mode="json")
    return found


def return_of(content: dict[str, Any] | Written) -> types.Return:
    """The return that is kept so, or as this JSON."""
    return _RETURN.validate_json(json_text(content))
