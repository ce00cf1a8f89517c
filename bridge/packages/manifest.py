"""The manifest of a SCORM package: which SCOs it has, and how a file is added to them.

Sources: IMS Content Packaging 1.1.2 and 1.1.4; SCORM 1.2 CAM 2.3.2; SCORM 2004 CAM 3.4 (`adlcp:scormType`).
"""

from __future__ import annotations

import codecs
import posixpath
import re
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit
from xml.parsers import expat
from xml.sax.saxutils import escape

from bridge.packages import PackageError
from mappings.cmi.snapshot import ScormVersion

MANIFEST = "imsmanifest.xml"
MAX_SCOS = 2_000
_BASE = "http://www.w3.org/XML/1998/namespace base"
_HERE = "http://package.invalid/"
_DECLARATION = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Sco(NamedTuple):
    """A SCO of a package.

    Attributes:
        resource: the identifier of its resource.
        href: as the manifest has it.
        path: of the page that is launched, from the package's root; None where it lies elsewhere.
        activity: the identifier of the item that launches it, of the resource where several or none do.
        shared: several items launch it.
    """

    resource: str
    href: str
    path: str | None
    activity: str
    shared: bool


class Manifest(NamedTuple):
    """What of a manifest matters here; `places` is where each SCO's resource lists its files."""

    identifier: str
    scorm_version: ScormVersion
    scos: list[Sco]
    places: list[_Place]
    text: str
    encoding: str


class _Place(NamedTuple):
    """Where a file is added to a resource: at an offset of the manifest in UTF-8."""

    offset: int
    prefix: str
    base: str
    is_empty: bool


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        PackageError: it is no XML, declares entities, or has no SCO.
    """
    text, encoding = _decode(data)
    reader = _Reader(text.encode("utf-8"))
    if reader.root.rpartition(" ")[2] != "manifest":
        raise PackageError(f"{MANIFEST} has no manifest: its root is {reader.root!r}.")
    if not reader.resources:
        raise PackageError(f"{MANIFEST} names no SCO: a resource with adlcp:scormType (1.2: scormtype) `sco`.")
    if len(reader.resources) > MAX_SCOS:
        raise PackageError(f"{MANIFEST} names more than {MAX_SCOS:,} SCOs.")
    scos = [_sco(resource, reader.items.get(resource.identifier, [])) for resource in reader.resources]
    version: ScormVersion = "2004" if any(resource.is_2004 for resource in reader.resources) else "1.2"
    return Manifest(
        reader.identifier, version, scos, [resource.place() for resource in reader.resources], text, encoding
    )


def with_file(manifest: Manifest, name: str) -> bytes:
    """Return the manifest with a file of the package's root as a file of each SCO; nothing else of it changes."""
    content = manifest.text.encode("utf-8")
    for place in sorted(manifest.places, reverse=True):
        href = posixpath.relpath(name, place.base or ".")
        element = f'<{place.prefix}file href="{escape(href)}"/>'
        if not place.is_empty:
            content = content[: place.offset] + element.encode() + content[place.offset :]
            continue
        # `<resource …/>`: the offset is that of its `/>`
        closed = f">{element}</{place.prefix}resource>"
        content = content[: place.offset] + closed.encode() + content[place.offset + 2 :]
    return content.decode("utf-8").encode(manifest.encoding)


def _decode(data: bytes) -> tuple[str, str]:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    if not encoding:
        declared = _DECLARATION.match(data)
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        text = data.decode(encoding)
        is_same = text.encode(encoding) == data
    except (UnicodeError, LookupError) as error:
        raise PackageError(f"{MANIFEST} is not in the encoding that it declares: {error}.") from None
    if not is_same:
        raise PackageError(f"{MANIFEST} cannot be changed without a loss in its encoding, {encoding}.")
    return text, encoding


class _Resource:
    """A SCO's resource while it is read."""

    def __init__(self, attributes: dict[str, str], base: str, prefix: str, start: int) -> None:
        self.identifier = attributes.get("identifier", "")
        self.href = attributes.get("href", "")
        # SCORM 2004 writes `scormType`, SCORM 1.2 `scormtype`
        self.is_2004 = any(name.rpartition(" ")[2] == "scormType" for name in attributes)
        self.base, self._prefix, self._start = base, prefix, start
        self.first: int | None = None
        self._end, self._is_empty = start, False

    def end(self, content: bytes, index: int) -> None:
        """Record where it ends."""
        self._is_empty = not content.startswith(b"</", index)
        self._end = _tag_end(content, self._start) - 2 if self._is_empty else index

    def place(self) -> _Place:
        """Return where a file is added: before the files and dependencies that it has, as the schema wants it."""
        offset = self._end if self.first is None else self.first
        base = urlsplit(urljoin(_HERE, self.base)).path.lstrip("/")
        return _Place(offset, self._prefix, posixpath.dirname(base), self._is_empty)


class _Reader:
    """Reads a manifest in UTF-8 by what begins and ends in it."""

    def __init__(self, content: bytes) -> None:
        self.root = self.identifier = ""
        self.resources: list[_Resource] = []
        self.items: dict[str, list[str]] = {}
        self._content = content
        self._bases: list[str] = [""]
        self._open: _Resource | None = None
        self._depth = self._open_depth = 0
        self._parser = parser = expat.ParserCreate("utf-8", " ")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.EntityDeclHandler = _refuse_entity
        try:
            parser.Parse(content, True)  # noqa: FBT003 -- expat takes it by position
        except expat.ExpatError as error:
            raise PackageError(f"{MANIFEST} is no well-formed XML: {error}.") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        local, index = name.rpartition(" ")[2], self._parser.CurrentByteIndex
        self._bases.append(urljoin(self._bases[-1], attributes.get(_BASE, "")))
        if not self.root:
            self.root, self.identifier = name, attributes.get("identifier", "")
        if local == "item" and attributes.get("identifierref"):
            self.items.setdefault(attributes["identifierref"], []).append(attributes.get("identifier", ""))
        elif local == "resource" and _is_sco(attributes):
            prefix = self._content[index + 1 : index + 200].split(b"resource", 1)[0].decode("utf-8", "replace")
            self._open = _Resource(attributes, self._bases[-1], prefix, index)
            self._open_depth = self._depth
        elif (
            self._open is not None
            and self._depth == self._open_depth + 1
            and local in {"file", "dependency"}
            and self._open.first is None
        ):
            self._open.first = index

    def _end(self, _name: str) -> None:
        if self._open is not None and self._depth == self._open_depth:
            self._open.end(self._content, self._parser.CurrentByteIndex)
            self.resources.append(self._open)
            self._open = None
        self._depth -= 1
        self._bases.pop()


def _refuse_entity(name: str, *_declaration: object) -> None:
    raise PackageError(f"{MANIFEST} declares the entity {name!r}: manifests with entities are not read.")


def _is_sco(attributes: dict[str, str]) -> bool:
    return any(
        name.rpartition(" ")[2].lower() == "scormtype" and value.strip().lower() == "sco"
        for name, value in attributes.items()
    )


def _tag_end(content: bytes, start: int) -> int:
    """Return where the tag ends that begins at an offset, quoted `>` aside."""
    quote = 0
    for offset in range(start, len(content)):
        byte = content[offset]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return offset + 1
    return len(content)


def _sco(resource: _Resource, items: list[str]) -> Sco:
    place = urlsplit(urljoin(_HERE, urljoin(resource.base, resource.href)))
    inside = f"{place.scheme}://{place.netloc}/" == _HERE and place.path != "/"
    activity = items[0] if len(items) == 1 and items[0] else resource.identifier
    return Sco(
        resource.identifier,
        resource.href,
        unquote(place.path.lstrip("/")) if inside else None,
        activity,
        len(items) > 1,
    )
