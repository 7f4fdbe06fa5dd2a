"""What `tests/workspace/test_locks.py` says, on PostgreSQL."""

from workspace.test_locks import *  # noqa: F403
from workspace.test_locks import _quick  # noqa: F401
