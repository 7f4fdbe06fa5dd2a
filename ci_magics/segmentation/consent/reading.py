"""One state for each profile, read from the consent columns of its row, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.segmentation.consent.columns import ConsentColumn, Sense
from ci_magics.segmentation.consent.values import (
    AGREES,
    ASKED,
    REFUSES,
    SILENT,
    UNCLEAR,
    UNREADABLE,
    folded_value,
    state_of,
)

#: The column of the snapshot that holds the state; the values themselves are never kept.
STATE = "consent_state"
#: From this many distinct values on, Arrow looks for timestamps first, because each row may have its own. Also the
#: largest number of unexplained values to keep.
_MOST_WORDS = 64
#: The largest number of distinct values to examine one by one; a column with more is not a list of choices.
_MOST = 20_000
_ISO_MOMENT = (
    r"^\s*(18|19|20|21)\d\d-(0\d|1[0-2])-([0-2]\d|3[01])([T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?)?\s*$"
)
#: Up to this many combinations of states, all are listed, even those that do not occur.
_COMBINATIONS = 4096
_Codes = npt.NDArray[np.int32]


class Consents(Protocol):
    """Determine who agreed; small enough to send to workers."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns of the source that it reads."""
        ...

    def states(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the state of each row: `values.AGREES`, `values.REFUSES` and so on, as text."""
        ...


@dataclass(frozen=True)
class ConsentReading:
    """Read the consent columns of a source.

    `values.state_of` reads each value. With several columns, one refusal is enough to refuse. Agreement must come from
    columns about e-mail. If there are none, it must come from columns without a channel; if there are only columns of
    refusals, from one of these that says that nobody refused.

    Parameters
    ----------
    columns
        The columns, and what their headers mean.
    agreed
        Values that mean agreement because the user said so, as written.
    """

    columns: tuple[ConsentColumn, ...]
    agreed: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns of the source that it reads."""
        return tuple(each.name for each in self.columns)

    def states(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the state of each row."""
        agreed = frozenset(map(folded_value, self.agreed))
        codes = np.zeros(batch.num_rows, np.int32)
        known: list[tuple[str, ...]] = [()]
        for column in self.columns:
            column_codes, states = _encode(batch.column(column.name), column, agreed)
            known = [(*before, state) for before in known for state in states]
            codes = codes * np.int32(len(states)) + column_codes
            if len(known) > _COMBINATIONS:  # several columns with many words
                pairs, codes = np.unique(codes, return_inverse=True)
                known, codes = [known[pair] for pair in pairs.tolist()], codes.reshape(-1).astype(np.int32)
        return pa.array([self.combined(each) for each in known], pa.string()).take(pa.array(codes))

    def combined(self, states: Sequence[str]) -> str:
        """Combine the states of a profile's columns."""
        if REFUSES in states:
            return REFUSES
        unexplained = next((each for each in states if each == UNREADABLE or each.startswith(ASKED)), None)
        if unexplained is not None:
            return unexplained
        consents = [each for each in self.columns if each.sense is Sense.CONSENT]
        tier = [each for each in consents if each.email] or consents or list(self.columns)
        found = {state for column, state in zip(self.columns, states, strict=True) if column in tier}
        return next((each for each in (AGREES, UNCLEAR) if each in found), SILENT)


def _encode(values: pa.Array, column: ConsentColumn, agreed: frozenset[str]) -> tuple[_Codes, list[str]]:
    """Return a code for each row, and the state of each code, without duplicates."""
    empty = _empty(column, agreed)
    kind = values.type
    if pa.types.is_null(kind):
        return np.zeros(len(values), np.int32), [empty]
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        present = values.is_valid().to_numpy(zero_copy_only=False)
        return present.astype(np.int32), [empty, _state_of_timestamp(column)]
    if pa.types.is_boolean(kind):
        codes = values.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32) + 1
        states = [empty, _state("false", column, agreed), _state("true", column, agreed)]
    else:
        encoded = _as_text(values).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1
        states = [empty, *_states(encoded.dictionary, column, agreed)]
    different = list(dict.fromkeys(states))
    number = np.array([different.index(each) for each in states], np.int32)
    return number[codes], different


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    try:
        return values.cast(pa.large_string())
    except pa.ArrowException:  # for example lists of channels, or bytes in another encoding
        return pa.array([_to_text(each) for each in values.to_pylist()], pa.large_string())


def _to_text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if value is None else str(value)


def _states(values: pa.Array, column: ConsentColumn, agreed: frozenset[str]) -> list[str]:
    """Return the states of distinct values."""
    if len(values) <= _MOST_WORDS or agreed:
        return [_state(each, column, agreed) for each in values.to_pylist()]
    moments = pc.match_substring_regex(values, _ISO_MOMENT).to_pylist()
    remaining, states, timestamp_state = _MOST, [], _state_of_timestamp(column)
    words: set[str] = set()
    for value, is_moment in zip(values.to_pylist(), moments, strict=True):
        state = timestamp_state if is_moment else _state(value, column, agreed) if remaining else UNREADABLE
        remaining -= not is_moment and remaining > 0
        if state.startswith(ASKED) and len(words) >= _MOST_WORDS and state not in words:
            state = UNREADABLE
        words.add(state)
        states.append(state)
    return states


def _state(value: str, column: ConsentColumn, agreed: frozenset[str]) -> str:
    said = state_of(value, column, agreed)
    return _empty(column, agreed) if said == SILENT else said


def _empty(column: ConsentColumn, agreed: frozenset[str]) -> str:
    """Return the meaning of an empty value: an empty time of refusal means that nobody refused."""
    if folded_value("") in agreed or (column.dated and column.sense is Sense.REFUSAL):
        return AGREES
    return SILENT


def _state_of_timestamp(column: ConsentColumn) -> str:
    return AGREES if column.sense is Sense.CONSENT else REFUSES
