"""What `tests/activation/erasure/test_forgetting.py` says, with the workspace on PostgreSQL."""

from activation.erasure.test_forgetting import *  # noqa: F403
