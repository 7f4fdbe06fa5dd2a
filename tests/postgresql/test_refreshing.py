"""What `tests/activation/refreshes/test_refreshing.py` says, on PostgreSQL."""

from activation.refreshes.test_refreshing import *  # noqa: F403
