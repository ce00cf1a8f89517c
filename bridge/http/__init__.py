"""HTTP in: the routes of the contract, one module for each kind of caller."""

from __future__ import annotations
