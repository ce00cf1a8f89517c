"""Which interactions of a commit are this session's own, and which of them are written to the end.

Content counts its interactions from nought in every session, or goes on where the LMS loaded those of earlier ones.
"""

from __future__ import annotations

from msgspec import Raw
from msgspec.structs import replace

from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.snapshot import Interactions, Item, Snapshot
from mappings.cmi.tree import NULL, from_json
from mappings.cmi.tree import item as clean


def begin_interactions(
    snapshot: Snapshot, session: SessionState, incoming: Snapshot, *, settled: bool
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the snapshot without interactions of earlier sessions whose indices this one uses anew.

    Content counts its interactions from nought in every session. An item that is wholly the earlier session's was
    loaded by the LMS and is no new answer; one without an id adds to what was loaded.
    """
    if session.number <= 1 or not incoming.interactions or not snapshot.interactions:
        return snapshot, session.own_interactions
    written, loaded = set(session.own_interactions), snapshot.interactions
    new = [
        index
        for index, sent in incoming.interactions.items()
        if index not in written and loaded.get(index) != sent and _begins(loaded.get(index), sent, settled=settled)
    ]
    if not new:
        return snapshot, session.own_interactions
    anew = frozenset(new)
    remaining = {index: item for index, item in loaded.items() if index not in anew}
    return replace(snapshot, interactions=remaining), (*session.own_interactions, *new)


def _begins(loaded: Raw | None, sent: Raw, *, settled: bool) -> bool:
    if loaded is None:
        return sent != NULL
    item = _set(clean(sent))
    return not (settled and "id" not in item) and item != _set(from_json(loaded))


def _set(item: Item) -> Item:
    """Return what of an item is set."""
    parts = {key: _set(part) if isinstance(part, dict) else part for key, part in item.items()}
    return {key: part for key, part in parts.items() if part not in ("", {})}


def without_foreign(snapshot: Snapshot, incoming: Snapshot, *, older: bool) -> Snapshot:
    """Return an earlier session's commit without interactions whose indices a later session uses by now."""
    if not incoming.interactions or not snapshot.interactions:
        return incoming
    loaded = snapshot.interactions
    interactions = {
        index: sent for index, sent in incoming.interactions.items() if not _foreign(loaded.get(index), sent, older)
    }
    return incoming if len(interactions) == len(incoming.interactions) else replace(incoming, interactions=interactions)


def _foreign(loaded: Raw | None, sent: Raw, older: bool) -> bool:  # noqa: FBT001 -- one word, used once
    """Return whether two items of one index are of two answers: by their ids and, of an older commit, by anything."""
    if loaded is None or loaded == sent:
        return False
    loaded_item, item = from_json(loaded), _set(clean(sent))
    return any(loaded_item.get(key) not in (None, "", item[key]) for key in (item if older else {"id"} & item.keys()))


def settled_interactions(
    attempt: AttemptState, before: Snapshot, snapshot: Snapshot, incoming: Snapshot, *, settled: bool
) -> tuple[Snapshot, Interactions | None]:
    """Return the snapshot before the commit with the interactions that were told, and those that may be told now.

    Of a commit that is one of many small ones, these are all but the one it ends in, which may still be written.
    """
    loaded, now = before.interactions, snapshot.interactions
    if attempt.emitted_interactions is not None:
        # what this session uses anew was forgotten
        emitted = {index: item for index, item in attempt.emitted_interactions.items() if index in (loaded or ())}
        before = replace(before, interactions=emitted)
    if settled or not now:
        return before, now
    earlier, old = before.interactions or {}, loaded or {}
    changed = [index for index in incoming.interactions or () if now.get(index) is not old.get(index)]
    deferred: str | None = changed[-1] if changed else None
    if deferred is None and attempt.emitted_interactions is not None:
        deferred = next((index for index, item in now.items() if item != earlier.get(index)), None)
    if deferred is None:
        return before, now
    untold = {index: item for index, item in now.items() if index != deferred}
    return before, untold | {deferred: earlier[deferred]} if deferred in earlier else untold
