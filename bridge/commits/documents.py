"""The documents of an attempt as they are now, as rows to be stored, in each form that targets get them in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Self

from bridge.commit_model.active_mappings import ActiveMapping
from bridge.commits.session_cache import CachedSession
from mappings.generation import documents
from mappings.generation.documents import DocumentContent
from mappings.generation.target_forms import AttemptForm
from storage.documents import DocumentRow, DocumentUpdate


class BuiltDocument(NamedTuple):
    """A document to store, and the targets that get it."""

    update: DocumentUpdate
    targets: tuple[str, ...]

    def following(self, earlier: Self | None) -> BuiltDocument:
        """Return it for the targets of an earlier one of the same batch as well, at once if that one was."""
        if earlier is None:
            return self
        delay = min(self.update.min_interval_ms, earlier.update.min_interval_ms)
        targets = tuple(dict.fromkeys((*earlier.targets, *self.targets)))
        return BuiltDocument(self.update._replace(min_interval_ms=delay), targets)


def documents_of(
    active: ActiveMapping, session: CachedSession, attempts: Sequence[tuple[str, int]]
) -> list[BuiltDocument]:
    """Return the documents of a session's attempt; `attempts` are the id and number of its enrollment's, in order."""
    built: list[BuiltDocument] = []
    every = {target for targets in active.documents.values() for target in targets}
    for mapping_form, targets in active.forms:
        form = mapping_form.of_attempt(session.context(), session.attempt.row.started_at)
        built += _build(active, session, attempts, form, targets)
        every -= targets
    return [*_build(active, session, attempts, None, every), *built]


def _build(
    active: ActiveMapping,
    session: CachedSession,
    attempts: Sequence[tuple[str, int]],
    form: AttemptForm | None,
    receiving: Collection[str],
) -> Iterator[BuiltDocument]:
    """Yield the documents in one form, for the targets that get it."""
    receivers = {
        name: tuple(target for target in targets if target in receiving) for name, targets in active.documents.items()
    }
    receivers = {name: targets for name, targets in receivers.items() if targets}
    for document in documents.generate_documents(
        active.mapping,
        session.context(),
        session.attempt.state,
        names=receivers,
        attempts=attempts,
        form=form,
    ):
        yield BuiltDocument(_update(active, session, document, form), receivers[document.name])


def _update(
    active: ActiveMapping, session: CachedSession, document: DocumentContent, form: AttemptForm | None
) -> DocumentUpdate:
    row = session.row
    return DocumentUpdate(
        DocumentRow(
            document.place.id,
            document.name,
            document.place.resource,
            document.place.parameters,
            document.content_type,
            document.content,
            session.attempt.row.id,
            row.session_id,
            row.commits,
            active.id,
            row.last_commit_at or row.started_at,
            None if form is None else form.description,
        ),
        # what a session leaves behind is what the next launch asks for, perhaps at once
        0 if row.ended is not None else document.every * 1000,
    )
