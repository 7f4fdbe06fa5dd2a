"""What `tests/activation/exports/test_exports_at_once.py` says, on PostgreSQL."""

from activation.exports.test_exports_at_once import *  # noqa: F403
