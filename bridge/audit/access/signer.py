"""Signatures over short texts that browsers keep for the bridge."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


class Signer:
    """Signs with the first key, accepts signatures of all. A signature counts for the purpose it was made for alone."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def sign(self, purpose: str, text: str) -> str:
        """Return the text with its signature; the text stays readable."""
        return f"{text}.{self.signature(purpose, text)}"

    def verify(self, purpose: str, signed: str) -> str | None:
        """Return the text that `sign` signed for this purpose, None where the signature does not match."""
        text, _, signature = signed.rpartition(".")
        return text if text and self.is_signature(purpose, text, signature) else None

    def signature(self, purpose: str, text: str) -> str:
        """Return the signature alone."""
        return _signature(self._keys[0], purpose, text)

    def is_signature(self, purpose: str, text: str, signature: str) -> bool:
        """Return whether `signature` is one of this text and purpose."""
        encoded = signature.encode(errors="replace")
        return any(hmac.compare_digest(_signature(key, purpose, text).encode(), encoded) for key in self._keys)


def _signature(key: bytes, purpose: str, text: str) -> str:
    mac = hmac.digest(key, f"audit {purpose}\n{text}".encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
