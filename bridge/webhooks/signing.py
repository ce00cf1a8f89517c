"""Secrets of webhooks, and the headers that Standard Webhooks asks for (`webhook-id`, `-timestamp`, `-signature`)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105 -- how every secret begins
SECRET_BYTES = 32
"""Random bytes of a secret; the specification asks for 24 to 64."""


def new_secret() -> str:
    """Return a new secret as receivers' libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(message_id: str, body: str, at: int, signing_secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of a request that is made at a time, in milliseconds since the epoch.

    With several secrets it has a signature of each, of which a receiver needs to know one.
    """
    seconds = at // 1000
    time = datetime.fromtimestamp(seconds, UTC)
    signatures = [_signer(secret).sign(message_id, time, body) for secret in signing_secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }


def _signer(secret: str) -> Webhook:
    """Return what signs with a secret: one that does not begin as the specification has it is taken as it is."""
    return Webhook(secret if secret.startswith(SECRET_PREFIX) else secret.encode())
