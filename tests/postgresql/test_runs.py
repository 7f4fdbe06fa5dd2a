"""The tests of `tests/activation/runs/test_runs.py`, with ledgers, segments and spool on PostgreSQL."""

from activation.runs.test_runs import *  # noqa: F403
