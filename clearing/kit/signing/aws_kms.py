"""Keys in AWS KMS (ECC_SECG_P256K1). Who may use them is AWS's business: credentials come from where boto3 finds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from clearing.kit.config import Settings
from clearing.kit.signing.remote_signer import RemoteSigner, Rest, address_of_public_key
from clearing.kit.signing.signer import SignerUnavailable
from tongdui.encoding import keccak256, word

_WHERE = "AWS KMS"


class AwsKms:
    """A connection to AWS KMS."""

    def __init__(self, settings: Settings) -> None:
        self._rest = Rest(_WHERE)
        limits = {"connect_timeout": settings.signer_timeout, "read_timeout": settings.signer_timeout}
        try:
            self._client = boto3.client(
                "kms",
                region_name=settings.aws_kms_region or None,
                endpoint_url=settings.aws_kms_endpoint or None,
                config=Config(**limits, retries={"total_max_attempts": 1}),
            )
        except BotoCoreError as error:
            raise SignerUnavailable(f"{_WHERE} cannot be asked: {error}") from error

    def signer(self, key: str) -> RemoteSigner:
        """What signs with the key of this id, ARN or alias. Raises SignerUnavailable if there is none of the right curve."""
        answer = self._asked(self._client.get_public_key, KeyId=key)
        public_key = load_der_public_key(answer["PublicKey"])
        if not isinstance(public_key, EllipticCurvePublicKey) or not isinstance(public_key.curve, SECP256K1):
            raise SignerUnavailable(f"{_WHERE}: {key} is no key of the curve secp256k1 (ECC_SECG_P256K1)")
        numbers = public_key.public_numbers()
        address = address_of_public_key(word(numbers.x) + word(numbers.y))
        return RemoteSigner(address, _WHERE, lambda preimage: self._sign(key, preimage))

    def _sign(self, key: str, preimage: bytes) -> tuple[int, int]:
        # KMS hashes with SHA-256, so it gets the digest: its algorithm's name says how long that is, no more.
        digest = keccak256(preimage)
        answer = self._asked(
            self._client.sign, KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )
        return decode_dss_signature(answer["Signature"])

    def _asked(self, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
        self._rest.check()
        try:
            answer: dict[str, Any] = call(**arguments)
        except ClientError as error:
            raise SignerUnavailable(f"{_WHERE} refuses: {error}") from error
        except BotoCoreError as error:
            raise self._rest.begin(str(error)) from error
        return answer
