"""A person's own affairs. The client's credential is the token of the person's session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import given
from tongdui._models import Model, Profile, RecoveryCodes, SecondFactor, Session, Totp
from tongdui._resource import Resource

_PATH = "/v1/profile"

ModelT = TypeVar("ModelT", bound=Model)


class _ProfileInfo(Resource):
    @operation
    def get(self) -> Flow[Profile]:
        """Fetch who you are."""
        return (yield from self._gateway.get(Profile, _PATH))

    @operation
    def change(self, *, name: str | None = None, language: str | None = None) -> Flow[Profile]:
        """Change how you are called, or the language of your mails and pages.

        Args:
            name: Your name; None leaves it as it is.
            language: zh or en; None leaves it as it is.

        Returns:
            The changed profile.
        """
        response = yield from self._gateway.send("PATCH", _PATH, json=given(name=name, language=language))
        return self._gateway.parse(Profile, response)

    @operation
    def change_password(self, *, password: str, new_password: str) -> Flow[Session]:
        """Take another password. All your sessions end.

        Args:
            password: The one that you have.
            new_password: The one that you want.

        Returns:
            A new session, with its `token`.

        Raises:
            UnprocessableError: `wrong_password`, or `weak_password`.
        """
        return (yield from self._post(Session, "/password", {"password": password, "new_password": new_password}))

    @operation
    def begin_totp(self, *, password: str | None = None) -> Flow[Totp]:
        """Get a secret for an app of one-time codes. It counts once you have confirmed it.

        Args:
            password: Your password, if you have one.

        Returns:
            The secret, with a QR code. It is shown only this once.
        """
        return (yield from self._post(Totp, "/totp", given(password=password)))

    @operation
    def confirm_totp(self, *, one_time_code: str) -> Flow[SecondFactor]:
        """Show the first code of your app. From now on you need one to sign in.

        Args:
            one_time_code: What the app shows now.

        Returns:
            Your recovery codes, and a new session with its `token`: all others have ended.
        """
        return (yield from self._post(SecondFactor, "/totp/confirm", {"one_time_code": one_time_code}))

    @operation
    def remove_totp(self, *, password: str | None = None) -> Flow[Profile]:
        """Forget your app and your recovery codes. Give your password, if you have one."""
        return (yield from self._post(Profile, "/totp/remove", given(password=password)))

    @operation
    def renew_recovery_codes(self, *, password: str | None = None) -> Flow[RecoveryCodes]:
        """Get ten recovery codes in the place of the old ones. Give your password, if you have one."""
        return (yield from self._post(RecoveryCodes, "/recovery_codes", given(password=password)))

    def _post(self, model: type[ModelT], path: str, body: Mapping[str, Any]) -> Flow[ModelT]:
        return self._gateway.parse(model, (yield from self._gateway.send("POST", f"{_PATH}{path}", json=body)))


class ProfileInfo(Blocking, _ProfileInfo):
    """The person who is signed in: name, language, password, second factor."""


class AsyncProfileInfo(Awaiting, _ProfileInfo):
    """The person who is signed in: name, language, password, second factor. Its methods are awaited."""
