"""The tests of `tests/activation/audiences/test_audiences.py`, with the workspace on PostgreSQL."""

from activation.audiences.test_audiences import *  # noqa: F403
