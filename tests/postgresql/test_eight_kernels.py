"""The tests of `tests/workspace/test_eight_kernels.py`, on PostgreSQL."""

import pytest
from sqlalchemy import URL
from workspace.test_eight_kernels import *  # noqa: F403


@pytest.fixture
def new_location(database_url: URL) -> str:
    return database_url.render_as_string(hide_password=False)
