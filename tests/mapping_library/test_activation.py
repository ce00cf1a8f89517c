"""Which version holds: what the settings name, what people activate, and going back."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, select

from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.documents import load_mapping
from bridge.operations.audit_context import AuditContext
from bridge.settings import FilterSettings, TargetSettings
from mappings.definition import CompiledMapping, DefinitionError
from storage import audit_log, mapping_versions
from storage.engine import reading, writing
from storage.tables import mapping_activation
from tests.storage.builders import NOW, add_lms
from tests.storage.threads import at_once
from tests.support.mapping import DEFAULT, MASTERED, variant

CONTEXT = AuditContext("ada", "to try it", NOW)
MORE, LESS = variant(add=MASTERED), load_mapping("minimal")


def _active(engine: Engine, lms_id: int | None = None) -> int | None:
    with reading(engine) as connection:
        return mapping_versions.active_for(connection, lms_id)


def _activate(engine: Engine, mapping: CompiledMapping, lms_id: int | None = None) -> int:
    with writing(engine) as connection:
        version_id = activation.store_version(connection, mapping, NOW)
        done = activation.activate_version(connection, version_id, lms_id, targets=(), context=CONTEXT)
        assert done.version_id == version_id
        return version_id


def _roll_back(engine: Engine, lms_id: int | None = None) -> int | None:
    with writing(engine) as connection:
        return activation.roll_back(connection, lms_id, targets=(), context=CONTEXT).version_id


def _follow(engine: Engine, mapping: CompiledMapping = DEFAULT) -> None:
    with writing(engine) as connection:
        activation.activate_configured(connection, mapping, NOW)


def test_the_settings_activate_their_document_once_and_again_only_when_its_content_changes(engine: Engine) -> None:
    _follow(engine)
    first = _active(engine)
    _follow(engine)
    version_id = _activate(engine, LESS)
    _follow(engine)
    assert _active(engine) == version_id

    _follow(engine, MORE)

    with reading(engine) as connection:
        rows = [(row.by, row.mapping_version_id) for row in mapping_versions.activations(connection)]
    assert rows == [("settings", first), ("ada", version_id), ("settings", _active(engine))]
    assert _active(engine) not in {first, version_id}


def test_processes_that_start_at_once_activate_once(engine: Engine) -> None:
    at_once(5, lambda _number: _follow(engine))

    with reading(engine) as connection:
        assert len(mapping_versions.activations(connection)) == 1


def test_an_lms_has_its_own_version_or_that_for_all(engine: Engine) -> None:
    _follow(engine)
    for_all = _active(engine)
    with writing(engine) as connection:
        lms, other = add_lms(connection, "one"), add_lms(connection, "other")
    version_id = _activate(engine, LESS, lms)

    assert (_active(engine, lms), _active(engine, other), _active(engine)) == (version_id, for_all, for_all)


def test_rolling_back_goes_back_one_version_each_time_and_never_in_a_circle(engine: Engine) -> None:
    _follow(engine)
    first = _active(engine)
    second, third = _activate(engine, LESS), _activate(engine, MORE)
    assert [_roll_back(engine), _roll_back(engine)] == [second, first]
    with pytest.raises(LibraryError, match="no version before"):
        _roll_back(engine)
    assert _activate(engine, MORE) == third
    assert _roll_back(engine) == first


def test_what_is_activated_twice_is_rolled_back_at_once(engine: Engine) -> None:
    _follow(engine)
    first = _active(engine)
    _activate(engine, LESS)
    _activate(engine, LESS)

    assert _roll_back(engine) == first


def test_an_lms_that_goes_back_before_its_own_versions_follows_all_again(engine: Engine) -> None:
    _follow(engine)
    with writing(engine) as connection:
        lms_id = add_lms(connection)
    _activate(engine, LESS, lms_id)

    assert _roll_back(engine, lms_id) is None
    assert _active(engine, lms_id) == _active(engine)
    assert _activate(engine, MORE) == _active(engine, lms_id)


def test_every_act_is_kept_with_who_and_why(engine: Engine) -> None:
    _follow(engine)
    with writing(engine) as connection:
        lms_id = add_lms(connection, "campus")
    version_id = _activate(engine, LESS, lms_id)
    _roll_back(engine, lms_id)

    with reading(engine) as connection:
        acts = audit_log.newest(connection)

    assert [(act.action, act.by, act.reason) for act in acts] == [
        ("rollback", "ada", "to try it"),
        ("activate", "ada", "to try it"),
    ]
    assert json.loads(acts[1].subject) == {"lms": "campus", "mapping_version": version_id}


def test_a_version_with_faults_is_never_activated_and_all_of_them_are_told(engine: Engine) -> None:
    _follow(engine)
    text = LESS.definition.text.replace('verb = "passed"', 'verb = "past"').replace('once = "attempt"', 'once = "x"', 1)
    with writing(engine) as connection:
        version_id = mapping_versions.ensure(connection, name="broken", content_hash="0" * 64, definition=text, now=NOW)
    before = _active(engine)
    with pytest.raises(DefinitionError) as caught, writing(engine) as connection:
        activation.activate_version(connection, version_id, None, targets=(), context=CONTEXT)

    assert {fault.place for fault in caught.value.faults} == {"rules[0].once", "rules[1].verb"}
    assert _active(engine) == before


def test_nobody_can_act_in_the_settings_name(engine: Engine) -> None:
    _follow(engine)
    context = AuditContext("settings", "why", NOW)
    with writing(engine) as connection:
        version_id = activation.store_version(connection, LESS, NOW)
        with pytest.raises(LibraryError):
            activation.activate_version(connection, version_id, None, targets=(), context=context)
        with pytest.raises(LibraryError):
            activation.roll_back(connection, None, targets=(), context=context)


def test_a_filter_that_names_a_rule_the_version_has_not_is_a_warning(engine: Engine) -> None:
    target = TargetSettings(name="lrs", endpoint="https://l.example/", filter=FilterSettings(only=("scored", "passed")))
    with writing(engine) as connection:
        version_id = activation.store_version(connection, LESS, NOW)
        done = activation.activate_version(connection, version_id, None, targets=[target], context=CONTEXT)

    (warning,) = done.warnings

    assert warning.startswith("targets.lrs.filter: scored is no rule or verb")


def test_versions_are_found_by_name_and_by_the_beginning_of_their_hash(engine: Engine) -> None:
    with writing(engine) as connection:
        ids = [activation.store_version(connection, mapping, NOW) for mapping in (DEFAULT, MORE, LESS)]
        version_ids = [
            activation.find_version(connection, text).id
            for text in ("minimal", "scorm-profile", DEFAULT.definition.content_hash[:8])
        ]
        assert version_ids == [ids[2], ids[1], ids[0]]
        for name in ("none", MORE.definition.content_hash[:3]):
            with pytest.raises(LibraryError):
                activation.find_version(connection, name)
        with pytest.raises(LibraryError, match="No LMS"):
            activation.find_lms(connection, "nowhere")
        assert not connection.execute(select(mapping_activation)).all()
