"""Putting the recording script into a SCORM package, and taking it out again.

An archive gets the script, a manifest that lists it, and each SCO's page with a script element before all others. What
is needed to have the original again, byte for byte, goes with it.
"""

from __future__ import annotations

import hashlib
import posixpath
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from bridge.packages import PackageError
from bridge.packages.archive import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, Archive, Span, copy_span
from bridge.packages.manifest import MANIFEST, Manifest, Sco, read_manifest, with_file
from bridge.packages.page import with_script

SCRIPT_NAME = "scorm-bridge-tap.js"
ORIGINAL_NAME = "scorm-bridge-original.bin"
"""What is needed to have the original again."""
_PAGES = (".html", ".htm", ".xhtml")


class WrapOptions(msgspec.Struct, frozen=True):
    """What a wrapped package says to the bridge.

    Attributes:
        key: a browser key.
        bridge: the bridge's address.
        script: the recording script.
        course_id: the course's id, by default the manifest's identifier.
        activity_id: the activity's id in a package of one SCO, by default the identifier of the SCO's item.
    """

    key: str
    bridge: str
    script: bytes
    course_id: str | None = None
    activity_id: str | None = None


class FileReport(NamedTuple):
    """What was done to a file, or why nothing was."""

    path: str
    done: str


class _Original(msgspec.Struct):
    """The original of a wrapped archive as `segments`, that of a folder as its `files`."""

    options: WrapOptions
    digest: bytes = b""
    segments: list[bytes | Span] = []
    files: dict[str, bytes] = {}


class _Changes(NamedTuple):
    """Files to be replaced, by path, and what is told of it."""

    replaced: dict[str, bytes]
    reports: list[FileReport]


def wrap(source: Path, output: Path, options: WrapOptions) -> list[FileReport]:
    """Write a wrapped package; return what was done to which file.

    A package that is wrapped like this already is copied; one that is wrapped otherwise is unwrapped first.

    Args:
        source: the package, an archive or a folder.
        output: where it goes, which does not exist.
        options: what it says to the bridge.

    Raises:
        PackageError: it is no SCORM package, or one that could do harm.
        OSError: a file cannot be read or written.
    """
    earlier = _original(source)
    if earlier is not None and earlier.options == options:
        with _whole(output):
            _copy(source, output)
        return [FileReport(SCRIPT_NAME, "is there already: nothing was changed")]
    if earlier is not None:
        original = output.with_name(output.name + ".original")
        try:
            unwrap(source, original)
            return wrap(original, output, options)
        finally:
            _remove(original)
    with _whole(output):
        return _wrap_folder(source, output, options) if source.is_dir() else _wrap_archive(source, output, options)


def unwrap(source: Path, output: Path) -> None:
    """Write the package that a wrapped one was made of, an archive byte for byte.

    Raises:
        PackageError: it is not wrapped, or was changed since.
        OSError: a file cannot be read or written.
    """
    original = _original(source)
    if original is None:
        raise PackageError(f"It is not wrapped: it has no {ORIGINAL_NAME}.")
    with _whole(output):
        if source.is_dir():
            shutil.copytree(source, output, ignore=_at_root(source, SCRIPT_NAME, ORIGINAL_NAME))
            for path, content in original.files.items():
                (output / path).write_bytes(content)
        else:
            _unwrap_archive(source, output, original)


def _unwrap_archive(source: Path, output: Path, original: _Original) -> None:
    with source.open("rb") as wrapped, output.open("xb+") as target:
        for segment in original.segments:
            if isinstance(segment, bytes):
                target.write(segment)
            else:
                copy_span(wrapped, segment, target)
        if _digest(target) != original.digest:
            raise PackageError("It was changed since it was wrapped, or packed anew: the original cannot be restored.")


def _wrap_archive(source: Path, output: Path, options: WrapOptions) -> list[FileReport]:
    with source.open("rb") as file:
        archive = Archive(file)
        names = archive.names
        changes = _changes(names, lambda path: archive.read(names[path]), options)
        replaced = {names[path]: content for path, content in changes.replaced.items()}
        with output.open("xb") as target:
            rebuilt = archive.rebuild(target, replaced)
            added = _added(_Original(options, _digest(file), rebuilt.segments))
            rebuilt.finish(target, replaced | added)
    return changes.reports


def _wrap_folder(source: Path, output: Path, options: WrapOptions) -> list[FileReport]:
    names = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    if any(path.is_symlink() for path in source.rglob("*")):
        raise PackageError("It has symbolic links, which a package must not have.")

    def read(path: str) -> bytes:
        if (source / path).stat().st_size > MAX_FILE_BYTES:
            raise PackageError(f"{path} has more than {MAX_FILE_BYTES:,} bytes: too many to look into.")
        return (source / path).read_bytes()

    changes = _changes(names, read, options)
    original = _Original(options, files={path: read(path) for path in changes.replaced})
    shutil.copytree(source, output)
    for path, content in (changes.replaced | _added(original)).items():
        (output / path).write_bytes(content)
    return changes.reports


def _added(original: _Original) -> dict[str, bytes]:
    content = msgspec.msgpack.encode(original)
    if len(content) > MAX_FILE_BYTES:
        raise PackageError(f"What `unwrap` needs has {len(content):,} bytes; up to {MAX_FILE_BYTES:,} can be kept.")
    return {SCRIPT_NAME: original.options.script, ORIGINAL_NAME: content}


def _changes(paths: Iterable[str], read: Callable[[str], bytes], options: WrapOptions) -> _Changes:
    known = set(paths)
    if MANIFEST not in known:
        nested = sorted(path for path in known if posixpath.basename(path) == MANIFEST)
        where = f"; there is one in {posixpath.dirname(nested[0])!r}: pack what is in that folder" if nested else ""
        raise PackageError(f"It has no {MANIFEST} at its root{where}.")
    manifest = read_manifest(read(MANIFEST))
    if options.activity_id is not None and len(manifest.scos) > 1:
        raise PackageError(
            f"It has {len(manifest.scos)} SCOs: each is an activity of its own, by its item's identifier."
        )
    replaced: dict[str, bytes] = {}
    reports: list[FileReport] = []
    for sco in manifest.scos:
        report = _wrap_sco(sco, manifest, known, read, options, replaced)
        reports.append(FileReport(sco.path or sco.href, report))
    if not replaced:
        reasons = "; ".join(f"{report.path}: {report.done}" for report in reports)
        raise PackageError(f"None of its SCOs can be wrapped ({reasons}).")
    replaced[MANIFEST] = with_file(manifest, SCRIPT_NAME)
    reports.append(FileReport(MANIFEST, f"lists {SCRIPT_NAME} as a file of each SCO"))
    reports.append(FileReport(SCRIPT_NAME, "added: the recording script"))
    reports.append(FileReport(ORIGINAL_NAME, "added: what `unwrap` needs"))
    return _Changes(replaced, reports)


def _wrap_sco(
    sco: Sco,
    manifest: Manifest,
    known: set[str],
    read: Callable[[str], bytes],
    options: WrapOptions,
    replaced: dict[str, bytes],
) -> str:
    """Put the script into a SCO's page; return what was done in words."""
    if sco.path is None:
        return "left as it is: it lies outside of the package"
    if sco.path not in known:
        return "left as it is: the manifest launches it, and the package does not have it"
    if not sco.path.lower().endswith(_PAGES):
        return "left as it is: it is no HTML page"
    if sco.path in replaced:
        return "has the script already: several SCOs have this page, and are told as one activity"
    activity_id = options.activity_id or sco.activity
    attributes = {
        "src": posixpath.relpath(SCRIPT_NAME, posixpath.dirname(sco.path) or "."),
        "data-key": options.key,
        "data-bridge": options.bridge,
        "data-course": options.course_id or manifest.identifier,
        "data-activity": activity_id,
    }
    script = "<script " + " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items()) + "></script>"
    address = urlsplit(options.bridge)
    try:
        page = with_script(read(sco.path), script, f"{address.scheme}://{address.netloc}")
    except PackageError as error:
        return f"left as it is: {error}"
    replaced[sco.path] = page.content
    words = [f"has the script, as activity {activity_id}"]
    if sco.shared:
        words.append("several items launch it, and are told as one activity")
    if page.widened_policy:
        words.append("its Content-Security-Policy lets it reach the bridge")
    return "; ".join(words)


def _original(source: Path) -> _Original | None:
    """Return what is needed to have the original of a package, None where it is not wrapped."""
    if source.is_dir():
        place = source / ORIGINAL_NAME
        content = place.read_bytes() if place.is_file() else None
    else:
        with source.open("rb") as file:
            archive = Archive(file)
            content = archive.read(ORIGINAL_NAME) if ORIGINAL_NAME in archive.names else None
    if content is None:
        return None
    try:
        original = msgspec.msgpack.decode(content, type=_Original)
    except msgspec.DecodeError as error:
        raise PackageError(f"{ORIGINAL_NAME} is damaged: {error}.") from None
    if sum(len(part) if isinstance(part, bytes) else part[1] for part in original.segments) > MAX_ARCHIVE_BYTES:
        raise PackageError(
            f"{ORIGINAL_NAME} is damaged: the original would have more than {MAX_ARCHIVE_BYTES:,} bytes."
        )
    if any(path.startswith("/") or ".." in path.split("/") for path in original.files):
        raise PackageError(f"{ORIGINAL_NAME} names a file outside of the package.")
    return original


@contextmanager
def _whole(output: Path) -> Iterator[None]:
    """Remove what was written when the block raises; what was there before stays.

    Raises:
        PackageError: something is there.
    """
    if output.exists():
        raise PackageError(f"{output} is there already: nothing is overwritten.")
    try:
        yield
    except BaseException:
        _remove(output)
        raise


def _copy(source: Path, output: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, output)
    else:
        shutil.copyfile(source, output)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _at_root(root: Path, *names: str) -> Callable[[str, list[str]], set[str]]:
    return lambda folder, _: set(names) if Path(folder) == root else set()


def _digest(file: BufferedReader | BufferedRandom) -> bytes:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").digest()
