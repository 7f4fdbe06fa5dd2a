"""The tests of `tests/activation/erasure/test_forgetting.py`, with the workspace on PostgreSQL."""

from activation.erasure.test_forgetting import *  # noqa: F403
