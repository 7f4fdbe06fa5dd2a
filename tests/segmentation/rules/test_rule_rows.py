"""Rules select the same rows from batches as from a table in memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rows import RuleContext, joining_key, read_rows
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.sources.rows import BATCH

COUNT = 2 * BATCH + 10
NUMBERS = pa.array(range(COUNT), pa.int64())
PEOPLE = pa.table({"Id": NUMBERS, "Visitor": pa.array([n % (COUNT // 2) for n in range(COUNT)]), "n": NUMBERS})
GIVEN = RuleContext(key="Id", members={"Some": [0, 5, COUNT - 1, COUNT]})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "people.parquet"
    pq.write_table(PEOPLE, path, row_group_size=BATCH)
    return path


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("n is any of 3, 600000", [3]),
        (f"n >= {COUNT - 2}", [COUNT - 2, COUNT - 1]),
        ("'Some'", [0, 5, COUNT - 1]),
        ("'Some' except n = 5", [0, COUNT - 1]),
        (f"n < 2 union n = {COUNT - 1} intersect not n = 0", [1, COUNT - 1]),
    ],
)
def test_batches_give_the_same_rows_as_the_whole_table(path: Path, text: str, ids: list[int]) -> None:
    for source in (path, PEOPLE):
        rows = read_rows(source, ["n", "Id"], Rule.parse(text), GIVEN)
        assert rows.schema.names == ["n", "Id"]
        assert [number for batch in rows.read(["Id"]) for number in batch.column(0).to_pylist()] == ids


def test_rows_with_one_key_are_combined_across_batches(path: Path) -> None:
    rule = Rule.parse(f"n = 1 intersect n = {COUNT // 2 + 1}")
    assert read_rows(path, ["n"], rule, RuleContext(key="Visitor")).table()["n"].to_pylist() == [1, COUNT // 2 + 1]
    assert read_rows(path, ["n"], rule, RuleContext(key="Id")).table().num_rows == 0


def test_mistakes_are_reported_before_reading(path: Path) -> None:
    with pytest.raises(SegmentError, match="n is a number, 'x' is not"):
        read_rows(path, ["Id"], Rule.parse("n = x"), GIVEN)
    with pytest.raises(SegmentError, match=r"There is no column 'N'\. Did you mean 'n'"):
        read_rows(path, ["Id"], Rule.parse("N = 1"), GIVEN)


def test_joining_key_is_the_requested_one_or_the_first_unique_one() -> None:
    frame = pd.DataFrame({"CustomerId": [[1], [2]], "ContactId": [1, 1], "UserId": ["a", "b"], "Id": [1, 2]})
    assert joining_key(frame, None) == "UserId"
    assert joining_key(frame, "ContactId") == "ContactId"
    assert joining_key(frame[["ContactId"]], None) is None
    assert joining_key(pd.DataFrame({"x": [1]}), None) is None
    with pytest.raises(SegmentError, match="There is no column 'Key'"):
        joining_key(frame, "Key")
