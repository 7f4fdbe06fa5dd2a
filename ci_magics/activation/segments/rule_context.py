"""The context of a rule: the current day, and the keys of the stored segments that it names."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ci_magics.advice import COLUMN, Opt, advise
from ci_magics.clock import present
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.matching.matched import storable_keys
from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.rules.members import Members
from ci_magics.segmentation.rules.rows import RuleContext, joining_key
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.segmentation.sources.files import is_query
from ci_magics.segmentation.sources.streams import is_path
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

#: The longest text that an error message quotes, in characters.
_LONGEST_SHOWN = 60


def context_for(workspace: Workspace, frame: Any, where: str | None, rule: Rule, key: str | None) -> RuleContext:
    """Return the context to evaluate a rule in.

    Parameters
    ----------
    workspace
        Workspace with the segments that the rule names.
    frame
        Frame or files that the rule is applied to.
    where
        SQL condition of the segment; must be None.
    rule
        The rule.
    key
        Key column of the frame; None finds it.

    Raises
    ------
    ArgumentError
        A condition or a query is combined with the rule.
    NotFoundError
        A segment that the rule names does not exist.
    SegmentError
        A segment has another key column.
    """
    require_only_a_rule(frame, where)
    column = joining_key(frame, key) if rule.needs_key else key
    return RuleContext(
        key=column,
        today=today(),
        members={name: Members(keys_of_segment(workspace, name, column)) for name in rule.segments},
        as_stored=storable_keys,
    )


def today() -> dt.date:
    """Return the current day in the time zone of this machine. Conditions such as "in the last 30 days" end on it."""
    return present().astimezone().date()


def require_only_a_rule(frame: Any, where: str | None) -> None:
    """Check that a rule is not combined with a condition or a query.

    Parameters
    ----------
    frame
        Source of the segment.
    where
        SQL condition of the segment.

    Raises
    ------
    ArgumentError
        There is a condition, or the frame is a query.
    """
    if where is not None:
        raise ArgumentError(
            "A segment is made with either a rule or a condition in SQL, not with both.",
            advise("Leave out ", Opt("where"), ", or ", Opt("rule"), "."),
            code="where_twice",
        )
    if isinstance(frame, str) and not is_path(frame):
        raise not_with_a_query(frame, "A rule is about a frame or files, and this is a query")


def not_with_a_query(text: str, about_query: str) -> ArgumentError:
    """Return the error for a condition or rule on a text that is not a file: a query, or a misspelled name.

    Parameters
    ----------
    text
        The text.
    about_query
        Sentence to use if the text is a query, without the period.
    """
    if is_query(text):
        return ArgumentError(f"{about_query}.", "Write the condition into the query.", code="where_twice")
    return ArgumentError(
        f"{_quoted(text)} is neither a query nor the name of a file that ci-magics reads.",
        "Hand in the frame itself, not its name as text; a file ends in .csv, .jsonl, .parquet or .xlsx.",
        code="not_a_source",
    )


def _quoted(text: str) -> str:
    return f"'{text}'" if len(text) <= _LONGEST_SHOWN and "\n" not in text else "The text"


def keys_of_segment(workspace: Workspace, name: str, column: str | None) -> Any:
    """Return the keys of a stored segment.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Segment name.
    column
        Key column that the segment must have; None accepts any.

    Raises
    ------
    NotFoundError
        The segment does not exist.
    SegmentError
        The segment has no key column, or another one.
    """
    record = workspace.segments[name]
    require_key(record, column)
    with workspace.snapshots.opened(record.id) as file:
        return file.read(["key"])["key"]


def require_key(record: SegmentRecord, column: str | None) -> None:
    """Check that a segment has a key column.

    Parameters
    ----------
    record
        The segment.
    column
        Key column that it must have, compared with `same_key`; None accepts any.

    Raises
    ------
    SegmentError
        The segment has no key column, or another one.
    """
    other = record.definition["key"]
    if other == ROW_NUMBER:
        raise SegmentError(
            f"The segment '{record.name}' has no key, so profiles cannot be looked up in it.",
            advise("Make it again with a key column: ", Opt("key", COLUMN), "."),
            code="rule_without_key",
        )
    if column is not None and not same_key(other, column):
        raise SegmentError(
            f"The key of the segment '{record.name}' is {other}, and here it is {column}.",
            advise("Make both with the same key column, for example ", Opt("key", other), "."),
            code="rule_other_key",
        )
