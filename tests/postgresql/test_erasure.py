"""The tests of `tests/activation/erasure/test_erasure.py`, with the workspace on PostgreSQL."""

from activation.erasure.test_erasure import *  # noqa: F403
