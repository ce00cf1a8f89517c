"""The documents of the sandbox LRS: states and profiles, in memory, with the guards against lost updates.

Source: xAPI Communication, sections 2.2 (Document Resources) and 3.1 (Concurrency).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, TypeAlias

import msgspec
from aiohttp import ETag, web

from bridge.sandbox.lrs.gate import RefusedError

Place: TypeAlias = tuple[str | None, ...]
"""What a document belongs to: its resource, then activity, agent and registration as far as the resource has them."""


class Document(msgspec.Struct, frozen=True):
    """A document as it was received.

    Attributes:
        content: its bytes.
        content_type: the Content-Type header it came with.
        updated: when it was last written, to the millisecond.
    """

    content: bytes
    content_type: str
    updated: datetime

    @property
    def etag(self) -> str:
        """The SHA-1 of the content in hexadecimal, as xAPI Communication 3.1 wants it, without quotes."""
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest()

    @property
    def is_json(self) -> bool:
        """Whether it came as application/json, parameters such as a charset aside."""
        return self.content_type.partition(";")[0].strip().lower() == "application/json"


class Precondition(msgspec.Struct, frozen=True):
    """The conditions of a request: its If-Match and If-None-Match headers, None where there is none."""

    match: tuple[ETag, ...] | None = None
    none_match: tuple[ETag, ...] | None = None

    def demand(self, document: Document | None) -> None:
        """Refuse with 412 unless the conditions hold for a document, or for its absence.

        If-Match holds for a document with one of the tags, compared strongly, or for any with ``*``; If-None-Match
        for none of the tags, and with ``*`` for absence only (RFC 9110, section 13.1).
        """
        if self.match is not None and not _among(self.match, document, strongly=True):
            now = f'is now "{document.etag}"' if document is not None else "does not exist"
            raise RefusedError(412, f"If-Match: the document {now}; read it again")
        if self.none_match is not None and _among(self.none_match, document, strongly=False):
            raise RefusedError(412, "If-None-Match: the document exists; read it again")


def _among(tags: tuple[ETag, ...], document: Document | None, *, strongly: bool) -> bool:
    if document is None:
        return False
    return any(tag.value in {"*", document.etag} and not (strongly and tag.is_weak) for tag in tags)


class DocumentStore:
    """Keeps documents by what they belong to and by id."""

    def __init__(self) -> None:
        self._documents: dict[tuple[Place, str], Document] = {}

    def get(self, place: Place, document_id: str) -> Document | None:
        """Return a document, None if there is none."""
        return self._documents.get((place, document_id))

    def put(
        self, place: Place, document_id: str, document: Document, condition: Precondition, *, guarded: bool
    ) -> None:
        """Store a document in place of whatever is there.

        Raises:
            RefusedError: 412 when a condition does not hold; 409 when there is none, a document exists and such are
                guarded; 400 when it calls itself JSON and is not. Nothing is changed then.
        """
        before = self.get(place, document_id)
        condition.demand(before)
        unconditional = condition.match is None and condition.none_match is None
        if before is not None and unconditional and guarded:
            raise RefusedError(
                409, f'document {document_id}: exists; read it, then set If-Match to its ETag, now "{before.etag}"'
            )
        if document.is_json:
            _decoded(document, "body")
        self._documents[place, document_id] = document

    def merge(self, place: Place, document_id: str, document: Document, condition: Precondition) -> None:
        """Store a document, or lay its properties over those of the JSON object that is there.

        Raises:
            RefusedError: 412 when a condition does not hold; 400 when a document calls itself JSON and is no object,
                or when one exists and either of the two is no JSON. Nothing is changed then.
        """
        before = self.get(place, document_id)
        condition.demand(before)
        if before is None:
            if document.is_json:
                _object(document, "body")
            self._documents[place, document_id] = document
            return
        merged = {**_object(before, f"document {document_id}"), **_object(document, "body")}
        content = msgspec.json.encode(merged)
        self._documents[place, document_id] = msgspec.structs.replace(document, content=content)

    def delete(self, place: Place, document_id: str, condition: Precondition) -> None:
        """Remove a document; one that is not there is no error.

        Raises:
            RefusedError: 412 when a condition does not hold.
        """
        condition.demand(self.get(place, document_id))
        self._documents.pop((place, document_id), None)

    def items(self) -> Iterator[tuple[Place, str, Document]]:
        """Iterate over all documents, each with what it belongs to and its id, in order of creation."""
        for (place, document_id), document in self._documents.items():
            yield place, document_id, document

    def matching(self, covers: Callable[[Place], bool]) -> Iterator[tuple[str, Document]]:
        """Yield the id and document of every place that ``covers`` accepts, in order of creation."""
        for (place, document_id), document in self._documents.items():
            if covers(place):
                yield document_id, document

    def delete_matching(self, covers: Callable[[Place], bool]) -> None:
        """Remove every document of the places that ``covers`` accepts."""
        for place, document_id in list(self._documents):
            if covers(place):
                del self._documents[place, document_id]

    def clear(self) -> None:
        """Delete everything."""
        self._documents.clear()


DOCUMENTS: Final = web.AppKey("DOCUMENTS", DocumentStore)
"""Where the application keeps its documents, for tests that look inside."""


def _decoded(document: Document, at: str) -> object:
    try:
        return msgspec.json.decode(document.content)
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"{at}: must be JSON, as its content type says ({error})") from error


def _object(document: Document, at: str) -> dict[str, object]:
    if not document.is_json:
        raise RefusedError(400, f"{at}: must be application/json to be merged, not {document.content_type}")
    content = _decoded(document, at)
    if not isinstance(content, dict):
        raise RefusedError(400, f"{at}: must be a JSON object to be merged")
    return content
