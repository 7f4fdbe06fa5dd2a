"""The keys of earlier segments, as a rule compares them with the key of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from ci_magics.errors import SegmentError, not_found
from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.rules.kinds import Kind, types_of
from ci_magics.segmentation.sources.frames import column_names


def require_members(
    wanted: Sequence[str], members: Mapping[str, Any], source: Any, key: str | None
) -> dict[str, pl.Series]:
    """Return the keys of the segments that a rule uses.

    Parameters
    ----------
    wanted
        Their names.
    members
        Keys by segment: an Arrow column, a Polars Series or a list.
    source
        The frame, or its Arrow schema.
    key
        The frame's key column.

    Raises
    ------
    SegmentError
        There is no key to compare.
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
            "Name the column that identifies a profile: --key COLUMN.",
            code="rule_without_key",
        )
    for name in wanted:
        if name not in members:
            raise not_found("segment", name, members, "List them with %ci_segment.")
    kind = types_of(source, [key])[key].kind
    return {name: _keys(name, members[name], kind, key) for name in wanted}


def _keys(name: str, given: Any, kind: Kind, key: str) -> pl.Series:
    keys = pl.Series("key", pl.from_arrow(given) if isinstance(given, pa.Array | pa.ChunkedArray) else given)
    if keys.dtype == pl.Null or not len(keys):
        return keys.cast(pl.Null)
    if keys.dtype == pl.Categorical or isinstance(keys.dtype, pl.Enum):
        keys = keys.cast(pl.String)
    other = types_of(keys.to_frame())["key"].kind
    if other is kind:
        return keys
    raise SegmentError(
        f"The keys of the segment '{name}' are of another type than {key}.",
        "Make both segments with the same key column.",
        code="rule_other_key",
    )
