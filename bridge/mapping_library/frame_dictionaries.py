"""Dictionaries by which what commits store is compressed (`storage/frames.py`), one for each version of a mapping.

A version's first one is trained with what it makes of sample sessions, whose learners are nobody. As real commits have
more in common than those, names of courses for one, later ones are trained with what is stored, as far as it tells of
nobody: a dictionary holds parts of what it was trained with, word for word, and outlives the data of every learner.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import NamedTuple

import zstandard
from sqlalchemy import Connection, Engine

from bridge.mapping_library.impersonal_texts import impersonal_texts
from bridge.mapping_library.sample_sessions import sample_texts
from mappings.definition import CompiledMapping
from storage import frame_samples, frames
from storage.engine import reading, transactions

DICTIONARY_SIZE = 16 * 1024
"""Bytes."""
SEGMENT_SIZE, PART_SIZE = 2_000, 8
"""Of the training: texts are taken nearly whole, as most of one is in all others of its kind."""
SAMPLES, STORED = "samples", "journal"
"""The origins of dictionaries."""
MAX_CACHED = 32
"""Dictionaries that a process keeps for databases to come."""
RENEWAL_SAMPLE = 1_000
"""Commits, and statements, that are looked at: one half trains, the other is compressed by what came of it."""
POOR = 0.9
"""Of the bytes that texts take now: a dictionary with which they take no less is not worth a row."""
_trained: dict[str, bytes] = {}


class Renewal(NamedTuple):
    """A better dictionary for a mapping's version, and the bytes of the same texts by the one before and by it."""

    mapping_version_id: int
    bytes_before: int
    bytes_after: int


def ensure_dictionary(connection: Connection, version_id: int, mapping: CompiledMapping, now: int) -> None:
    """Store a dictionary for a version of a mapping if it has none."""
    if not frames.has_dictionary(connection, version_id):
        content = _trained_for(mapping)
        frames.add_dictionary(connection, content, mapping_version_id=version_id, origin=SAMPLES, now=now)


def renew_dictionary(engine: Engine, random: Random, now: int) -> Renewal | None:
    """Store a better dictionary for the version of the newest commits; None where its own is as good.

    What is stored is read in one transaction and the dictionary written in another: nothing waits for the training.
    """
    with reading(engine) as connection:
        version_id = frame_samples.newest_version(connection)
        if version_id is None:
            return None
        frames.refresh(connection)
        texts = frame_samples.recent_texts(connection, version_id, RENEWAL_SAMPLE, random)
        judged = [text.content for text in texts[1::2]]
        frames_now = frames.compress(connection, [(version_id, text) for text in judged])
    try:
        content = train(impersonal_texts(texts[::2], random))
    except zstandard.ZstdError:  # of texts so few that they have nothing to share
        return None
    compressor = zstandard.ZstdCompressor(level=frames.LEVEL, dict_data=zstandard.ZstdCompressionDict(content))
    before = sum(len(frame.content or text) for frame, text in zip(frames_now, judged, strict=True))
    after = sum(len(compressor.compress(text)) for text in judged)
    if after > before * POOR:
        return None
    store = partial(frames.add_dictionary, content=content, mapping_version_id=version_id, origin=STORED, now=now)
    transactions(engine)(store)
    return Renewal(version_id, before, after)


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
