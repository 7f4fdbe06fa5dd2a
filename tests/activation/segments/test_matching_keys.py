"""Keys match by value, whatever their types: in exclusions, set algebra, rules, queries and erasure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from contoso import connect, email_of, export, hash_of, planned

import ci_magics as ci
from ci_magics.activation.erasure.forget import forget

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

IDS = list(range(1000, 1400))
OUT = [1001, 1002]


def exclusion_list(values: Any) -> pa.Table | pd.DataFrame:
    """Return the people of an exclusion list, with other addresses."""
    emails = ["x1@fabrikam.com", "x2@fabrikam.com"]
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return pa.table({"Id": values, "EMail": emails})
    return pd.DataFrame({"Id": values, "EMail": emails})


#: Types in which a list can hold the IDs 1001 and 1002.
KINDS: dict[str, Callable[[], Any]] = {
    "text": lambda: exclusion_list(["1001", "1002"]),
    "int16": lambda: exclusion_list(np.array(OUT, np.int16)),
    "int32": lambda: exclusion_list(np.array(OUT, np.int32)),
    "uint64": lambda: exclusion_list(np.array(OUT, np.uint64)),
    "float64": lambda: exclusion_list([1001.0, 1002.0]),
    "float32": lambda: exclusion_list(np.array(OUT, np.float32)),
    "Decimal": lambda: exclusion_list([Decimal("1001.00"), Decimal("1002.00")]),
    "decimal256": lambda: exclusion_list(pa.array([Decimal(1001), Decimal(1002)], pa.decimal256(60, 3))),
    "Int64 of pandas": lambda: exclusion_list(pd.array(OUT, dtype="Int64")),
    "category": lambda: exclusion_list(pd.Categorical(OUT)),
    "category of text": lambda: exclusion_list(pd.Categorical(["1001", "1002"])),
    "mixed objects": lambda: exclusion_list(pd.Series([1001, "1002"], dtype=object)),
    "mixed floats": lambda: exclusion_list(pd.Series([1001.0, "1002"], dtype=object)),
    "bytes": lambda: exclusion_list(pa.array([b"1001", b"1002"])),
    "dictionary": lambda: exclusion_list(pa.array(OUT).dictionary_encode()),
    "Enum": lambda: pl.DataFrame(
        {"Id": ["1001", "1002"], "EMail": ["x1@a.com", "x2@a.com"]},
        schema_overrides={"Id": pl.Enum(["1001", "1002"])},
    ),
    "Int128": lambda: pl.DataFrame({"Id": OUT, "EMail": ["x1@a.com", "x2@a.com"]}, schema_overrides={"Id": pl.Int128}),
    "index": lambda: exclusion_list(OUT).set_index("Id"),
    "HUGEINT": lambda: duckdb.sql("FROM (VALUES (1001::HUGEINT, 'x1@a.com'), (1002, 'x2@a.com')) t(Id, EMail)"),
    "another spelling of the name": lambda: exclusion_list(OUT).rename(columns={"Id": "ID"}),
}  # fmt: skip
BIG: dict[str, Callable[[], Any]] = {
    "int64": lambda: IDS,
    "text": lambda: [str(each) for each in IDS],
    "float": lambda: [float(each) for each in IDS],
}


def quietly(_sentence: str) -> None:
    """Show nothing."""


def big(kind: str = "int64", name: str = "Big") -> Any:
    frame = pd.DataFrame({"Id": BIG[kind](), "EMail": [email_of(number) for number in IDS]})
    return ci.segment(name, frame, key="Id", show=quietly)


def out(kind: str) -> Any:
    frame = KINDS[kind]()
    name = next(each for each in ("Id", "ID") if each in [*ci_columns(frame)])
    return ci.segment("Out", frame, key=name, show=quietly)


def ci_columns(frame: Any) -> list[str]:
    from ci_magics.segmentation.sources.queries import columns_of

    return columns_of(frame)


REST = {hash_of(email_of(number)) for number in IDS if number not in OUT}


@pytest.mark.matrix
@pytest.mark.parametrize("kind", KINDS)
def test_exclusion_list_of_any_key_type_excludes(kind: str, emulator: RunningEmulator) -> None:
    connect()
    big(), out(kind)
    assert planned("Big", exclude=["Out"]).audiences[0].adds == 398
    export("Big", exclude=["Out"])
    assert emulator.members("Big") == REST


@pytest.mark.matrix
@pytest.mark.parametrize("whole", BIG)
@pytest.mark.parametrize("kind", KINDS)
def test_set_algebra_rules_queries_and_overlap_match_by_value(kind: str, whole: str) -> None:
    made, left = big(whole), out(kind)
    said: list[str] = []
    assert ci.segment("Rest", made - left, show=said.append).rows == 398
    assert ci.segment("Both", made & left, show=said.append).rows == 2
    assert ci.segment("Either", made | left, show=said.append).rows == 400
    frame = pd.DataFrame({"Id": BIG[whole](), "EMail": [email_of(number) for number in IDS]})
    assert ci.segment("Ruled", frame, key="Id", rule="not 'Out'", show=said.append).rows == 398
    if left.key == "Id":
        query = "SELECT Id, EMail FROM frame WHERE Id NOT IN (SELECT Id FROM Out)"
        assert ci.segment("Queried", query, frames={"frame": frame}, show=said.append).rows == 398
        joined = "SELECT frame.* FROM frame JOIN Out ON frame.Id = Out.Id"
        assert ci.segment("Joined", joined, frames={"frame": frame}, show=said.append).rows == 2
    assert not said
    found = ci.overlap("Big", "Out")
    assert (found.only_first, found.shared, found.only_second) == (398, 2, 0)
    described = ci.differentiators("Big", "Out", frame.assign(Spend=range(400)))
    assert (described.first_found, described.second_found) == (400, 2)


def test_people_are_suppressed_by_key_of_any_type(emulator: RunningEmulator) -> None:
    connect()
    big(), out("text")
    ci.segments.suppress("Out")
    assert ci.preview("Big").segments[0].reasons["suppressed"] == 2
    export("Big")
    assert emulator.members("Big") == REST


@pytest.mark.parametrize("kind", BIG)
@pytest.mark.parametrize("key", ["1001", 1001, 1001.0])
def test_person_is_erased_by_the_text_of_the_key(kind: str, key: Any) -> None:
    connect()
    big(kind)
    assert forget(key=key, show=quietly).segments == ("Big",)
    assert planned("Big").audiences[0].adds == 399


def test_text_with_leading_zeros_is_another_key() -> None:
    made = big()
    frame = pd.DataFrame({"Id": ["01001", " 1002", "1003.0"], "EMail": [f"z{n}@a.com" for n in range(3)]})
    zeros = ci.segment("Zeros", frame, show=quietly)
    assert ci.overlap(made, zeros).shared == 0
    people = pd.DataFrame({"Id": IDS, "EMail": [email_of(number) for number in IDS]})
    query = "SELECT * FROM people WHERE Id IN (SELECT Id FROM Zeros)"
    assert ci.segment("None", query, frames={"people": people}, show=quietly).rows == 0


def store_with_keys(workspace: Workspace, name: str, keys: pa.Array) -> None:
    """Store a segment's keys like earlier versions: in the type of the frame."""
    record = workspace.segments[name]
    columns = workspace.snapshots.columns(record.id)
    table = pa.Table.from_batches(list(workspace.snapshots.batches(record.id, columns)))
    table = table.set_column(columns.index("key"), "key", keys)
    workspace.snapshots.write_parts(record.id, table.schema, iter(table.to_batches()))


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([1001.0, 1002.0]),
        pa.array([1001, 1002], pa.int32()),
        pa.array([Decimal("1001.0"), Decimal("1002.0")]),
        pa.array(["1001", "1002"]),
    ],
    ids=lambda keys: str(keys.type),
)
def test_keys_of_an_earlier_snapshot_match_by_value(
    keys: pa.Array, workspace: Workspace, emulator: RunningEmulator
) -> None:
    connect()
    made, left = big(), out("text")
    store_with_keys(workspace, "Out", keys)
    assert ci.segment("Rest", made - left, show=quietly).rows == 398
    assert ci.segment("Either", made | left, show=quietly).rows == 400
    assert ci.overlap("Big", "Out").shared == 2
    export("Big", exclude=["Out"])
    assert emulator.members("Big") == REST
    assert set(forget(key="1001", show=quietly).segments) >= {"Big", "Out"}


def letters() -> Any:
    frame = pd.DataFrame({"Id": ["C-001", "C-002"], "EMail": ["x1@a.com", "x2@a.com"]})
    return ci.segment("Out", frame, show=quietly)


FORMS = "whole numbers of 4 digits, the keys of 'Out' are text such as letters-digits"


def test_exclusion_without_a_common_key_warns_and_names_both_forms() -> None:
    connect()
    big(), letters()
    guards = planned("Big", exclude=["Out"]).guards
    warnings = " ".join(guards)
    assert f"no key of 'Big' is in it. The keys of 'Big' are {FORMS}" in warnings
    assert "C-0" not in warnings
    assert f"The keys of 'Big' are {FORMS}" in repr(ci.preview("Big", exclude=["Out"]))


def test_exclusion_with_another_key_column_warns() -> None:
    connect()
    big()
    frame = pd.DataFrame({"ContactId": ["C-1", "C-2"], "EMail": [email_of(1000), "x2@a.com"]})
    ci.segment("Out", frame, show=quietly)
    guards = planned("Big", exclude=["Out"]).guards
    warnings = " ".join(guards)
    assert "'Out' is excluded by e-mail address only: its key is ContactId, and the key of 'Big' is Id." in warnings


def test_list_without_keys_warns_only_if_no_address_matches() -> None:
    connect()
    big()
    for emails, warns in (([email_of(1000)], False), (["x@a.com"], True)):
        ci.segment("Out", pd.DataFrame({"EMail": emails}), show=quietly)
        guards = planned("Big", exclude=["Out"]).guards
        assert any("has no key" in each for each in guards) is warns


def test_matching_exclusion_has_no_warning() -> None:
    connect()
    big(), out("float32")
    guards = planned("Big", exclude=["Out"]).guards
    assert not any("Out" in each for each in guards)


@pytest.mark.parametrize("rule", ["'Big' and not 'Out'", "'Big' except 'Out'", "not 'Out' and 'Big'"])
def test_subtracting_a_segment_without_a_common_key_warns(rule: str) -> None:
    big(), letters()
    said: list[str] = []
    assert ci.segment("Rest", rule=rule, show=said.append).rows == 400
    assert said == [f"No key of the segment 'Big' is among those of 'Out'. The keys of 'Big' are {FORMS}."]
    said.clear()
    frame = pd.DataFrame({"Id": IDS, "EMail": [email_of(number) for number in IDS]})
    assert ci.segment("Ruled", frame, rule="Id > 0 and not 'Out'", show=said.append).rows == 400
    assert said == [f"No Id of the frame is among the keys of the segment 'Out'. The keys of the frame are {FORMS}."]


def test_union_of_segments_without_a_common_key_has_no_warning() -> None:
    said: list[str] = []
    assert ci.segment("All", big() | letters(), show=said.append).rows == 402
    assert not said


def test_keys_are_unique_by_value() -> None:
    frame = pd.DataFrame({"Id": pd.Series([1, "1"], dtype=object), "EMail": ["a@a.com", "b@a.com"]})
    with pytest.raises(ci.CiError, match="0 empty values and 1 repeated value"):
        ci.segment("S", frame, key="Id")


def test_keys_of_a_file_match_those_of_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("Id,EMail\n1001,x1@a.com\n1002,x2@a.com\n")
    left = ci.segment("Out", path, show=quietly)
    assert ci.segment("Rest", big("text") - left, show=quietly).rows == 398
