"""The keys of earlier segments in a rule, compared with the keys of a frame by value, whatever their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ci_magics.advice import COLUMN, Do, Opt, advise
from ci_magics.errors import SegmentError, not_found
from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.key_text import arrow_keys, can_be_key
from ci_magics.segmentation.rules.kinds import schema_of
from ci_magics.segmentation.sources.frames import column_names


class Members:
    """The keys of one earlier segment, and whether any key of a frame was found among them.

    Parameters
    ----------
    keys
        Its keys: an Arrow column, a Polars Series or a list.
    """

    def __init__(self, keys: Any) -> None:
        self.keys = arrow_keys(keys)
        self.ids = IdSet(self.keys.chunks if isinstance(self.keys, pa.ChunkedArray) else [self.keys])
        self.found_any = False
        #: A sample of the frame's keys, for messages.
        self.frame_keys = pa.nulls(0)

    def contains(self, keys: pa.Array) -> pa.Array:
        """Return for each key of a frame whether the segment has it."""
        found = self.ids.contains(keys)
        if not self.found_any and len(keys):
            self.found_any, self.frame_keys = found.true_count > 0, keys
        return found


def require_members(
    wanted: Sequence[str], members: Mapping[str, Any], source: Any, key: str | None
) -> dict[str, Members]:
    """Return the keys of the segments that a rule uses.

    Parameters
    ----------
    wanted
        Their names.
    members
        Keys by segment: `Members`, an Arrow column, a Polars Series or a list.
    source
        The frame, or its Arrow schema.
    key
        The frame's key column.

    Raises
    ------
    SegmentError
        There is no key to compare, or its values cannot identify profiles.
    NotFoundError
        A segment does not exist.
    """
    if key is not None:
        require_column(source.names if isinstance(source, pa.Schema) else column_names(source), key)
    if not wanted:
        return {}
    if key is None:
        raise SegmentError(
            f"The rule uses the segment '{wanted[0]}', and the frame has no key to compare.",
            advise("Name the column that identifies a profile: ", Opt("key", COLUMN), "."),
            code="rule_without_key",
        )
    for name in wanted:
        if name not in members:
            raise not_found("segment", name, members, advise("List them: ", Do("segments"), "."))
    kind = schema_of(source, [key]).field(key).type
    if not (can_be_key(kind) or pa.types.is_null(kind)):
        raise SegmentError(
            f"The column {key} holds {kind} values, which cannot identify profiles.",
            advise("Name a column of texts, numbers or times: ", Opt("key", COLUMN), "."),
            code="rule_without_key",
        )
    return {name: keys if isinstance(keys := members[name], Members) else Members(keys) for name in wanted}
