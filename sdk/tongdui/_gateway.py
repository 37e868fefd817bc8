"""The gateway as both clients see it: building requests, reading responses, waiting for a final state.

Nothing here performs input or output; `_flow` says who does.
"""

from __future__ import annotations

import math
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
import pydantic

from ._delivery import LONGEST_BACKOFF, deliver
from ._dry_run import DryRun
from ._errors import APIError
from ._flow import Flow, Param, Pause, Request
from ._models import Model
from ._signing import Signer
from ._unkeyed import advice_of, takes_key

ResponseT = TypeVar("ResponseT", bound=pydantic.BaseModel)
ModelT = TypeVar("ModelT", bound=Model)

LONGEST_WAIT = 30
"""The most seconds that the gateway waits for a `Prefer: wait=N`. A longer wait polls."""

_LONGEST_KEY = 255
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


class Identified(Protocol):
    """Anything with an id: a merchant, a program, an agreement, a movement."""

    @property
    def id(self) -> str:
        """The resource's id, such as `mer_...`."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """A client's configuration. The documentation of `Client` explains each member."""

    base_url: str
    api_key: str | None
    signer: Signer | None = None
    merchant: str | None = None
    contract: str | None = None
    chain_id: int | None = None
    rpc_url: str | None = None
    timeout: float = 30.0
    max_retries: int = 4
    longest_backoff: float = LONGEST_BACKOFF
    deadline_seconds: int = 600
    nonce_block: int = 20

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url {self.base_url!r} must begin with http:// or https://")
        if self.api_key and not is_visible_ascii(self.api_key):
            raise ValueError("api_key has characters that no API key has, such as a space or a line break")


@dataclass(slots=True)
class Gateway:
    """Builds requests, sends them until they are answered, and parses the responses."""

    options: Options
    now: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Param] | None = None,
        json: object = None,
        content: bytes | None = None,
        key: str | None = None,
        wait: float | None = None,
        minimal: bool = False,
        accept: Collection[int] = (),
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Flow[httpx.Response]:
        """Send a request, more than once if need be.

        Args:
            method: The HTTP method.
            path: The path below the gateway's base URL.
            params: The query.
            json: The body.
            content: JSON that is sent as it is, in the place of `json`.
            key: The Idempotency-Key of a mutation, the same on every attempt. A random one by default. A route that takes none
                gets none, and its requests are sent once, unless they do no harm when they come again (`_unkeyed`).
            wait: Seconds that the gateway may wait for a final state before it answers.
            minimal: Ask for an answer without details.
            accept: Statuses to return like a success.
            media_type: The form in which the resource is wanted.
            headers: More headers, or others in the place of the usual ones.

        Returns:
            A successful response, or one whose status is in `accept`.

        Raises:
            ValueError: There is a key, and the route takes none.
            APIError: The gateway refused the request.
            APIConnectionError: No answer came; `OutcomeUnknownError` for what is sent only once.
        """
        own = {**self.headers(media_type), **(headers or {})}
        if content is not None:
            own["Content-Type"] = "application/json"
        if takes_key(method, path):
            own["Idempotency-Key"] = checked_key(key) if key is not None else new_key()
        elif key is not None:
            raise ValueError(
                f"{method} {path} takes no Idempotency-Key: a second request with it would not be recognised"
            )
        patience = min(LONGEST_WAIT, math.ceil(wait)) if wait and wait > 0 else 0
        preferences = [f"wait={patience}"] if patience else []
        preferences += ["return=minimal"] if minimal else []
        if preferences:
            own["Prefer"] = ", ".join(preferences)
        request = Request(method, path, params or {}, json, own, self.options.timeout + patience, content)
        advice = advice_of(method, path)
        response = yield from deliver(
            request,
            self.options.max_retries,
            longest_backoff=self.options.longest_backoff,
            accept=accept,
            advice=advice,
            jitter=self.jitter,
        )
        return response

    def headers(self, media_type: str) -> dict[str, str]:
        """Make the headers that every request has, for an answer in this form."""
        headers = {"Accept": media_type, "User-Agent": USER_AGENT}
        if self.options.api_key:
            headers["Authorization"] = f"Bearer {self.options.api_key}"
        return headers

    def parse(self, model: type[ResponseT], response: httpx.Response) -> ResponseT:
        """Parse a response.

        Args:
            model: What the response should be.
            response: A response with a JSON body.

        Returns:
            The model.

        Raises:
            APIError: The response is something else (`unexpected_response`).
        """
        try:
            return model.model_validate_json(response.content)
        except pydantic.ValidationError as error:
            raise APIError(
                status=response.status_code,
                code="unexpected_response",
                detail=f"the answer is not a valid {model.__name__}: {error.errors(include_url=False)[:3]}",
                request_id=response.headers.get("Request-Id"),
            ) from error

    def get(self, model: type[ResponseT], path: str, *, expand: Collection[str] = ()) -> Flow[ResponseT]:
        """GET the resource at `path`, with what `expand` names in `expanded`. Raises what `send` and `parse` raise."""
        response = yield from self.send("GET", path, params=expanding(expand))
        return self.parse(model, response)

    def post(
        self,
        model: type[ModelT],
        path: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
        wait: float | None = None,
        minimal: bool = False,
        poll: str | None = None,
        collection: str | None = None,
    ) -> Flow[ModelT]:
        """POST, and wait for a final state if asked to.

        Args:
            model: What the response is.
            path: Where to post.
            body: The JSON body.
            key: The Idempotency-Key. A random one by default.
            wait: Seconds to wait until the resource is final.
            minimal: Ask for an answer without details.
            poll: The path to poll while waiting. By default the resource's id in `collection`.
            collection: The path of the resource's collection. By default `path`.

        Returns:
            The resource: final, or as it was when the time was up.

        Raises:
            APIError: The gateway refused the request.
            APIConnectionError: No answer came.
        """
        until = self.now() + (wait or 0)
        response = yield from self.send("POST", path, json=body, key=key, wait=wait, minimal=minimal)
        resource = self.parse(model, response)
        if resource.is_final or not wait:
            return resource
        polled = poll or f"{collection or path}/{segment(getattr(resource, 'id', ''))}"
        return (yield from self.follow(resource, polled, until))

    def dry_run(self, model: type[ModelT], path: str, body: Mapping[str, Any]) -> Flow[DryRun[ModelT]]:
        """POST as a dry run: the gateway checks everything and does nothing. Raises what `send` and `parse` raise."""
        response = yield from self.send("POST", path, params={"dry_run": "true"}, json=body)
        return self.parse(DryRun[model], response)  # type: ignore[valid-type]

    def follow(self, resource: ModelT, path: str, until: float) -> Flow[ModelT]:
        """Poll a resource until it is final or time is up.

        Args:
            resource: The resource as it is known.
            path: Where to fetch it.
            until: When to give up, by the clock `now`.

        Returns:
            The resource as it was seen last.
        """
        pause = 0.1
        while not resource.is_final and (left := until - self.now()) > 0:
            yield Pause(min(pause, left))
            pause = min(pause * 1.5, 1.0)
            resource = yield from self.get(type(resource), path)
        return resource


def expanding(fields: Collection[str]) -> dict[str, Param]:
    """Query parameters that ask for whole resources beside the ids in these fields."""
    if isinstance(fields, str):
        raise TypeError(f'expand takes a list of fields: ["{fields}"]')
    return {"expand[]": list(fields)} if fields else {}


def new_key() -> str:
    """Make a fresh Idempotency-Key."""
    return str(uuid.uuid4())


def checked_key(key: str) -> str:
    """Check that a key fits into the Idempotency-Key header.

    Args:
        key: Any text.

    Returns:
        The key.

    Raises:
        ValueError: It is not 1 to 255 visible ASCII characters.
    """
    if len(key) > _LONGEST_KEY or not is_visible_ascii(key):
        raise ValueError(f"an idempotency key is 1 to {_LONGEST_KEY} visible ASCII characters, not {key!r}")
    return key


def is_visible_ascii(text: str) -> bool:
    """Whether an HTTP header can carry the text: at least one character, all of them visible ASCII."""
    return _VISIBLE_ASCII.fullmatch(text) is not None


def segment(name: str) -> str:
    """Quote an id, whatever characters it has, as one segment of a path. Raises ValueError for an empty one."""
    if not name:
        raise ValueError("an id is empty")
    quoted = quote(name, safe=":")
    return (
        quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted
    )  # or they would mean this or the parent folder


def name_of(thing: str | Identified) -> str:
    """The id of a resource, or the id itself."""
    return thing if isinstance(thing, str) else thing.id


def optional_name_of(thing: str | Identified | None) -> str | None:
    """The id of a resource, or None for None."""
    return None if thing is None else name_of(thing)


def given(**members: Any) -> dict[str, Any]:
    """Collect those members of a request body that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def _version() -> str:
    try:
        return version("tongdui")
    except PackageNotFoundError:
        return "0"


USER_AGENT = f"tongdui-python/{_version()}"
