"""A real server for mails (SMTP), with and without encryption; and certificates made for it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clearing.runtime.embedded.ports import free_port

USER, SECRET = "tongdui", "smtp-secret"


class Postbox:
    """What an SMTP server has taken, and what it is to answer."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.encrypted: list[bool] = []
        """Of each login: whether nobody between could read it."""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        answer = self.answers.pop(0) if self.answers else "250 taken"
        if answer.startswith("250"):
            message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
        return answer

    def authenticate(self, server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return AuthResult(success=data.password == SECRET.encode(), handled=False)


class Certificate:
    """A certificate for a host, which vouches for itself: whoever trusts the file trusts the server."""

    def __init__(self, directory: Path, host: str) -> None:
        self.path = directory / f"{host}.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))

    @property
    def context(self) -> ssl.SSLContext:
        """What a server shows it with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


class MailServer:
    """A server that asks for a login. `tls`: none, starttls (it asks for encryption first), tls (it begins with it)."""

    def __init__(self, *, tls: str = "none", certificate: Certificate | None = None) -> None:
        self.box = Postbox()
        self.port = free_port()  # it cannot tell which one it has taken by itself
        options: Mapping[str, Any] = {}
        if certificate is not None:
            options = {
                "starttls": {"tls_context": certificate.context, "require_starttls": True},
                "tls": {"ssl_context": certificate.context},
            }[tls]
        self._controller = Controller(
            self.box,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self.box.authenticate,
            auth_require_tls=False,
            auth_required=True,
            **options,
        )
        self._controller.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops it."""
        self._controller.stop()
