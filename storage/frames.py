"""Texts compressed one by one: zstd frames, each of which names in its header the dictionary that it was made with.

A dictionary has what most texts share, so that little is left of each. It is a row like others, and one in use cannot
be deleted: a frame is readable for ever. Texts that are not compressed are, too.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import zstandard
from sqlalchemy import Connection, Engine, func, insert, select, update

from storage.frame_tables import frame_dictionary

LEVEL = 1
"""Of zstd: higher ones take longer and save little where a dictionary has it all."""
MAX_CONTENT_SIZE = 128 * 1024
"""Bytes of a text that is compressed: pages read hundreds at once. A frame that says it has more is damaged, and no
memory is taken for it."""
_MARK = b"\x37\xa4\x30\xec"
"""What a dictionary begins with; its id follows in four bytes."""


class FrameError(ValueError):
    """A frame that cannot be read: it, or the dictionary it names, was changed by others."""


class Frame(NamedTuple):
    """A compressed text and its dictionary; both are None where the text is stored as it is."""

    dictionary_id: int | None
    content: bytes | None


_NEWEST = select(func.max(frame_dictionary.c.id))
ANY_VERSION = 0
"""In place of a mapping's version: by the newest dictionary of all."""
PLAIN = Frame(None, None)


class _Codecs(threading.local):
    """A thread's compressors and decompressors, which no two threads may use at once, by their dictionaries."""

    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.decompressors: dict[int, zstandard.ZstdDecompressor] = {}


class _Dictionaries:
    """The dictionaries of a database as far as this process has met them.

    Attributes:
        newest: version of a mapping -> its newest dictionary; another one takes its place when there are newer ones.
        last_id: of the newest of all when that was looked for.
    """

    def __init__(self) -> None:
        self.newest: dict[int, int | None] = {}
        self.last_id: int | None = None
        self._loaded: dict[int, zstandard.ZstdCompressionDict] = {}
        self._codecs = _Codecs()

    def compressor(self, connection: Connection, dictionary_id: int) -> zstandard.ZstdCompressor:
        compressor = self._codecs.compressors.get(dictionary_id)
        if compressor is None:
            dictionary = self._load(connection, dictionary_id)
            compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
            self._codecs.compressors[dictionary_id] = compressor
        return compressor

    def decompressor(self, connection: Connection, dictionary_id: int) -> zstandard.ZstdDecompressor:
        decompressor = self._codecs.decompressors.get(dictionary_id)
        if decompressor is None:
            decompressor = zstandard.ZstdDecompressor(dict_data=self._load(connection, dictionary_id))
            self._codecs.decompressors[dictionary_id] = decompressor
        return decompressor

    def _load(self, connection: Connection, dictionary_id: int) -> zstandard.ZstdCompressionDict:
        dictionary = self._loaded.get(dictionary_id)
        if dictionary is None:
            content = connection.execute(
                select(frame_dictionary.c.content).where(frame_dictionary.c.id == dictionary_id)
            ).scalar_one_or_none()
            if content is None:
                raise FrameError(f"A frame names dictionary {dictionary_id}, which is not stored.")
            dictionary = zstandard.ZstdCompressionDict(content)
            dictionary.precompute_compress(level=LEVEL)
            self._loaded[dictionary_id] = dictionary
        return dictionary


_known: WeakKeyDictionary[Engine, _Dictionaries] = WeakKeyDictionary()


def _dictionaries(connection: Connection) -> _Dictionaries:
    return _known.setdefault(connection.engine, _Dictionaries())


def add_dictionary(connection: Connection, content: bytes, *, mapping_version_id: int, origin: str, now: int) -> int:
    """Store a trained dictionary, by which texts of a mapping's version are compressed from now on; return its id."""
    if not content.startswith(_MARK):
        raise ValueError("is no dictionary of zstd")
    values = {"mapping_version_id": mapping_version_id, "origin": origin, "created_at": now, "content": content}
    inserted = connection.execute(insert(frame_dictionary).values(values)).inserted_primary_key
    assert inserted is not None  # noqa: S101 -- one row was inserted
    dictionary_id = int(inserted[0])
    named = content[:4] + dictionary_id.to_bytes(4, "little") + content[8:]
    connection.execute(update(frame_dictionary).where(frame_dictionary.c.id == dictionary_id).values(content=named))
    return dictionary_id


def has_dictionary(connection: Connection, mapping_version_id: int) -> bool:
    """Return whether a version of a mapping has a dictionary of its own."""
    its = select(frame_dictionary.c.id).where(frame_dictionary.c.mapping_version_id == mapping_version_id)
    return connection.execute(its.limit(1)).first() is not None


def newest_dictionary(connection: Connection, mapping_version_id: int) -> int | None:
    """Return the id of a version's newest dictionary, that of any version where it has none; None without any."""
    # another thread may refresh meanwhile
    known = _dictionaries(connection).newest
    if mapping_version_id in known:
        return known[mapping_version_id]
    its = frame_dictionary.c.mapping_version_id == mapping_version_id
    own = connection.execute(_NEWEST.where(its)).scalar_one()
    dictionary_id: int | None = connection.execute(_NEWEST).scalar_one() if own is None else own
    known[mapping_version_id] = dictionary_id
    return dictionary_id


def refresh(connection: Connection) -> None:
    """Compress by newer dictionaries from now on, if another process has stored any."""
    dictionaries = _dictionaries(connection)
    last_id = connection.execute(_NEWEST).scalar_one()
    if last_id != dictionaries.last_id:
        dictionaries.last_id, dictionaries.newest = last_id, {}


def compress(connection: Connection, contents: Sequence[tuple[int, bytes]]) -> list[Frame]:
    """Compress texts by the newest dictionaries of versions of mappings, whose ids stand before them.

    Texts that are too large, and all where there is no dictionary, are to be stored as they are.
    """
    by_dictionary: dict[int, list[int]] = {}
    # nearly always all are of one version
    dictionaries = {version_id: newest_dictionary(connection, version_id) for version_id in {of for of, _ in contents}}
    for number, (version_id, content) in enumerate(contents):
        dictionary_id = dictionaries[version_id]
        if dictionary_id is not None and 0 < len(content) <= MAX_CONTENT_SIZE:
            by_dictionary.setdefault(dictionary_id, []).append(number)
    frames = [PLAIN] * len(contents)
    for dictionary_id, numbers in by_dictionary.items():
        compressor = _dictionaries(connection).compressor(connection, dictionary_id)
        # all at once: the interpreter's lock is let go of once, and a busy event loop is slow to give it back
        compressed = compressor.multi_compress_to_buffer([contents[number][1] for number in numbers])
        for place, number in enumerate(numbers):
            frames[number] = Frame(dictionary_id, compressed[place].tobytes())
    return frames


def is_frame(content: bytes) -> bool:
    """Return whether bytes are a frame and not a text: no text in UTF-8 begins as frames do."""
    return content.startswith(zstandard.FRAME_HEADER)


def content_size(frame: bytes) -> int:
    """Return how many bytes a frame has when it is read.

    Raises:
        FrameError: it is no frame, or says that it has more than any has.
    """
    return _parameters(frame)[0]


def decompress(connection: Connection, frame: bytes) -> bytes:
    """Return a text, whichever dictionary it was compressed by.

    Raises:
        FrameError: the frame is damaged.
    """
    return decompress_all(connection, [frame])[0]


def decompress_all(connection: Connection, frames: Sequence[bytes]) -> list[bytes]:
    """Return texts in the order of their frames.

    Raises:
        FrameError: one of them is damaged.
    """
    contents = [b""] * len(frames)
    known = _dictionaries(connection)
    by_dictionary: dict[int, list[int]] = {}
    for number, frame in enumerate(frames):
        by_dictionary.setdefault(_parameters(frame)[1], []).append(number)
    for dictionary_id, numbers in by_dictionary.items():
        decompressor = known.decompressor(connection, dictionary_id)
        try:
            if len(numbers) == 1:
                contents[numbers[0]] = decompressor.decompress(frames[numbers[0]])
                continue
            results = decompressor.multi_decompress_to_buffer([frames[number] for number in numbers])
        except zstandard.ZstdError as error:
            raise FrameError(f"A frame that names dictionary {dictionary_id} cannot be read: {error}.") from error
        for place, number in enumerate(numbers):
            contents[number] = results[place].tobytes()
    return contents


def text_of(connection: Connection, text: str, frame: bytes | None) -> str:
    """Return a text that is stored as it is, or in a frame."""
    return text if frame is None else decompress(connection, frame).decode()


def _parameters(frame: bytes) -> tuple[int, int]:
    """Return the size and the dictionary that a frame's header has."""
    try:
        parameters = zstandard.get_frame_parameters(frame)
    except zstandard.ZstdError as error:
        raise FrameError(f"It is no frame: {error}.") from error
    size, dictionary_id = int(parameters.content_size), int(parameters.dict_id)
    if size > MAX_CONTENT_SIZE:
        raise FrameError(f"A frame says that it has {size:,} bytes, more than any has.")
    return size, dictionary_id
