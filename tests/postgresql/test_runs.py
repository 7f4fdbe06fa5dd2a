"""What `tests/activation/runs/test_runs.py` says, with ledgers, segments and spool on PostgreSQL."""

from activation.runs.test_runs import *  # noqa: F403
