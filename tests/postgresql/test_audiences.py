"""What `tests/activation/audiences/test_audiences.py` says, with the workspace on PostgreSQL."""

from activation.audiences.test_audiences import *  # noqa: F403
