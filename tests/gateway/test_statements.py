"""Statements as a merchant meets them over HTTP."""

from __future__ import annotations

from clearing.oversight.statements.models import Statement
from tests.gateway.site import Party, Site


def test_only_its_merchant_sees_a_statement(site: Site, fuel: Party, cine: Party) -> None:
    line = {"kind": "issue", "of": None, "program": 1, "agreement": 0, "count": 1, "points": 5, "out": 0}
    line |= dict.fromkeys(("received", "paid", "fees_paid", "fees_received"), 0)
    with site.database.session.begin() as session:
        statement = Statement(
            id=f"stm_{fuel.number}",
            merchant_number=fuel.number,
            day=20_000,
            opening=-5,
            closing=-5,
            deposited=0,
            withdrawn=0,
            lines=[line],
            last_block=1,
            last_hash=bytes(32),
        )
        session.add(statement)
    (shown,) = fuel.get("/v1/statements")["data"]
    assert (shown["day"], shown["closing_micros"], shown["lines"][0]["points"]) == ("2024-10-04", -5, 5)
    assert fuel.get(f"/v1/statements/{shown['id']}") == shown
    assert cine.get("/v1/statements")["data"] == []
    assert site.call("GET", f"/v1/statements/{shown['id']}", caller=cine.id).status_code == 404
