"""The tests of `tests/workspace/test_schema.py`, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine, create_engine
from workspace.test_schema import (
    test_audit_log_refuses_changes_in_new_and_migrated_workspaces,
    test_callback_for_changed_tables_runs_once,
    test_failed_migration_changes_nothing,
    test_migrations_create_the_current_tables,
    test_new_workspace_has_the_current_tables_and_revision,
    test_newer_workspace_is_refused_and_left_unchanged,
    test_programs_from_before_alembic_see_a_newer_version,
    test_schema_difference_is_detected,
    test_upgrade_masks_personal_data_in_the_audit_log,
    test_workspace_from_before_alembic_is_upgraded_from_its_version,
)

__all__ = [
    "test_audit_log_refuses_changes_in_new_and_migrated_workspaces",
    "test_callback_for_changed_tables_runs_once",
    "test_failed_migration_changes_nothing",
    "test_migrations_create_the_current_tables",
    "test_new_workspace_has_the_current_tables_and_revision",
    "test_newer_workspace_is_refused_and_left_unchanged",
    "test_programs_from_before_alembic_see_a_newer_version",
    "test_schema_difference_is_detected",
    "test_upgrade_masks_personal_data_in_the_audit_log",
    "test_workspace_from_before_alembic_is_upgraded_from_its_version",
]


@pytest.fixture
def engine(database_url: URL) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()
