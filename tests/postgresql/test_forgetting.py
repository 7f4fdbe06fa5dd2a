"""What `tests/activation/test_forgetting.py` says, with the workspace on PostgreSQL."""

from activation.test_forgetting import *  # noqa: F403
