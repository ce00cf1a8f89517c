"""The HTTP API: routes, requests and responses, connections."""

from __future__ import annotations
