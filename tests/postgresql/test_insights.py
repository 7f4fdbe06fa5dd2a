"""The tests of interrupted reading in `tests/scenarios/test_insights.py`, with the spool on PostgreSQL."""

from scenarios.test_insights import (  # noqa: F401
    pytestmark,
    test_completed_files_are_not_read_again,
    test_refresh_in_the_meantime_starts_the_reading_over,
    test_same_segment_is_read_once_at_a_time,
    test_stopped_reading_resumes,
)
