"""Records are declared once: a table has a column for each stored field of its record."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest
from sqlalchemy import JSON, Boolean, Integer, String, Table, Text

from ci_magics.workspace import tables
from ci_magics.workspace.export_models import Export, ExportRun, Heartbeat, Notice, Refresh, Setting
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.models import (
    AudienceRecord,
    Connection,
    Consent,
    ConsentChoiceRecord,
    PushRecord,
    RunRecord,
    SegmentCount,
    SegmentRecord,
    SegmentVersion,
    SignInRecord,
    StepRecord,
    UserRole,
)

RECORDS: list[tuple[type, Table]] = [
    (Connection, tables.connections),
    (Consent, tables.consents),
    (SegmentRecord, tables.segments),
    (SegmentVersion, tables.segment_versions),
    (InsightsRecord, tables.insights),
    (ConsentChoiceRecord, tables.consent_choices),
    (SegmentCount, tables.segment_counts),
    (AudienceRecord, tables.audiences),
    (RunRecord, tables.runs),
    (PushRecord, tables.pushes),
    (StepRecord, tables.steps),
    (Heartbeat, tables.heartbeats),
    (UserRole, tables.user_roles),
    (SignInRecord, tables.sign_ins),
    (Export, tables.exports),
    (ExportRun, tables.export_runs),
    (Refresh, tables.refreshes),
    (Setting, tables.settings),
    (Notice, tables.notices),
]
NOT_STORED = {Connection: {"consents", "details_hidden"}, ExportRun: {"unknown"}}


@pytest.mark.parametrize(("kind", "table"), RECORDS, ids=lambda each: getattr(each, "__name__", ""))
def test_table_has_the_stored_fields_of_its_record(kind: type, table: Table) -> None:
    stored = {each.name for each in fields(kind)} - NOT_STORED.get(kind, set())
    assert set(table.columns.keys()) == stored
    assert list(table.primary_key.columns.keys()) == ["id"]


def test_column_type_follows_from_the_field_type() -> None:
    columns = tables.export_runs.columns
    assert isinstance(columns["reason"].type, Text)
    assert isinstance(columns["status"].type, String)
    assert columns["status"].type.length == 30
    assert isinstance(columns["attempts"].type, Integer)
    assert isinstance(columns["started_at"].type, tables.UtcDateTime)
    assert isinstance(tables.audiences.columns["owned"].type, Boolean)
    assert isinstance(tables.pushes.columns["add_parts"].type, JSON)


def test_only_optional_fields_are_nullable() -> None:
    assert [name for name, each in tables.exports.columns.items() if each.nullable] == ["connection_id", "schedule"]
    schedule = tables.exports.columns["schedule"].type
    assert isinstance(schedule, JSON)
    assert schedule.none_as_null  # no schedule is stored as NULL, not as the text "null"


def test_records_declare_unique_indexed_and_foreign_keys() -> None:
    assert tables.segments.columns["name"].unique
    assert [each.name for each in tables.steps.indexes] == ["ix_steps_push_id"]
    (reference,) = tables.consents.foreign_keys
    assert (reference.target_fullname, reference.ondelete) == ("connections.id", "CASCADE")


def test_importing_records_does_not_load_sqlalchemy() -> None:
    code = (
        "import sys, ci_magics.workspace.export_models, ci_magics.workspace.models; print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
