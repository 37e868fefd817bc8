"""Takes a merchant on board, waits for the chain, and prints what the merchant needs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.passwords import Purpose
from clearing.oversight.onboarding.request import OnboardingRequest
from clearing.oversight.onboarding.service import OnboardingService, Step
from clearing.parties.access.service import Scope
from clearing.parties.merchants.models import Merchant
from clearing.runtime.actions.handover import Handover
from clearing.runtime.actions.new_key import address_in
from clearing.runtime.actions.terminal import actor
from clearing.runtime.preflight.database import open_database
from clearing.runtime.preflight.keys import require_managed_keys
from clearing.runtime.preflight.node import check_contract, open_node
from clearing.runtime.preflight.refusal import CannotRun
from clearing.runtime.preflight.sealed import check_opens
from tongdui import yuan

T = TypeVar("T")

DEVELOPMENT_CHAIN = 31_337
"""The id of chains that exist on one machine. Elsewhere a deposit is money that has arrived at a bank."""

_OPTIONS = {
    "name": "NAME",
    "signer_address": "--signer",
    "credit_limit": "--credit-limit",
    "program": "--program",
    "program_name": "--program-name",
    "lifetime_days": "--lifetime-days",
    "deposit": "--deposit",
    "scopes": "--scopes",
}
_LOOK_EVERY = 0.1
_LONGEST_TIMEOUT = 86_400


def add(settings: Settings, chosen: argparse.Namespace) -> int:
    """Registers what is missing and hands over what the merchant needs."""
    check_contract(settings)
    with open_database(settings) as database, open_node(settings):
        _check_choices(settings, chosen)
        onboarding = _Onboarding(database, settings, _request(chosen), chosen.timeout)
        handover = onboarding.run(Handover(settings, url=chosen.url, keystore=chosen.new_key))
        onboarding.finish(handover, as_json=chosen.json)
    return 0


def _check_choices(settings: Settings, chosen: argparse.Namespace) -> None:
    if chosen.deposit is not None and settings.chain_id != DEVELOPMENT_CHAIN:
        raise CannotRun(
            f"--deposit: on chain {settings.chain_id} a deposit is money at the bank; "
            "the treasury books it with POST /v1/deposits, under the bank's reference"
        )
    if chosen.password_file is not None and chosen.new_key is None:
        raise CannotRun("--password-file: is the password of --new-key, which is not there")
    if chosen.url is not None and not chosen.url.startswith(("http://", "https://")):
        raise CannotRun(f"--url: {chosen.url!r} must begin with http:// or https://")
    if not 0 <= chosen.timeout <= _LONGEST_TIMEOUT:
        raise CannotRun(f"--timeout: must be 0 to {_LONGEST_TIMEOUT} seconds")
    if chosen.managed_key:
        require_managed_keys(settings)
        check_opens(settings, Purpose.MANAGED_KEYS)


def _request(chosen: argparse.Namespace) -> OnboardingRequest:
    """What is asked for. A new key is made only when everything else is right."""
    values = {
        "name": chosen.name,
        "signer_address": chosen.signer,
        "credit_limit": _micros("--credit-limit", chosen.credit_limit),
        "program": chosen.program,
        "program_name": chosen.program_name,
        "lifetime_days": chosen.lifetime_days,
        "deposit": _micros("--deposit", chosen.deposit),
        "another_api_key": chosen.new_api_key,
    }
    if chosen.scopes is not None:
        values["scopes"] = _scopes(chosen.scopes)
    try:
        request = OnboardingRequest.model_validate(values)
    except ValidationError as error:
        raise CannotRun("\n".join(_sentence(fault["loc"], fault["msg"]) for fault in error.errors())) from None
    if chosen.new_key is not None:
        address = address_in(chosen.new_key, chosen.password_file).lower()
        return request.model_copy(update={"signer_address": address})
    return request


def _scopes(text: str) -> list[str]:
    scopes = [scope.strip() for scope in text.split(",")]
    for scope in scopes:
        if scope not in set(Scope):
            raise CannotRun(f"--scopes: {scope!r} is no scope; the scopes are {', '.join(Scope)}")
    return scopes


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    option = _OPTIONS.get(str(place[0]), str(place[0])) if place else "--program"
    return f"{option}: {message.removeprefix('Value error, ')}"


def _micros(option: str, amount: str | None) -> int | None:
    try:
        return None if amount is None else yuan(amount)
    except ValueError as error:
        raise CannotRun(f"{option}: {error}") from None


class _Onboarding:
    """One run: every step is stored, and confirmed by the chain, before the next one begins."""

    def __init__(self, database: Database, settings: Settings, request: OnboardingRequest, timeout: float) -> None:
        self._database = database
        self._keyring = Keyrings.of(settings).managed_keys
        self._request = request
        self._timeout = timeout

    def run(self, handover: Handover) -> Handover:
        """Everything but the API key."""
        merchant = self._stored(OnboardingService.merchant)
        handover.found("merchant", merchant)
        self._await(f"merchant {merchant.part.id}", lambda service: service.is_registered(merchant.part.number))
        if self._request.program is not None:
            program = self._stored(lambda service: service.program(merchant.part))
            handover.found("program", program)
            self._await(f"program {program.part.code}", lambda service: service.is_running(program.part.number))
        if self._request.deposit is not None:
            deposit = self._stored(lambda service: service.deposit(merchant.part))
            handover.found("deposit", deposit)
            self._await(f"deposit {deposit.part.id}", lambda service: service.is_posted(deposit.part.id))
        return handover

    def finish(self, handover: Handover, *, as_json: bool) -> None:
        """Makes the API key and hands everything over."""
        merchant: Merchant = handover.merchant
        with self._database.session.begin() as session:
            service = self._service(session)
            handover.api_key, handover.token = service.api_key(merchant)
            handover.signer = service.signer(merchant)
            handover.credit_limit = service.position(merchant).credit_limit
            handover.write(as_json=as_json)
            sys.stdout.flush()  # before the commit: a stored key is a known key

    def _stored(self, step: Callable[[OnboardingService], Step[T]]) -> Step[T]:
        with self._database.session.begin() as session:
            return step(self._service(session))

    def _await(self, what: str, is_confirmed: Callable[[OnboardingService], bool]) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            with self._database.reading() as session:
                if is_confirmed(self._service(session)):
                    return
            if time.monotonic() >= deadline:
                raise CannotRun(
                    f"the chain has not confirmed {what} within {self._timeout:g} s; do signer and projector run? "
                    "`clearing queue` shows what waits. Then run the same command again: it goes on from here"
                )
            time.sleep(_LOOK_EVERY)

    def _service(self, session: Session) -> OnboardingService:
        return OnboardingService(session, keyring=self._keyring, request=self._request, actor=actor())
