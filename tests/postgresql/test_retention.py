"""What `tests/activation/test_retention.py` says, on PostgreSQL."""

from activation.test_retention import *  # noqa: F403
