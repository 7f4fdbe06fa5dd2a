"""The tests of interrupted reading in `tests/scenarios/test_insights.py`, with the spool on PostgreSQL."""

from scenarios.test_insights import (  # noqa: F401
    pytestmark,
    test_a_reading_that_is_stopped_goes_on_from_there,
    test_a_refresh_in_between_begins_anew,
    test_files_that_were_read_are_not_read_again,
    test_nobody_reads_the_same_twice_at_a_time,
)
