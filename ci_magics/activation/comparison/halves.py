"""Split a segment into two random halves, using only its keys and hashes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.segments.consents import consent_of, profile_schema
from ci_magics.activation.segments.storage import keep_segment
from ci_magics.activation.segments.stored_segment import StoredSegment
from ci_magics.errors import SegmentError
from ci_magics.matching.hashes import of_column, unique
from ci_magics.matching.streaming import AlreadyMatched
from ci_magics.naming import LONGEST_NAME
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Half:
    """One half of the profiles whose hash depends on the normalization.

    Parameters
    ----------
    rule
        The normalization that it is sent with.
    segment
        The name of the segment and its audience.
    number
        0 or 1.
    people
        Number of different addresses in it.
    """

    rule: str
    segment: str
    number: int
    people: int


def halves_of(stored: StoredSegment) -> tuple[Half, Half]:
    """Count the two halves of a segment.

    Profiles with the same enhanced hash are one person and are in the same half. The split is random, but always the
    same for segments with the same name.
    """
    people = np.concatenate(
        [_enhanced(batch) for batch in stored.profiles.batches(["sha256_basic", "sha256_enhanced"])]
        or [np.empty((0, 32), np.uint8)]
    )
    sides = _sides(unique(people), stored.record.name)
    counts = len(sides) - int(sides.sum()), int(sides.sum())
    name = stored.record.name
    return (
        Half("basic", name_of_half(name, "basic"), 0, counts[0]),
        Half("enhanced", name_of_half(name, "enhanced"), 1, counts[1]),
    )


def name_of_half(name: str, rule: str) -> str:
    """Return the name of a half and its audience.

    Parameters
    ----------
    name
        The name of the segment.
    rule
        The normalization that the half is sent with.
    """
    return f"{name} ({rule})"


def keep_half(workspace: Workspace, stored: StoredSegment, half: Half, show: Callable[[str], None]) -> Segment:
    """Save a half as a segment.

    Parameters
    ----------
    workspace
        The workspace that stores the segment.
    stored
        The segment to split.
    half
        The half to save.
    show
        Called with each sentence that the user must see.

    Raises
    ------
    SegmentError
        The name is too long for an audience.
    """
    if len(half.segment) > LONGEST_NAME:
        raise SegmentError(
            "With the rule behind it, the segment's name is longer than the 128 characters that an audience may have.",
            "Make the segment under a shorter name.",
            code="name_too_long",
        )
    record = stored.record
    schema = profile_schema(workspace, record)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=half.segment,
        rows=0,
        email=record.definition["email"],
        key=record.definition["key"],
        where=f"half of '{record.name}' whose hash depends on the normalization",
        columns=tuple(schema.names),
        consent=consent_of(record),
    )
    profiles = AlreadyMatched(schema, _chosen(stored, schema, half))
    return keep_segment(workspace, segment, profiles, f"it is a half of the segment '{record.name}'", show)


def _chosen(stored: StoredSegment, schema: pa.Schema, half: Half) -> Iterator[pa.RecordBatch]:
    for batch in stored.profiles.batches(schema.names):
        differing = batch.filter(_differs(batch))
        sides = _sides(_enhanced(differing), stored.record.name)
        yield differing.filter(pa.array(sides == half.number))


def _enhanced(batch: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    """Return the enhanced hashes of the profiles whose hash depends on the normalization."""
    return of_column(batch.filter(_differs(batch)).column("sha256_enhanced"))


def _differs(batch: pa.RecordBatch) -> pa.Array:
    """Return which profiles have two different hashes. A profile with one hash can be matched by one rule only."""
    return pc.not_equal(batch.column("sha256_basic"), batch.column("sha256_enhanced"))


def _sides(hashes: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.int64]:
    """Return 0 or 1 for each hash, at random but reproducible for a name."""
    seed = np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], np.uint64) | np.uint64(1)
    # Multiplicative hashing: the highest bit of the product depends on all bits of both factors. Taking a bit of the
    # hash itself would put each person into the same half in every comparison.
    words = np.ascontiguousarray(hashes[:, :8]).view(np.uint64).reshape(-1)
    return (words * seed >> np.uint64(63)).astype(np.int64)
