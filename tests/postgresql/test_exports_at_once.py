"""What `tests/activation/test_exports_at_once.py` says, on PostgreSQL."""

from activation.test_exports_at_once import *  # noqa: F403
