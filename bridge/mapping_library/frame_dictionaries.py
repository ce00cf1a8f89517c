"""Dictionaries by which what commits store is compressed (`storage/frames.py`), one for each version of a mapping.

They are trained with what the version makes of sample sessions, whose learners are nobody: a dictionary holds parts of
what it was trained with, word for word, and outlives the data of every learner.
"""

from __future__ import annotations

from collections.abc import Sequence

import zstandard
from sqlalchemy import Connection

from bridge.mapping_library.sample_sessions import sample_texts
from mappings.definition import CompiledMapping
from storage import frames

DICTIONARY_SIZE = 16 * 1024
"""Bytes."""
SEGMENT_SIZE, PART_SIZE = 2_000, 8
"""Of the training: texts are taken nearly whole, as most of one is in all others of its kind."""
SAMPLES = "samples"
"""The origin of these dictionaries."""
MAX_CACHED = 32
"""Dictionaries that a process keeps for databases to come."""
_trained: dict[str, bytes] = {}


def ensure_dictionary(connection: Connection, version_id: int, mapping: CompiledMapping, now: int) -> None:
    """Store a dictionary for a version of a mapping if it has none."""
    if not frames.has_dictionary(connection, version_id):
        content = _trained_for(mapping)
        frames.add_dictionary(connection, content, mapping_version_id=version_id, origin=SAMPLES, now=now)


def train(texts: Sequence[bytes]) -> bytes:
    """Return a dictionary for texts that are like these."""
    dictionary = zstandard.train_dictionary(DICTIONARY_SIZE, [*texts], k=SEGMENT_SIZE, d=PART_SIZE, f=18, accel=1)
    return dictionary.as_bytes()


def _trained_for(mapping: CompiledMapping) -> bytes:
    """Return the dictionary of a version, trained once in a process, which may have many databases."""
    key = mapping.definition.content_hash
    if key not in _trained:
        if len(_trained) >= MAX_CACHED:
            _trained.clear()
        _trained[key] = train(sample_texts(mapping))
    return _trained[key]
