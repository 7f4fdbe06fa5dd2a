"""Find consent columns by their values, such as a ``Status`` that is subscribed or unsubscribed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from ci_magics.segmentation.consent.columns import status_columns
from ci_magics.segmentation.consent.document import ConsentChoice
from ci_magics.segmentation.consent.values import are_subscription_states, may_be_subscription_states
from ci_magics.segmentation.sources.rows import Rows
from ci_magics.segmentation.values import is_text

#: A column with more distinct values is not a list of subscription states.
MOST_STATES = 50


def columns_by_value(columns: Sequence[str], choice: ConsentChoice, rows_of: Callable[[str], Rows]) -> list[str]:
    """Return the columns whose values are all subscription words; empty if columns were chosen.

    Parameters
    ----------
    columns
        All columns.
    choice
        Which columns were chosen.
    rows_of
        Reads a column.
    """
    if choice.columns:
        return []
    return [each for each in status_columns(columns) if _is_consent(rows_of(each), each)]


def _is_consent(rows: Rows, column: str) -> bool:
    values: set[str] = set()
    for batch in rows.read([column]):
        part = batch.column(0)
        if not is_text(part.type.value_type if pa.types.is_dictionary(part.type) else part.type):
            return False
        new = {each for each in part.unique().to_pylist() if each is not None} - values
        values |= new
        if len(values) > MOST_STATES or not may_be_subscription_states(new):
            return False
    return are_subscription_states(values)
