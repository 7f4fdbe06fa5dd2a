from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from contoso import connect, email_of, export, hash_of, hashes, people, planned, segment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matched_in_memory import InMemory, match_profiles
from run_settings import examples

import ci_magics as ci
from ci_magics.errors import ExportRefusedError, NotFoundError
from ci_magics.matching.counting import count_profiles
from ci_magics.matching.hash_list import Scratch
from ci_magics.matching.hashes import of_column
from ci_magics.matching.suppression import Suppression

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("emulator", "workspace")


def suppression_list(*emails: str, key: str = "Other", name: str = "Opted out") -> None:
    ci.segment(name, pd.DataFrame({key: [f"k{e}" for e in range(len(emails))], "EMail": emails}), key=key, show=len)


def test_excluded_people_are_not_sent(emulator: RunningEmulator) -> None:
    connect()
    suppression_list(" P3@contoso.com", "p5@contoso.com")
    plan = planned(segment(400), exclude=["Opted out"])
    assert plan.audiences[0].adds == 398
    assert plan.apply().accepted == 398
    assert emulator.members("All") == hashes(400) - {hash_of(email_of(3)), hash_of(email_of(5))}


def test_people_are_excluded_by_either_hash(emulator: RunningEmulator) -> None:
    connect()
    suppression_list("j.doe@contoso.com")
    frame = pd.DataFrame({"EMail": ["jdoe+news@contoso.com", "j.doe@contoso.com", "jane@contoso.com"]})
    export(ci.segment("All", frame), exclude=["Opted out"])
    assert emulator.members("All") == {hash_of("jane@contoso.com")}


def test_people_are_excluded_by_the_same_key(emulator: RunningEmulator) -> None:
    connect()
    suppression_list("other@contoso.com", "another@contoso.com", key="Id")
    export(segment(400), exclude=["Opted out"])
    assert emulator.members("All") == hashes(398, start=2)


def test_other_keys_are_not_excluded(emulator: RunningEmulator) -> None:
    connect()
    suppression_list("other@contoso.com")
    export(segment(400), exclude=["Opted out"])
    assert emulator.members("All") == hashes(400)


@pytest.mark.parametrize("mode", ["mirror", "add", "replace"])
def test_later_suppressed_people_are_removed_from_the_audience(emulator: RunningEmulator, mode: str) -> None:
    connect()
    export(segment(400))
    suppression_list(email_of(7))
    ci.segments.suppress("Opted out")
    run = export("All", mode=mode)
    assert run.results[0].removed == 1
    assert emulator.members("All") == hashes(400) - {hash_of(email_of(7))}
    ci.segments.end_suppression("Opted out")
    assert export("All").results[0].added == 1


def test_remove_mode_removes_suppressed_people_too(emulator: RunningEmulator) -> None:
    connect()
    export(segment(400))
    suppression_list(email_of(7))
    ci.segments.suppress("Opted out")
    export(segment(10, name="Leavers"), audience="All", mode="remove")
    assert emulator.members("All") == hashes(390, start=10)


def test_suppression_segment_cannot_be_exported() -> None:
    connect()
    suppression_list(email_of(7))
    ci.segments.suppress("Opted out")
    with pytest.raises(ExportRefusedError, match="excluded from every export"):
        export("Opted out")


def test_inactive_segment_is_not_exported(emulator: RunningEmulator) -> None:
    connect()
    segment(400)
    ci.segments.deactivate("All")
    with pytest.raises(ExportRefusedError, match="is inactive"):
        export("All")
    assert emulator.audiences() == {}


def test_unknown_exclusion_suggests_the_nearest() -> None:
    connect()
    suppression_list(email_of(7))
    with pytest.raises(NotFoundError, match="Did you mean 'Opted out'"):
        export(segment(400), exclude=["Opted uot"])


def test_address_shared_with_a_suppressed_person_is_not_sent(emulator: RunningEmulator) -> None:
    connect()
    frame = people(400)
    frame.loc[1, "EMail"] = frame.loc[0, "EMail"]
    export(ci.segment("All", frame))
    suppression_list("other@contoso.com", key="Id")
    run = export("All", mode="add", exclude=["Opted out"])
    assert (run.results[0].added, run.results[0].removed) == (0, 1)
    assert hash_of(email_of(0)) not in emulator.members("All")


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["a@x.com", "A@x.com", "a.b@x.com", "ab+c@x.com", "bad", None]), max_size=12),
    st.lists(st.sampled_from(["a@x.com", "ab@x.com", "z@x.com"]), max_size=2),
    st.sampled_from(["basic", "enhanced", "both"]),
)
def test_every_profile_is_counted_once(emails: list[str | None], out: list[str], normalization: str) -> None:
    def matched(values: list[str | None]) -> InMemory:
        table = match_profiles(table_of(values)).profiles
        assert isinstance(table, InMemory)
        return table

    suppressed = matched([*out]).table
    columns = [suppressed[f"sha256_{rule}"].drop_null() for rule in ("basic", "enhanced")]
    hashes_out = np.concatenate([of_column(column) for column in columns])
    suppression = Suppression(hashes_out)
    counted = count_profiles(matched(emails), normalization, Scratch(), suppression)
    assert counted.rows == len(emails)
    assert counted.rows == sum(counted.reasons.values()) + counted.valid
    assert 0 <= counted.suppressed <= counted.unique <= counted.valid
    assert {row.tobytes() for row in counted.hashes.all()}.isdisjoint({row.tobytes() for row in hashes_out})


def table_of(values: list[str | None]) -> pa.Table:
    return pa.table({"key": pa.array(range(len(values)), pa.int64()), "email": pa.array(values, pa.string())})


def test_preview_counts_excluded_people(emulator: RunningEmulator) -> None:
    assert emulator.audiences() == {}
    suppression_list("p3@contoso.com", "p5@contoso.com")
    suppression_list("p5@contoso.com", "p6@contoso.com", "somebody@contoso.com", name="Everywhere")
    made = segment(400)
    assert ci.preview(made, exclude=["Opted out"]).segments[0].sendable == 398
    ci.segments.suppress("Everywhere")
    (one,) = ci.preview(made).segments
    assert (one.unique, one.sendable, one.reasons["suppressed"]) == (400, 398, 2)
    (one,) = ci.preview(made, exclude=["Opted out"]).segments
    assert (one.unique, one.sendable, one.reasons["suppressed"]) == (400, 397, 3)
    connect()
    assert planned(made, exclude=["Opted out"]).audiences[0].adds == 397
