"""ZIP archives of strangers: read within limits, and rebuilt with some files replaced and all others untouched.

What is not replaced is copied as it is compressed, so that neither its bytes nor its dates nor its name change, and a
bomb is never unpacked. Source: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from io import BytesIO
from operator import itemgetter
from typing import BinaryIO, NamedTuple, TypeAlias

from bridge.packages import PackageError

MAX_ARCHIVE_BYTES = 2 * 1024**3
MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 16 * 1024**3
MAX_FILE_BYTES = 16 * 1024**2
"""Bytes of a file that is looked into: a manifest or a page."""
MAX_RATIO = 1_100
"""Bytes that a compressed byte may unpack to: DEFLATE's limit is 1,032."""

_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_CENTRAL_SIGNATURE = b"PK\1\2"
_OFFSET_AT = 42
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\5\6"
_IN_ZIP64_EXTRA = 0xFFFFFFFF
_SYMBOLIC_LINK = 0o120000
_COPY_BYTES = 1024**2

Span: TypeAlias = tuple[int, int]
"""Where bytes lie in a file: offset and length."""


class Entry(NamedTuple):
    """A file in an archive. `record` is its part of the central directory; `end` is where the next one begins."""

    name: str
    record: bytes
    offset: int
    end: int


class Archive:
    """An archive that was opened for reading.

    Raises:
        PackageError: it is no ZIP archive, or one that could do harm when it is unpacked.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        if self._size > MAX_ARCHIVE_BYTES:
            raise PackageError(f"It has {self._size:,} bytes; packages of up to {MAX_ARCHIVE_BYTES:,} are taken.")
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise PackageError(f"It is no ZIP archive that can be read: {error}.") from None
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise PackageError(f"It has {len(infos):,} files; packages of up to {MAX_ENTRIES:,} are taken.")
        _check_sizes(infos)
        names = [_checked_name(info) for info in infos]
        name, times = max(Counter(names).items(), key=itemgetter(1), default=("", 0))
        if times > 1:
            raise PackageError(f"It has {name!r} twice: which one an LMS unpacks, nobody can say.")
        self.entries = self._locate(infos)

    @property
    def names(self) -> dict[str, str]:
        """Return the names of its files, by their paths: Windows' programs write names with backslashes."""
        return {entry.name.replace("\\", "/"): entry.name for entry in self.entries}

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            PackageError: it is too long, encrypted, damaged, or compressed in a way that is not known.
        """
        try:
            with self._zip.open(name) as member:
                content = member.read(MAX_FILE_BYTES + 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
            raise PackageError(f"{name} cannot be read: {error}.") from None
        if len(content) > MAX_FILE_BYTES:
            raise PackageError(f"{name} has more than {MAX_FILE_BYTES:,} bytes: too many to look into.")
        return content

    def rebuild(self, output: BinaryIO, replaced: Mapping[str, bytes]) -> Rebuilt:
        """Write its files into `output`, but those that are `replaced`; return what is needed to finish the archive."""
        records: list[bytes] = []
        segments: list[bytes | Span] = []
        position = 0
        for entry in self.entries:
            if entry.offset > position:
                segments.append(self._bytes(position, entry.offset))
            if entry.name in replaced:
                segments.append(self._bytes(entry.offset, entry.end))
            else:
                at = output.tell()
                copy_span(self._file, (entry.offset, entry.end - entry.offset), output)
                segments.append((at, entry.end - entry.offset))
                records.append(_moved(entry.record, at))
            position = entry.end
        segments.append(self._bytes(position, self._size))
        return Rebuilt(records, segments)

    def _locate(self, infos: list[zipfile.ZipInfo]) -> list[Entry]:
        """Return the files in the order in which they lie in the archive."""
        directory = self._zip.start_dir
        self._file.seek(directory)
        records: list[tuple[int, str, bytes]] = []
        for info in infos:
            fixed = self._file.read(_CENTRAL.size)
            lengths = fixed[28:34]
            if not fixed.startswith(_CENTRAL_SIGNATURE) or len(fixed) < _CENTRAL.size:
                raise PackageError("Its directory of files is damaged.")
            record = fixed + self._file.read(sum(struct.unpack("<3H", lengths)))
            records.append((info.header_offset, info.filename, record))
        records.sort()
        ends = [*(offset for offset, _, _ in records[1:]), directory]
        sizes = {info.filename: info.compress_size for info in infos}
        for (offset, name, _), end in zip(records, ends, strict=True):
            if offset + 30 + len(name) + sizes[name] > end:
                raise PackageError(f"Its files overlap at {name!r}, as those of a bomb do.")
        return [Entry(name, record, offset, end) for (offset, name, record), end in zip(records, ends, strict=True)]

    def _bytes(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)


class Rebuilt(NamedTuple):
    """An archive that was written but for what is added, and its directory.

    `records` are the central directory's of what was copied. `segments` put together are the archive that it was made
    from: bytes, or where in the new one they lie.
    """

    records: list[bytes]
    segments: list[bytes | Span]

    def finish(self, output: BinaryIO, added: Mapping[str, bytes]) -> None:
        """Write files and the directory behind what was copied."""
        records = list(self.records)
        for name, content in added.items():
            local, record = _compressed(name, content)
            records.append(_moved(record, output.tell()))
            output.write(local)
        directory, start = b"".join(records), output.tell()
        if start + len(directory) >= _IN_ZIP64_EXTRA:
            raise PackageError("It would have more than 4 GiB.")
        output.write(directory)
        output.write(_END.pack(_END_SIGNATURE, 0, 0, len(records), len(records), len(directory), start, 0))


def copy_span(source: BinaryIO, span: Span, output: BinaryIO) -> None:
    """Copy bytes from one file to another."""
    offset, left = span
    source.seek(offset)
    while left > 0:
        chunk = source.read(min(_COPY_BYTES, left))
        if not chunk:
            raise PackageError("It ends too early: it has been cut.")
        output.write(chunk)
        left -= len(chunk)


def _compressed(name: str, content: bytes) -> tuple[bytes, bytes]:
    """Return a file as it lies in an archive, and its record in the directory; always the same bytes for the same."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        archive.writestr(info, content)
        start = archive.start_dir
    written = buffer.getvalue()
    return written[:start], written[start : -_END.size]


def _moved(record: bytes, offset: int) -> bytes:
    """Return a record of the central directory for a file that lies elsewhere."""
    (at,) = struct.unpack_from("<L", record, _OFFSET_AT)
    if at != _IN_ZIP64_EXTRA:
        return record[:_OFFSET_AT] + struct.pack("<L", offset) + record[_OFFSET_AT + 4 :]
    # what the field has no room for is in the extra field: sizes first, where they have no room either
    compressed, uncompressed, name_length = struct.unpack_from("<2LH", record, 20)
    place = 46 + name_length
    while place + 4 <= len(record):
        kind, length = struct.unpack_from("<2H", record, place)
        if kind == 1:
            place += 4 + 8 * ((compressed == _IN_ZIP64_EXTRA) + (uncompressed == _IN_ZIP64_EXTRA))
            return record[:place] + struct.pack("<Q", offset) + record[place + 8 :]
        place += 4 + length
    raise PackageError("Its directory of files is damaged.")


def _check_sizes(infos: list[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in infos)
    if total > MAX_UNPACKED_BYTES:
        raise PackageError(f"Unpacked, it would have {total:,} bytes; up to {MAX_UNPACKED_BYTES:,} are taken.")
    for info in infos:
        if info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise PackageError(
                f"{info.filename!r} says that {info.compress_size:,} bytes unpack to {info.file_size:,}: a bomb."
            )


def _checked_name(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename.replace("\\", "/")
    if name.startswith("/") or "\0" in name or ".." in name.split("/") or name[1:2] == ":":
        raise PackageError(f"The name {name!r} would be unpacked outside of the package's folder.")
    if info.external_attr >> 16 & 0o170000 == _SYMBOLIC_LINK:
        raise PackageError(f"{name!r} is a symbolic link, which a package must not have.")
    return info.filename
