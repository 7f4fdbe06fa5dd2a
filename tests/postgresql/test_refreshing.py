"""What `tests/activation/test_refreshing.py` says, on PostgreSQL."""

from activation.test_refreshing import *  # noqa: F403
