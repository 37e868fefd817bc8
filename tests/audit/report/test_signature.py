"""The auditor's signature: anyone checks it, wallets know its form, and each tampering is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keyfile.keyfile import create_keyfile_json

from tests.audit.report.sample import FINDINGS, report
from tests.audit.report.story import year
from tongdui.audit.findings import CannotCheck
from tongdui.audit.report.files import csv_files, report_json
from tongdui.audit.report.signature import Doubt, sign, verify
from tongdui.encoding import bytes_of, hex_of
from tongdui.orders import address_of_key

KEY = bytes.fromhex("11" * 32)
SIGNER = address_of_key(KEY)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return csv_files(report(year(days=10), findings=FINDINGS))


@pytest.fixture(scope="module")
def signed(files: dict[str, bytes]) -> bytes:
    return report_json(report(year(days=10), findings=FINDINGS), files)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("auditor") / "key.json"
    path.write_text(json.dumps(create_keyfile_json(KEY, b"secret", iterations=2)))
    return path


@pytest.fixture(scope="module")
def signature(signed: bytes, keystore: Path) -> bytes:
    return sign(signed, keystore, "secret")


def test_what_was_signed_is_verified(signed: bytes, files: dict[str, bytes], signature: bytes, keystore: Path) -> None:
    assert verify(signature, signed, files, SIGNER) == []
    assert verify(signature, signed, {}, SIGNER.lower()) == []
    assert sign(signed, keystore, "secret") == signature


def test_wallets_know_the_form(signature: bytes) -> None:
    document = json.loads(signature)
    message = encode_defunct(text=document["message"])
    assert Account.recover_message(message, signature=document["signature"]) == SIGNER
    assert document["message"].startswith("Tongdui audit report\nchain: 31337\ncontract: 0x")
    assert "\nblocks: 1 to 64\nfindings: 3\nSHA-256: " in document["message"]


def with_field(document: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(document), **fields}).encode()


def doubts(found: list[Doubt]) -> list[tuple[str, str]]:
    return [(doubt.what, doubt.sentence) for doubt in found]


def test_a_changed_report_is_named(signed: bytes, signature: bytes) -> None:
    changed = signed.replace(b'"merchant 2 (', b'"merchant 3 (').replace(b"12,900 points", b"12,300 points")
    assert changed != signed
    ((what, sentence),) = doubts(verify(signature, changed, {}, SIGNER))
    assert what == "report"
    assert sentence.startswith("the report is not the one that was signed: its SHA-256 is ")


def test_a_report_that_was_written_again_is_named(signed: bytes, signature: bytes) -> None:
    pretty = json.dumps(json.loads(signed), indent=2).encode()
    assert [doubt.what for doubt in verify(signature, pretty, {}, SIGNER)] == ["report", "report"]
    assert verify(signature, pretty, {}, SIGNER)[1].sentence.startswith("the report is not in its canonical form")


def test_changed_and_strange_files_are_named(signed: bytes, files: dict[str, bytes], signature: bytes) -> None:
    changed = {**files, "csv/days.csv": files["csv/days.csv"] + b"x", "csv/more.csv": b""}
    del changed["csv/keys.csv"]
    found = doubts(verify(signature, signed, changed, SIGNER))
    assert [what for what, _ in found] == ["csv/keys.csv", "csv/days.csv", "csv/more.csv"]
    assert found[0][1] == "csv/keys.csv is missing beside the other tables"
    assert found[1][1].startswith("csv/days.csv is not the one of this report: its SHA-256 is ")
    assert found[2][1] == "csv/more.csv is no file of this report"


def test_another_signer_is_named(signed: bytes, signature: bytes) -> None:
    other = address_of_key(bytes.fromhex("22" * 32))
    assert doubts(verify(signature, signed, {}, other)) == [("signer", f"{SIGNER} signed this text, not {other}")]
    (name,) = verify(with_field(signature, signer=other), signed, {}, SIGNER)
    assert name.sentence.startswith(f"the document names {other}, but {SIGNER} made the signature")


def test_a_changed_text_is_named(signed: bytes, signature: bytes) -> None:
    text = json.loads(signature)["message"].replace("findings: 3", "findings: 0")
    found = verify(with_field(signature, message=text), signed, {}, SIGNER)
    assert "says something else than the report" in found[0].sentence
    assert found[-1].what == "signer"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw[:-1], "the signature is not in its one form"),
        (lambda raw: raw[:40], "the signature is malformed: a signature has 64 or 65 bytes, not 40"),
        (
            lambda raw: raw[:32] + (ORDER - int.from_bytes(raw[32:64])).to_bytes(32) + bytes([55 - raw[64]]),
            "lower half",
        ),
        (lambda raw: bytes(32) + raw[32:], "no key can have made this signature"),
    ],
)
def test_a_bad_signature_is_named(signed: bytes, signature: bytes, change: object, sentence: str) -> None:
    raw = change(bytes_of(json.loads(signature)["signature"]))  # type: ignore[operator]
    (doubt,) = verify(with_field(signature, signature=hex_of(raw)), signed, {}, SIGNER)
    assert doubt.what == "signature"
    assert sentence in doubt.sentence


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"not json", "the signature document is not JSON"),
        (b"[]", "the signature document is not JSON"),
        (b'{"format": "tongdui-audit-signature/1"}', "it lacks message, sha256, signature, signer"),
    ],
)
def test_what_is_no_signature_document_is_named(signed: bytes, document: bytes, sentence: str) -> None:
    (doubt,) = verify(document, signed, {}, SIGNER)
    assert sentence in doubt.sentence


def test_bad_input_is_refused_in_words(signed: bytes, signature: bytes, keystore: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="wrong password"):
        sign(signed, keystore, "other")
    with pytest.raises(CannotCheck, match=r"key\.json cannot be read"):
        sign(signed, tmp_path / "key.json", "secret")
    with pytest.raises(CannotCheck, match="is no address"):
        verify(signature, signed, {}, "0x12")
    with pytest.raises(CannotCheck, match="the report is not JSON"):
        verify(signature, b"<html>", {}, SIGNER)
    with pytest.raises(CannotCheck, match="no report of this kit"):
        sign(b'{"format": "other"}', keystore, "secret")
    with pytest.raises(CannotCheck, match="the report lacks 'scope'"):
        sign(b'{"format": "tongdui-audit-report/1", "files": {}}', keystore, "secret")
