"""The tests of `tests/workspace/test_locks.py`, on PostgreSQL."""

from workspace.test_locks import *  # noqa: F403
from workspace.test_locks import _quick  # noqa: F401
