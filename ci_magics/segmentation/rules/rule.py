"""Rules that choose the profiles of a segment, as a tree, a text, SQL and JSON.

Set algebra in Python gives a rule too: ``big & lapsed``, ``big | lapsed``, ``big - opted_out``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ci_magics.display.displayable import Displayable, plain
from ci_magics.errors import SegmentError, without_addresses
from ci_magics.segmentation.columns import no_column
from ci_magics.segmentation.rules.check import check_conditions
from ci_magics.segmentation.rules.contradictions import check_contradictions
from ci_magics.segmentation.rules.kinds import schema_of, types_of
from ci_magics.segmentation.rules.meaning import Test, meaning
from ci_magics.segmentation.rules.members import require_members
from ci_magics.segmentation.rules.reader import read
from ci_magics.segmentation.rules.sql import RuleSql, SqlWriter
from ci_magics.segmentation.rules.tree import (
    MOST_DEPTH,
    AllOf,
    AnyOf,
    Condition,
    Joined,
    Member,
    Node,
    Not,
    depth,
    walk,
)
from ci_magics.segmentation.rules.writer import write
from ci_magics.segmentation.sources.frames import column_names


class Joinable:
    """Something that can be joined with a segment or a rule, by key."""

    def as_node(self) -> Node:
        """Return the node that represents it in a rule."""
        raise TypeError(f"a {type(self).__name__} cannot be part of a rule")

    def __and__(self, other: Any) -> Rule:
        """Return a rule for the profiles in both."""
        return _joined(AllOf, self, other)

    def __or__(self, other: Any) -> Rule:
        """Return a rule for the profiles in either."""
        return _joined(AnyOf, self, other)

    def __sub__(self, other: Any) -> Rule:
        """Return a rule for the profiles in the first but not in the second."""
        if not isinstance(other, Joinable):
            return NotImplemented
        return Rule(root=AllOf(rules=(self.as_node(), Not(rule=other.as_node()))))


class Rule(Displayable, Joinable, BaseModel):
    """A rule of a segment, for example ``Country is any of NL, BE and TotalSpend > 500``.

    An empty value (null, or NaN in a column of numbers) matches only ``is null``, not even ``does not equal``. ``not``
    inverts the result, so ``not Country equals NL`` is true if the country is empty. Times are compared in the time
    zone of their column; compared with a date, only their day counts.

    Parameters
    ----------
    version
        The version of the document.
    root
        The tree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    root: Node

    @model_validator(mode="after")
    def _require_shallow(self) -> Rule:
        if depth(self.root) > MOST_DEPTH:
            raise SegmentError(
                f"Rules are nested more than {MOST_DEPTH} deep.", "Make it a few segments.", code="rule_too_deep"
            )
        return self

    def as_node(self) -> Node:
        """Return the tree."""
        return self.root

    @classmethod
    def parse(cls, text: str, parameters: Mapping[str, Any] | None = None) -> Rule:
        """Read a rule's text.

        Parameters
        ----------
        text
            The rule.
        parameters
            Values for ``$name`` in it; the rule keeps the values.

        Raises
        ------
        SegmentError
            The text is not a rule; the error points to the position.
        """
        return cls(root=read(text, parameters))

    @classmethod
    def from_json(cls, document: str | bytes) -> Rule:
        """Read a rule that was saved.

        Raises
        ------
        SegmentError
            The document is not a rule, or one of a newer version.
        """
        try:
            return cls.model_validate_json(document)
        except ValidationError as error:
            raise _not_a_rule(error) from None

    def to_json(self) -> str:
        """Return the rule as a document that can be saved."""
        return self.model_dump_json()

    @property
    def text(self) -> str:
        """The rule as text; parsing it gives the same rule."""
        return write(self.root)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Rule: {without_addresses(self.text)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the text, and what it uses."""
        return {"text": without_addresses(self.text), "columns": plain(self.columns), "segments": plain(self.segments)}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it uses, in order."""
        return tuple(dict.fromkeys(each.column for each in walk(self.root) if isinstance(each, Condition)))

    @property
    def segments(self) -> tuple[str, ...]:
        """The earlier segments that it uses, in order."""
        return tuple(dict.fromkeys(each.segment for each in walk(self.root) if isinstance(each, Member)))

    @property
    def needs_key(self) -> bool:
        """Whether it joins sets of profiles by key."""
        return any(isinstance(each, Member | Joined) for each in walk(self.root))

    @property
    def joins_sets(self) -> bool:
        """Whether a profile may match because of another row with the same key."""
        return any(isinstance(each, Joined) for each in walk(self.root))

    def to_sql(
        self, source: Any, *, today: dt.date | None = None, key: str | None = None, table: str = "profiles"
    ) -> RuleSql:
        """Return the rule as SQL for DuckDB: a condition with bound values.

        Parameters
        ----------
        source
            The frame that it is for, or its Arrow schema.
        today
            The day on which the last days end; needed only by rules about them.
        key
            The column on which sets of profiles are joined; without one, each row is its own profile.
        table
            The name under which DuckDB knows the frame.

        Raises
        ------
        SegmentError
            The rule does not fit the frame, can never be true, or needs a missing key.
        """
        test = self.check(source, today=today)
        require_members(self.segments, dict.fromkeys(self.segments, ()), source, key)
        key_type = schema_of(source, [key]).field(key).type if key is not None and self.needs_key else None
        return SqlWriter(test, table, key, key_type).rule(self.root)

    def check(self, source: Any, *, today: dt.date | None = None) -> Callable[[Condition], Test]:
        """Check the rule for a frame without running it, and return a function that interprets its conditions.

        Parameters
        ----------
        source, today
            As for `to_sql`.

        Raises
        ------
        SegmentError
            A column is missing, a value or an operator does not fit its column, or the rule can never be true.
        """
        names = source.names if isinstance(source, pa.Schema) else column_names(source)
        for name in self.columns:
            if name not in names:
                raise no_column(names, name)
        types = types_of(source, list(self.columns))
        check_conditions(self.root, names, types)

        def test(condition: Condition) -> Test:
            return meaning(condition, types[condition.column], today)

        check_contradictions(self.root, test)
        return test


def as_rule(rule: Rule | str, parameters: Mapping[str, Any] | None = None) -> Rule:
    """Return a rule from a rule or its text, with values for its ``$name``."""
    return rule if isinstance(rule, Rule) else Rule.parse(rule, parameters)


def _joined(kind: type[AllOf | AnyOf], one: Joinable, other: Any) -> Rule:
    if not isinstance(other, Joinable):
        return NotImplemented  # type: ignore[no-any-return]  # Python's way of saying that the other side may know
    parts: list[Node] = []
    for node in (one.as_node(), other.as_node()):
        parts += node.rules if isinstance(node, kind) else (node,)
    return Rule(root=kind(rules=tuple(parts)))


def _not_a_rule(error: ValidationError) -> SegmentError:
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["loc"] == ("version",):
        return SegmentError(
            "The rule was saved by another version of ci-magics.", "Update ci-magics.", code="rule_version"
        )
    return SegmentError(
        f"The document is not a rule{f': see {place}' if place else ''}.",
        "Write the rule as text, or save it again with to_json().",
        code="rule_document",
    )
