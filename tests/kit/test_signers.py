"""Keys that are elsewhere: at a Web3Signer (a server of ours, written from its OpenAPI), and in AWS KMS (moto's, over HTTP)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from eth_account import Account
from moto.kms.utils import ECDSAPrivateKey
from moto.server import ThreadedMotoServer

from clearing.chain.transactions import sign_transaction
from clearing.kit.config import Settings
from clearing.kit.errors import Unavailable
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.signing.remote import RemoteSigners, is_reference
from clearing.kit.signing.remote_signer import Rest
from clearing.kit.signing.signer import LocalSigner, Signer, SignerUnavailable
from tests.support.web3signer_server import Web3SignerServer
from tongdui.encoding import keccak256
from tongdui.orders import recover_signer

KEY = secrets.token_bytes(32)
ADDRESS = LocalSigner(KEY).address
ORDER = b"\x19\x01" + bytes(64)


@pytest.fixture
def web3signer() -> Iterator[Web3SignerServer]:
    server = Web3SignerServer([KEY])
    yield server
    server.stop()


def _sign_digest(key: ECDSAPrivateKey, message: bytes, signing_algorithm: str) -> bytes:
    """What moto lacks: `MessageType: DIGEST`. It would hash the digest once more."""
    assert signing_algorithm == "ECDSA_SHA_256"
    signed: bytes = key.private_key.sign(message, ECDSA(Prehashed(SHA256())))
    return signed


@pytest.fixture(scope="module")
def kms_url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ECDSAPrivateKey, "sign", _sign_digest)
        yield from _moto()


def _moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def _key_in_kms(url: str, spec: str = "ECC_SECG_P256K1") -> str:
    client = boto3.client("kms", region_name="eu-central-1", endpoint_url=url)
    made = client.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName=f"alias/{made}", TargetKeyId=made)
    return f"alias/{made}"


def _at_web3signer(url: str, address: str = ADDRESS, **more: object) -> Signer:
    settings = Settings.model_validate({"web3signer_url": url, "signer_timeout": 0.5, **more})
    return RemoteSigners(settings).signer(f"web3signer:{address}")


def _in_kms(url: str, key: str) -> Signer:
    settings = Settings.model_validate({"aws_kms_endpoint": url, "aws_kms_region": "eu-central-1", "signer_timeout": 5})
    return RemoteSigners(settings).signer(f"awskms:{key}")


def _check(signer: Signer) -> None:
    """It signs orders and transactions as a local key would, with the lower s, a hundred times."""
    for number in range(20):
        message = ORDER + bytes([number])
        assert recover_signer(keccak256(message), signer.sign(message)).lower() == signer.address
        for fees in ({"gasPrice": 0}, {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 1}):
            raw = sign_transaction(
                signer, chain_id=31_337, nonce=number, to=ADDRESS, data=message, gas=10**6, fees=fees
            ).raw
            assert Account.recover_transaction(raw).lower() == signer.address


def test_a_web3signer_signs_like_a_local_key_and_never_gets_a_digest(web3signer: Web3SignerServer) -> None:
    signer = _at_web3signer(web3signer.url)
    _check(signer)
    assert signer.sign(ORDER) == LocalSigner(KEY).sign(ORDER), "both choose the nonce as RFC 6979 says"
    assert web3signer.asked[-1] == "0x" + ORDER.hex()
    web3signer.fault = "high"
    _check(signer)


def test_kms_signs_like_a_local_key(kms_url: str) -> None:
    _check(_in_kms(kms_url, _key_in_kms(kms_url)))


def test_a_web3signer_without_the_key_or_with_another_one_is_never_believed(web3signer: Web3SignerServer) -> None:
    with pytest.raises(SignerUnavailable, match="has no key of 0x1111"):
        _at_web3signer(web3signer.url, "0x" + "11" * 20)
    signer = _at_web3signer(web3signer.url)
    web3signer.fault = "lies"
    with pytest.raises(SignerUnavailable, match="has signed with another key"):
        signer.sign(ORDER)
    web3signer.fault = ""
    kept = dict(web3signer.keys)
    web3signer.keys.clear()
    with pytest.raises(SignerUnavailable, match="any more; give it the key, and let it reload"):
        signer.sign(ORDER)
    web3signer.keys.update(kept)
    assert signer.sign(ORDER)


def test_a_web3signer_that_refuses_or_is_silent_is_named_and_rests(
    web3signer: Web3SignerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = _at_web3signer(web3signer.url)
    web3signer.fault = "refuses"
    with pytest.raises(SignerUnavailable, match="refuses with status 500: vault is sealed"):
        signer.sign(ORDER)
    web3signer.fault = "silent"
    with pytest.raises(SignerUnavailable, match="does not answer"):
        signer.sign(ORDER)
    asked = len(web3signer.asked)
    with pytest.raises(SignerUnavailable, match="did not answer a moment ago"):
        signer.sign(ORDER)
    assert len(web3signer.asked) == asked, "nobody else waits for it meanwhile"
    web3signer.fault = ""
    monkeypatch.setattr(Rest, "check", lambda _: None)  # some time later
    assert signer.sign(ORDER) == LocalSigner(KEY).sign(ORDER)


def test_kms_without_the_key_with_another_curve_or_silent_is_named(kms_url: str) -> None:
    with pytest.raises(SignerUnavailable, match=r"AWS KMS refuses: .*NotFound"):
        _in_kms(kms_url, "alias/nobody")
    with pytest.raises(SignerUnavailable, match="is no key of the curve secp256k1"):
        _in_kms(kms_url, _key_in_kms(kms_url, "ECC_NIST_P256"))
    with pytest.raises(SignerUnavailable, match="AWS KMS does not answer"):
        _in_kms("http://127.0.0.1:9", "alias/any")


def test_managed_keys_may_be_here_and_elsewhere_and_must_be_the_right_ones(
    web3signer: Web3SignerServer, kms_url: str
) -> None:
    settings = Settings.model_validate(
        {"web3signer_url": web3signer.url, "aws_kms_endpoint": kms_url, "aws_kms_region": "eu-central-1"}
    )
    keys = ManagedKeys(Keyring("secret"), RemoteSigners(settings))
    address, keystore = keys.create()
    assert recover_signer(keccak256(ORDER), keys.sign(address, keystore, ORDER)).lower() == address
    assert keys.sign(ADDRESS, f"web3signer:{ADDRESS}", ORDER) == LocalSigner(KEY).sign(ORDER)
    alias = f"awskms:{_key_in_kms(kms_url)}"
    with pytest.raises(Unavailable) as refusal:
        keys.sign(address, alias, ORDER)
    assert refusal.value.code == "signer_unavailable"
    assert re.match(rf"{alias} is the key of 0x\w+, not of {address}", refusal.value.detail)


def test_an_address_alone_signs_nothing() -> None:
    somebody = RemoteSigners(Settings()).signer(ADDRESS)
    assert somebody.address == ADDRESS
    with pytest.raises(SignerUnavailable, match="is not here; only its address is"):
        somebody.sign(ORDER)
    with pytest.raises(SignerUnavailable, match=r"^TONGDUI_WEB3SIGNER_URL: is not set"):
        RemoteSigners(Settings()).signer(f"web3signer:{ADDRESS}")


def test_what_is_a_reference_and_what_a_path_or_a_keystore() -> None:
    assert all(
        map(is_reference, (ADDRESS, f"web3signer:{ADDRESS}", "awskms:alias/tongdui", "awskms:arn:aws:kms:x:1:key/2"))
    )
    assert not any(map(is_reference, ("", "keys/admin.json", "web3signer:alias", '{"address": "0x"}', "awskms:")))
