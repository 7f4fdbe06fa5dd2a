"""What `tests/activation/test_runs.py` says, with ledgers, segments and spool on PostgreSQL."""

from activation.test_runs import *  # noqa: F403
