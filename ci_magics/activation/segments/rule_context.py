"""What a rule is evaluated with: the day, and the keys of the earlier segments that it names."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ci_magics.clock import present
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.matching.matched import kept_keys
from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.rules.members import Members
from ci_magics.segmentation.rules.rows import Circumstances, joining_key
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.segmentation.sources.files import is_query
from ci_magics.segmentation.sources.streams import is_path
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

#: The longest text that an error repeats.
_LONGEST_SHOWN = 60


def circumstances(workspace: Workspace, frame: Any, where: str | None, rule: Rule, key: str | None) -> Circumstances:
    """Return what a rule is evaluated with.

    Raises
    ------
    ArgumentError
        There is a condition or a query beside the rule.
    NotFoundError
        A segment that the rule names does not exist.
    SegmentError
        A segment has another key.
    """
    require_only_a_rule(frame, where)
    column = joining_key(frame, key) if rule.needs_key else key
    return Circumstances(
        key=column,
        today=today(),
        members={name: Members(keys_of_segment(workspace, name, column)) for name in rule.segments},
        as_kept=kept_keys,
    )


def today() -> dt.date:
    """Return the day on which the last days of a rule end: the one on this machine's calendar."""
    return present().astimezone().date()


def require_only_a_rule(frame: Any, where: str | None) -> None:
    """Refuse a condition or a query beside a rule.

    Raises
    ------
    ArgumentError
        There is one.
    """
    if where is not None:
        raise ArgumentError(
            "A segment is made with a rule or with a condition in SQL, not with both.",
            "Leave out --where, or --rule.",
            code="where_twice",
        )
    if isinstance(frame, str) and not is_path(frame):
        raise beside_a_text(frame, "A rule is about a frame or files, and this is a query")


def beside_a_text(text: str, about_query: str) -> ArgumentError:
    """Return the error for a condition or rule beside a text that is no file: a query, or something mistyped."""
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
    """Return the keys of a stored segment, which must be those of a column where one is named.

    Raises
    ------
    NotFoundError
        There is no such segment.
    SegmentError
        It has no key, or another one.
    """
    record = workspace.segments[name]
    require_key(record, column)
    with workspace.snapshots.opened(record.id) as file:
        return file.read(["key"])["key"]


def require_key(record: SegmentRecord, column: str | None) -> None:
    """Require that a segment has a key, and the one of a column where one is named; see `same_key`.

    Raises
    ------
    SegmentError
        It has none, or another one.
    """
    other = record.definition["key"]
    if other == ROW_NUMBER:
        raise SegmentError(
            f"The segment '{record.name}' has no key, so nobody can be found in it.",
            "Make it again with a key column: --key COLUMN.",
            code="rule_without_key",
        )
    if column is not None and not same_key(other, column):
        raise SegmentError(
            f"The key of the segment '{record.name}' is {other}, and here it is {column}.",
            f"Make both with the same key column, for example --key {other}.",
            code="rule_other_key",
        )
