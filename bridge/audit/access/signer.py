"""Signatures over short texts that browsers keep for the bridge."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


class Signer:
    """Signs with the first key, takes the signatures of all. What is signed for one purpose counts for no other."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def sign(self, purpose: str, text: str) -> str:
        """Give the text with its signature; the text is still to be read."""
        return f"{text}.{self.seal(purpose, text)}"

    def read(self, purpose: str, signed: str) -> str | None:
        """Give the text of what `sign` gave for this purpose, None for anything else."""
        text, _, signature = signed.rpartition(".")
        return text if text and self.is_sealed(purpose, text, signature) else None

    def seal(self, purpose: str, text: str) -> str:
        """Give the signature alone."""
        return _signature(self._keys[0], purpose, text)

    def is_sealed(self, purpose: str, text: str, signature: str) -> bool:
        """Tell whether a signature is one that `seal` gave for this text and purpose."""
        given = signature.encode(errors="replace")
        return any(hmac.compare_digest(_signature(key, purpose, text).encode(), given) for key in self._keys)


def _signature(key: bytes, purpose: str, text: str) -> str:
    mac = hmac.digest(key, f"audit {purpose}\n{text}".encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
