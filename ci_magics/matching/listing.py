"""List the keys of the profiles that a coverage counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.matching.doubts import MISTYPED, PLACEHOLDER
from ci_magics.matching.matched import DOUBT, Matched
from ci_magics.matching.normalize import rules_of

if TYPE_CHECKING:
    import pandas as pd


def list_profiles(matched: Mapping[str, Matched], what: str, normalization: str) -> pd.DataFrame:
    """Return the keys of the profiles with a reason or a doubt; see `ci_magics.matching.coverage.Coverage.profiles`.

    Parameters
    ----------
    matched
        Matched profiles by segment name.
    what
        ``placeholder``, ``mistyped`` or a reason.
    normalization
        The normalization that decides what is valid.
    """
    import pandas as pd

    doubtful = what in (PLACEHOLDER, MISTYPED)
    found = [
        _of_segment(name, each, what, rules_of(normalization), doubtful=doubtful) for name, each in matched.items()
    ]
    columns = ["segment", "key", *(["meant"] if what == MISTYPED else [])]
    return (
        pd.concat([pd.DataFrame(columns=columns), *found], ignore_index=True)
        if found
        else pd.DataFrame(columns=columns)
    )


def _of_segment(name: str, matched: Matched, what: str, rules: tuple[str, ...], *, doubtful: bool) -> pd.DataFrame:
    import pandas as pd

    columns = ["key", *(f"reason_{rule}" for rule in rules), *([DOUBT] if doubtful else [])]
    frames = []
    for batch in matched.profiles.batches(columns):
        reason = batch.column(f"reason_{rules[0]}").cast(pa.string())
        for rule in rules[1:]:  # valid under one rule is enough
            reason = pc.if_else(batch.column(f"reason_{rule}").is_valid(), reason, pa.scalar(None, pa.string()))
        if not doubtful:
            selected, meant = pc.equal(reason, what), None
        elif DOUBT in batch.schema.names:
            meant = batch.column(DOUBT).cast(pa.string())
            test = pc.equal if what == PLACEHOLDER else pc.not_equal
            selected = pc.and_(test(meant, PLACEHOLDER), reason.is_null())
        else:
            continue
        chosen = {"key": batch.column("key").filter(selected)}
        if what == MISTYPED and meant is not None:
            chosen["meant"] = meant.filter(selected)
        frames.append(pa.table(chosen).to_pandas())
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"key": []})
    frame.insert(0, "segment", name)
    return frame
