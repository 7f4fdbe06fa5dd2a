"""What `tests/activation/test_audiences.py` says, with the workspace on PostgreSQL."""

from activation.test_audiences import *  # noqa: F403
