"""The registry of kinds: names are unique, and everything that follows from them is there, in the gateway and in the SDK."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pytest

import tongdui
from clearing.ordering.orders import limits
from clearing.ordering.orders.kinds import KINDS, is_movement_id, kind_labelled, kind_of
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.requests import InstructionRequest
from gateway.app import create_app
from gateway.http.auth import RULES
from tests.support.harness import Harness
from tongdui._kinds import KINDS as OFFERED_BY_SDK
from tongdui.orders import Kind

SHARED = {"member", "points", "reference"}
"""What the SDK and the gateway call alike in every kind. The SDK makes `ref` itself."""


def label(kind: InstructionKind[InstructionRequest]) -> str:
    return kind.label


@pytest.mark.parametrize("names", ["kind", "noun", "collection", "id_prefix", "label", "request"])
def test_no_two_kinds_share_a_name(names: str) -> None:
    assert len({getattr(kind, names) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=label)
def test_a_kind_is_found_by_each_of_its_names(kind: InstructionKind[InstructionRequest]) -> None:
    assert kind_of(kind.kind) is kind_labelled(kind.label) is kind
    assert kind.request.kind is kind.kind
    assert is_movement_id(f"{kind.id_prefix}_01k")
    named = {kind.program_field} if kind.program_field is not None else set()
    assert named | kind.not_captured <= {field.name for field in fields(kind.request)}


@pytest.mark.parametrize("kind", KINDS, ids=label)
def test_a_kind_has_its_routes_and_their_rules(kind: InstructionKind[InstructionRequest], chainless: Harness) -> None:
    paths = create_app(chainless.settings, chainless.database).openapi()["paths"]
    path = f"/v1/{kind.collection}"
    assert {"post", "get"} == set(paths[path])
    assert {"get"} == set(paths[f"{path}/{{movement}}"])
    assert RULES["POST", path].scopes == {kind.scope}


@pytest.mark.parametrize("kind", KINDS, ids=label)
def test_a_transaction_can_hold_one_of_each_kind(kind: InstructionKind[InstructionRequest]) -> None:
    load = limits.Load(merchant=1, nonce=0, touches=Counter({(kind.kind, 1, 1): 1}))
    assert limits.fits_alone(load, 15_000_000, 126_000)


def test_a_kind_that_nobody_offers_yet_is_unknown() -> None:
    for unknown in set(Kind) - {kind.kind for kind in KINDS}:
        with pytest.raises(LookupError):
            kind_of(unknown)


def test_the_sdk_calls_the_kinds_and_their_fields_as_the_gateway_does() -> None:
    offered = {kind.kind: kind for kind in KINDS}
    for instruction in OFFERED_BY_SDK:
        kind = offered[instruction.kind]
        assert (instruction.label, instruction.noun, instruction.collection) == (kind.label, kind.noun, kind.collection)
        own = {field.name for field in fields(instruction)}
        assert own == {field.name for field in fields(kind.request)} - {"ref"}
        assert own >= (SHARED if instruction.kind is not Kind.REVERSE else {"points", "reference"})
        assert hasattr(tongdui.Client, kind.collection)
