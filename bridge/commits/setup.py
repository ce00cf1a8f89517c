"""What every commit is worked out with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bridge.clock import NewId, Now
from mappings.document import CompiledMapping


@dataclass(frozen=True)
class Setup:
    """What every commit is worked out with.

    `targets` are the names of the LRSs that each rule's statements go to, by its name, `documents` those that get each
    document, by its name.
    """

    mapping: CompiledMapping
    mapping_version_id: int
    targets: Mapping[str, tuple[str, ...]]
    documents: Mapping[str, tuple[str, ...]]
    now: Now
    new_id: NewId

    @cached_property
    def documents_rest(self) -> int:
        """Tell the milliseconds for which what changes is gathered before documents are made of it."""
        return min(
            (one.every * 1000 for one in self.mapping.document.documents if one.name in self.documents), default=0
        )
