"""The mappings in use, compiled, and where what they generate goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mappings.definition import CompiledMapping
from storage.documents import DocumentRow
from storage.outbox import StatementRow


@dataclass(frozen=True)
class ActiveMapping:
    """A version of a mapping document, ready for use, with the id that it is stored under.

    `targets` are the names of the LRSs that each rule's statements go to, by its name, `documents` those that get each
    document, by its name.
    """

    id: int
    mapping: CompiledMapping
    targets: Mapping[str, tuple[str, ...]]
    documents: Mapping[str, tuple[str, ...]]

    @cached_property
    def documents_rest(self) -> int:
        """Return the milliseconds for which what changes is gathered before documents are made of it."""
        return min(
            (one.every * 1000 for one in self.mapping.definition.documents if one.name in self.documents), default=0
        )


class ActiveMappings:
    """The versions that hold now: `for_lms` has those of LMSs that have one of their own.

    They are replaced as a whole, and those that held before stay known: what was told by them is still to be stored.
    """

    def __init__(self, for_all: ActiveMapping, for_lms: Mapping[int, ActiveMapping] | None = None) -> None:
        self._known: dict[int, ActiveMapping] = {}
        self.use(for_all, for_lms or {})

    def use(self, for_all: ActiveMapping, for_lms: Mapping[int, ActiveMapping]) -> None:
        """Let these hold from now on."""
        # known before they are used: another thread may look for what was just told by one
        self._known |= {one.id: one for one in (for_all, *for_lms.values())}
        self._holding = for_all, for_lms

    def of(self, lms_id: int) -> ActiveMapping:
        """Return the one that holds for an LMS."""
        for_all, for_lms = self._holding
        return for_lms.get(lms_id, for_all)

    def find(self, version_id: int) -> ActiveMapping | None:
        """Return one that holds or held."""
        return self._known.get(version_id)

    def holding(self) -> tuple[ActiveMapping, Mapping[int, ActiveMapping]]:
        """Return the one for all, and those of LMSs that have one of their own."""
        return self._holding

    def targets(self, row: StatementRow) -> tuple[str, ...]:
        """Return the targets of a statement."""
        return self._known[row.mapping_version_id].targets[row.rule]

    def readers(self, row: DocumentRow) -> tuple[str, ...]:
        """Return the targets of a document."""
        return self._known[row.mapping_version_id].documents[row.name]
