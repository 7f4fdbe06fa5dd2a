"""Keys of Spark frames match other keys by value; conditions have parameters; a status column can mean consent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import contoso
import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.errors import SegmentError

if TYPE_CHECKING:
    from conftest import RunningEmulator

IDS = list(range(1000, 1040))
MAILS = [contoso.email_of(number) for number in IDS]
REST = {contoso.hash_of(each) for each in (*MAILS[:1], *MAILS[3:])}
LISTS: dict[str, Any] = {
    "text": ["1001", "1002"],
    "float": [1001.0, 1002.0],
    "int32": pd.array([1001, 1002], dtype="Int32"),
    "Decimal": [Decimal("1001.00"), Decimal("1002.00")],
}
#: Types in which Spark can hold whole-number keys.
WHOLES = ("CAST(Id AS BIGINT)", "CAST(Id AS DOUBLE)", "CAST(Id AS DECIMAL(20, 2))", "CAST(CAST(Id AS INT) AS STRING)")


def quietly(_sentence: str) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def people(spark: Any) -> Any:
    return spark.createDataFrame(pd.DataFrame({"Id": IDS, "EMail": MAILS, "Spend": range(len(IDS))}))


def exclusion_list(kind: str) -> Any:
    return pd.DataFrame({"Id": LISTS[kind], "EMail": ["x1@fabrikam.com", "x2@fabrikam.com"]})


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("whole", WHOLES)
def test_exclusion_list_with_keys_of_any_type_excludes(people: Any, spark: Any, whole: str) -> None:
    ci.segment("Big", people.selectExpr(f"{whole} AS Id", "EMail"), key="Id", show=quietly)
    for kind in LISTS:
        ci.segment("Out", exclusion_list(kind), key="Id", show=quietly)
        assert ci.overlap("Big", "Out").shared == 2, kind
        assert ci.segment("Rest", rule="'Big' and not 'Out'", show=quietly).rows == 38, kind
    out = spark.createDataFrame(exclusion_list("float")).selectExpr("CAST(Id AS DECIMAL(12, 3)) AS Id", "EMail")
    ci.segment("Out", out, key="Id", show=quietly)
    assert ci.overlap("Big", "Out").shared == 2


@pytest.mark.usefixtures("workspace")
def test_export_omits_excluded_people(people: Any, emulator: RunningEmulator) -> None:
    contoso.connect()
    ci.segment("Big", people.select("Id", "EMail"), key="Id", show=quietly)
    ci.segment("Out", exclusion_list("Decimal"), key="Id", show=quietly)
    contoso.export("Big", exclude=["Out"])
    assert emulator.members("Big") == REST


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("where", "values", "count"),
    [
        ("Spend >= $least", {"least": 30}, 10),
        ("EMail = $mail", {"mail": "x' OR '1' = '1"}, 0),
        ("Id IN $ids", {"ids": [1001, 1002, 7]}, 2),
        ("$nothing IS NULL AND Spend < $most", {"nothing": None, "most": 5.5}, 6),
    ],
)
def test_value_is_bound_in_a_condition(people: Any, where: str, values: dict[str, Any], count: int) -> None:
    assert ci.segment("S", people, where=where, parameters=values, allow_empty=True, show=quietly).rows == count


@pytest.mark.usefixtures("workspace")
def test_value_is_bound_in_a_rule(people: Any) -> None:
    assert ci.segment("S", people, rule="Spend >= $least", parameters={"least": 30}, show=quietly).rows == 10
    with pytest.raises(SegmentError, match=r"no value for \$least"):
        ci.segment("S", people, where="Spend > $least")


STATES = {
    "subscribed or not": (["subscribed", "unsubscribed", None, "Subscribed"], (2, 1, 1)),
    "cleaned addresses": (["subscribed", "cleaned", "pending", "unsubscribed"], None),
    "levels of customers": (["gold", "silver", "gold", None], (0, 0, 0)),
    "active alone": (["active", "inactive", "active", None], (0, 0, 0)),
    "numbers": ([1, 0, 1, 1], (0, 0, 0)),
}  # fmt: skip


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("kind", STATES)
def test_status_is_a_consent_if_all_its_values_are(spark: Any, kind: str) -> None:
    values, counts = STATES[kind]
    frame = pd.DataFrame({"Id": IDS[:4], "EMail": MAILS[:4], "Status": values})
    on_spark = ci.segment("Spark", spark.createDataFrame(frame), show=quietly).consent
    here = ci.segment("pandas", frame, show=quietly).consent
    found = [(each.consented or 0, each.refused or 0, each.unknown or 0) for each in (on_spark, here)]
    assert found[0] == found[1]
    assert on_spark.columns == here.columns
    if counts:
        assert found[0] == (counts if any(counts) else found[1])
        assert bool(on_spark.columns) is any(counts)
