"""What `tests/workspace/test_schema.py` says, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine, create_engine
from workspace.test_schema import (
    test_a_difference_would_be_seen,
    test_a_migration_that_fails_changes_nothing,
    test_a_new_workspace_has_the_tables_and_the_last_revision,
    test_a_newer_workspace_is_refused_and_left_as_it_is,
    test_a_workspace_from_before_alembic_goes_on_where_it_was,
    test_an_audit_log_of_an_earlier_version_names_nobody_any_more_and_still_refuses_changes,
    test_programs_from_before_alembic_are_told_of_a_newer_version,
    test_the_audit_log_refuses_changes_however_it_was_made,
    test_the_revisions_make_the_tables,
    test_what_comes_with_new_or_changed_tables_comes_once,
)

__all__ = [
    "test_a_difference_would_be_seen",
    "test_a_migration_that_fails_changes_nothing",
    "test_a_new_workspace_has_the_tables_and_the_last_revision",
    "test_a_newer_workspace_is_refused_and_left_as_it_is",
    "test_a_workspace_from_before_alembic_goes_on_where_it_was",
    "test_an_audit_log_of_an_earlier_version_names_nobody_any_more_and_still_refuses_changes",
    "test_programs_from_before_alembic_are_told_of_a_newer_version",
    "test_the_audit_log_refuses_changes_however_it_was_made",
    "test_the_revisions_make_the_tables",
    "test_what_comes_with_new_or_changed_tables_comes_once",
]


@pytest.fixture
def engine(database_url: URL) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()
