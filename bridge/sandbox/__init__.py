"""What people try the bridge with: nothing here is meant for production."""

from __future__ import annotations
