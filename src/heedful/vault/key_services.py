"""Master keys that never leave a key service: AWS KMS and Google Cloud KMS.

A service can be slow, away, or told not to serve us any more. All of these are KeyUnavailable, with what to
do; only a refusal of the content is Corrupt. Calls end after seconds, and who calls decides when to try again
(`wrapping`). The clients come from the extras `aws` and `google`, or are given.
"""

from __future__ import annotations

import base64
from importlib import import_module
from typing import Any, Protocol

from heedful.vault.master import Source
from heedful.vocabulary.errors import Corrupt, KeyUnavailable, SettingsError

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
RETRY_SECONDS = 5

_CONTEXT = "heedful"


class AwsClient(Protocol):
    """What we use of `boto3.client("kms")`."""

    def encrypt(self, **request: Any) -> Any: ...
    def decrypt(self, **request: Any) -> Any: ...


class GoogleClient(Protocol):
    """What we use of `google.cloud.kms.KeyManagementServiceClient`."""

    def encrypt(self, *, request: dict[str, Any], timeout: float) -> Any: ...
    def decrypt(self, *, request: dict[str, Any], timeout: float) -> Any: ...


class AwsKey:
    """A symmetric key of AWS KMS (API version 2014-11-01: Encrypt, Decrypt).

    key: its ARN. An alias would let two keys pass for one, so only `arn:…:key/…` is taken.
    client: of the region of the key; made with boto3 when None, which finds its own credentials.
    """

    def __init__(self, key: str, client: AwsClient | None = None) -> None:
        """Raises SettingsError for a key that is no ARN, or without boto3."""
        parts = key.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "kms" or not parts[5].startswith("key/"):
            raise SettingsError(f"{key!r} is not the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID")
        self._key = key
        self._client = client or _aws_client(parts[3])

    def wrap(self, key: bytes, context: bytes) -> bytes:
        try:
            answer = self._client.encrypt(
                KeyId=self._key, Plaintext=key, EncryptionContext=_encryption_context(context)
            )
        except Exception as error:
            raise self._failure(error) from error
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        try:
            answer = self._client.decrypt(
                KeyId=self._key, CiphertextBlob=wrapped, EncryptionContext=_encryption_context(context)
            )
        except Exception as error:
            raise self._failure(error) from error
        return bytes(answer["Plaintext"])

    def describe(self) -> Source:
        return Source("aws", self._key, f"aws:{self._key}")

    def _failure(self, error: Exception) -> Corrupt | KeyUnavailable:
        """botocore's ClientError keeps the service's code in `response`; others have none."""
        response = getattr(error, "response", None) or {}
        code = str(response.get("Error", {}).get("Code", ""))
        if code in {"InvalidCiphertextException", "IncorrectKeyException"}:
            return Corrupt(f"{self._key} does not open a key that it should ({code})")
        return _unavailable(self._key, code or type(error).__name__)


class GoogleKey:
    """A symmetric key of Google Cloud KMS (API v1: encrypt, decrypt). Its versions rotate by themselves.

    key: `projects/P/locations/L/keyRings/R/cryptoKeys/K`.
    client: made with google-cloud-kms when None, which finds its own credentials.
    """

    def __init__(self, key: str, client: GoogleClient | None = None) -> None:
        """Raises SettingsError for a key that has not that form, or without google-cloud-kms."""
        parts = key.split("/")
        if len(parts) != 8 or parts[::2] != ["projects", "locations", "keyRings", "cryptoKeys"]:
            raise SettingsError(
                f"{key!r} is not the name of a key: projects/P/locations/L/keyRings/R/cryptoKeys/K"
            )
        self._key = key
        self._client = client or _google_client()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        request = {"name": self._key, "plaintext": key, "additional_authenticated_data": context}
        try:
            answer = self._client.encrypt(request=request, timeout=READ_SECONDS)
        except Exception as error:
            raise self._failure(error) from error
        return bytes(answer.ciphertext)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        request = {"name": self._key, "ciphertext": wrapped, "additional_authenticated_data": context}
        try:
            answer = self._client.decrypt(request=request, timeout=READ_SECONDS)
        except Exception as error:
            raise self._failure(error) from error
        return bytes(answer.plaintext)

    def describe(self) -> Source:
        return Source("google", self._key, f"google:{self._key}")

    def _failure(self, error: Exception) -> Corrupt | KeyUnavailable:
        """google.api_core names its errors after the status: InvalidArgument is what a wrong ciphertext gets."""
        if type(error).__name__ == "InvalidArgument":
            return Corrupt(f"{self._key} does not open a key that it should (InvalidArgument)")
        return _unavailable(self._key, type(error).__name__)


def _unavailable(key: str, reason: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"the key service does not serve {key} ({reason}). Nothing is read or written without it: "
        "see whether the key is enabled and whether we may use it",
        retry_after=RETRY_SECONDS,
    )


def _encryption_context(context: bytes) -> dict[str, str]:
    return {_CONTEXT: base64.b64encode(context).decode()}


def _aws_client(region: str) -> AwsClient:
    try:
        boto3, config = import_module("boto3"), import_module("botocore.config")
    except ModuleNotFoundError as error:
        raise SettingsError("AWS KMS needs an extra: pip install heedful[aws]") from error
    limits = config.Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 2}
    )
    client: AwsClient = boto3.client("kms", region_name=region, config=limits)
    return client


def _google_client() -> GoogleClient:
    try:
        kms = import_module("google.cloud.kms")
    except ModuleNotFoundError as error:
        raise SettingsError("Google Cloud KMS needs an extra: pip install heedful[google]") from error
    client: GoogleClient = kms.KeyManagementServiceClient()
    return client
