"""The tests of the workspace, on PostgreSQL."""

from workspace.test_access import *  # noqa: F403
from workspace.test_audit import *  # noqa: F403
from workspace.test_repository import *  # noqa: F403
