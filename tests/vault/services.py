"""Key services for tests: they answer as the real ones do, and can be switched off, slow, rotated or wrong."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Hands:
    """A clock that only hands move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Refused(Exception):
    """As botocore's ClientError."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code, "Message": "no"}}


class InvalidArgument(Exception):
    """As google.api_core's."""


class FailedPrecondition(Exception):
    """The same, for a key that is disabled."""


class DeadlineExceeded(Exception):
    """The same, for a service that does not answer in time."""


class Service:
    """One key with versions. A ciphertext names its version."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self.versions = [AESGCM(os.urandom(32))]
        self.enabled, self.delay, self.asked = True, 0.0, 0

    def rotate(self) -> None:
        self.versions.append(AESGCM(os.urandom(32)))

    def close(self, plain: bytes, bound: bytes) -> bytes:
        self.ask()
        nonce, number = os.urandom(12), len(self.versions) - 1
        return bytes([number]) + nonce + self.versions[number].encrypt(nonce, plain, bound)

    def open(self, closed: bytes, bound: bytes) -> bytes:
        self.ask()
        return self.versions[closed[0]].decrypt(closed[1:13], closed[13:], bound)

    def ask(self) -> None:
        self.asked += 1
        self.hands.seconds += min(self.delay, 5.0)
        if self.delay > 5.0:
            raise TimeoutError
        if not self.enabled:
            raise PermissionError


class Aws(Service):
    """`boto3.client("kms")` with one key."""

    arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    def encrypt(self, **request: Any) -> dict[str, Any]:
        assert request.keys() == {"KeyId", "Plaintext", "EncryptionContext"}
        return {"CiphertextBlob": self.said(self.close, request["Plaintext"], request), "KeyId": self.arn}

    def decrypt(self, **request: Any) -> dict[str, Any]:
        assert request.keys() == {"KeyId", "CiphertextBlob", "EncryptionContext"}
        return {"Plaintext": self.said(self.open, request["CiphertextBlob"], request), "KeyId": self.arn}

    def said(self, do: Any, content: bytes, request: dict[str, Any]) -> Any:
        if request["KeyId"] != self.arn:
            raise Refused("NotFoundException")
        assert all(isinstance(value, str) for value in request["EncryptionContext"].values())
        try:
            return do(content, repr(request["EncryptionContext"]).encode())
        except PermissionError:
            raise Refused("DisabledException") from None
        except InvalidTag:
            raise Refused("InvalidCiphertextException") from None


class Google(Service):
    """`google.cloud.kms.KeyManagementServiceClient` with one key."""

    name = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k"

    def encrypt(self, *, request: dict[str, Any], timeout: float) -> Any:
        assert request.keys() == {"name", "plaintext", "additional_authenticated_data"}
        closed = self.said(self.close, request["plaintext"], request, timeout)
        return SimpleNamespace(ciphertext=closed)

    def decrypt(self, *, request: dict[str, Any], timeout: float) -> Any:
        assert request.keys() == {"name", "ciphertext", "additional_authenticated_data"}
        return SimpleNamespace(plaintext=self.said(self.open, request["ciphertext"], request, timeout))

    def said(self, do: Any, content: bytes, request: dict[str, Any], timeout: float) -> Any:
        assert request["name"] == self.name
        assert 0 < timeout <= 10
        try:
            return do(content, request["additional_authenticated_data"])
        except PermissionError:
            raise FailedPrecondition from None
        except TimeoutError:
            raise DeadlineExceeded from None
        except InvalidTag:
            raise InvalidArgument from None
