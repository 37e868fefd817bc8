"""The auditor's signature: over the report's JSON, which names the SHA-256 of its pages and tables. Anyone can check it.

The signed text is short and readable, and signed as wallets sign text (EIP-191), so any wallet or hardware module can sign it and
`cast wallet verify` can check it without this kit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..._errors import SigningError
from ..._signing import LocalSigner, compact
from ...encoding import bytes_of, hex_of, keccak256
from ...orders import recover_signer
from ..findings import CannotCheck
from .document import FORMAT
from .files import canonical_json

SIGNATURE_FORMAT = "tongdui-audit-signature/1"
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_FIELDS = ("format", "message", "sha256", "signature", "signer")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about a report or its signature that is not as it was signed."""

    what: str
    """`report`, `signature`, `signer`, or the name of a file."""
    sentence: str


def sign(report: bytes, keystore: Path, password: str) -> bytes:
    """Sign a report.

    Args:
        report: The report's JSON.
        keystore: The auditor's key, as `tongdui key new`, geth and others keep it (V3).
        password: Its password.

    Returns:
        The signature document, as JSON in UTF-8. The same report and key give the same bytes.

    Raises:
        CannotCheck: The report is none of this kit's, or the keystore does not open; the message says why.
    """
    message = message_of(report)
    try:
        signer = LocalSigner.from_keystore(keystore, password)
    except SigningError as error:
        raise CannotCheck(str(error)) from error
    except OSError as error:
        raise CannotCheck(f"{keystore} cannot be read: {error.strerror}") from error
    document = {
        "format": SIGNATURE_FORMAT,
        "message": message,
        "sha256": sha256(report).hexdigest(),
        "signature": hex_of(_long(signer.sign(_digest(message)))),
        "signer": signer.address,
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def message_of(report: bytes) -> str:
    """The text that the auditor signs for a report.

    Raises:
        CannotCheck: This is no report of this kit.
    """
    document = _parsed(report)
    try:
        scope = document["scope"]
        chain, contract = scope["chain_id"], scope["contract"]
        first, last = scope["first"]["number"], scope["last"]["number"]
        findings = len(document["findings"])
    except (KeyError, TypeError) as error:
        raise CannotCheck(f"the report lacks {error}: it was not written by `tongdui audit run --json`") from error
    return (
        "Tongdui audit report\n"
        f"chain: {chain}\ncontract: {contract}\nblocks: {first} to {last}\nfindings: {findings}\n"
        f"SHA-256: {sha256(report).hexdigest()}"
    )


def files_named(report: bytes) -> dict[str, str]:
    """The names of the report's files with their SHA-256. Raises CannotCheck for what is no report of this kit."""
    return {name: str(digest) for name, digest in _parsed(report)["files"].items()}


def verify(signature: bytes, report: bytes, files: Mapping[str, bytes], signer: str) -> list[Doubt]:
    """Check a report, its files and its signature.

    Args:
        signature: The signature document.
        report: The report's JSON.
        files: The files that one has, by the names in the report (`report.html`, `csv/days.csv` ...). Those that one does not have
            are not missed.
        signer: The auditor's address, from somebody whom one trusts.

    Returns:
        What is not as it was signed; nothing, if all is.

    Raises:
        CannotCheck: The signer is no address, or the report is no report of this kit.
    """
    if not _ADDRESS.fullmatch(signer):
        raise CannotCheck(f"{signer!r} is no address; write the auditor's as 0x and 40 digits")
    document = _parsed(report)
    return [
        *_signature_doubts(signature, report, signer),
        *_form_doubts(document, report),
        *_file_doubts(document, files),
    ]


def _signature_doubts(signature: bytes, report: bytes, signer: str) -> Iterator[Doubt]:
    try:
        fields = json.loads(signature)
        assert isinstance(fields, dict)
        missing = [name for name in _FIELDS if not isinstance(fields.get(name), str)]
    except (ValueError, AssertionError):
        yield Doubt("signature", "the signature document is not JSON of `tongdui audit run --sign`")
        return
    if missing or fields["format"] != SIGNATURE_FORMAT:
        lacks = f"it lacks {', '.join(missing)}" if missing else f"its format is {fields['format']}"
        yield Doubt("signature", f"the signature document is not one of this kit: {lacks}")
        return
    found = sha256(report).hexdigest()
    if fields["sha256"] != found:
        yield Doubt(
            "report",
            f"the report is not the one that was signed: its SHA-256 is {found}, signed was {fields['sha256']}",
        )
    elif fields["message"] != message_of(report):
        yield Doubt(
            "signature",
            "the signed text says something else than the report: chain, contract, blocks or findings differ",
        )
    yield from _signer_doubts(fields["message"], fields["signature"], fields["signer"], signer)


def _signer_doubts(message: str, signature: str, claimed: str, signer: str) -> Iterator[Doubt]:
    try:
        raw = bytes_of(signature)
        short = compact(raw)
    except ValueError as error:
        yield Doubt("signature", f"the signature is malformed: {error}")
        return
    if len(raw) != 65 or int.from_bytes(raw[32:64]) > _HALF_ORDER:
        yield Doubt("signature", "the signature is not in its one form: 65 bytes, with an s in the lower half")
        return
    try:
        found = recover_signer(_digest(message), short)
    except ValueError:
        yield Doubt("signature", "no key can have made this signature")
        return
    if found.lower() != claimed.lower():
        yield Doubt(
            "signature", f"the document names {claimed}, but {found} made the signature: one of the two was changed"
        )
    if found.lower() != signer.lower():
        yield Doubt("signer", f"{found} signed this text, not {signer}")


def _form_doubts(document: Mapping[str, Any], report: bytes) -> Iterator[Doubt]:
    if canonical_json(document) != report:
        yield Doubt("report", "the report is not in its canonical form: somebody has written it again")


def _file_doubts(document: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Doubt]:
    named = document["files"]
    for name, content in sorted(files.items()):
        if name not in named:
            yield Doubt(name, f"{name} is no file of this report")
        elif sha256(content).hexdigest() != named[name]:
            yield Doubt(
                name,
                f"{name} is not the one of this report: its SHA-256 is {sha256(content).hexdigest()}, not {named[name]}",
            )


def _parsed(report: bytes) -> dict[str, Any]:
    try:
        document = json.loads(report, parse_float=str)
    except ValueError as error:
        raise CannotCheck(
            "the report is not JSON; give the file that `tongdui audit run --json` has written"
        ) from error
    if (
        not isinstance(document, dict)
        or document.get("format") != FORMAT
        or not isinstance(document.get("files"), dict)
    ):
        raise CannotCheck(
            f"this JSON is no report of this kit (format {FORMAT}); give the file of `tongdui audit run --json`"
        )
    return document


def _digest(message: str) -> bytes:
    """What is signed of a text: with the prefix of EIP-191, so that it can be no transaction and no order."""
    raw = message.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode() + raw)


def _long(signature: bytes) -> bytes:
    """A compact signature as wallets show it: r, s and v."""
    parity, s = signature[32] >> 7, bytes([signature[32] & 0x7F]) + signature[33:]
    return signature[:32] + s + bytes([27 + parity])
