"""No address is stored: not in a definition, not in a name, not as a key."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from contoso import email_of, hash_of, people, segment

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.workspace.store import Workspace


@pytest.fixture
def path(tmp_path: Path) -> str:
    people(10).to_csv(tmp_path / "people.csv", index=False)
    return str(tmp_path / "people.csv")


@pytest.mark.parametrize(
    "condition", [{"where": f"EMail <> '{email_of(1)}'"}, {"rule": f"EMail does not equal '{email_of(1)}'"}]
)
def test_definition_that_names_a_person_is_not_stored(
    workspace: Workspace, path: str, condition: dict[str, str]
) -> None:
    made = ci.segment("Others", path, key="Id", **condition)  # type: ignore[arg-type]
    record = workspace.segments["Others"]
    assert made.rows == record.rows == 9
    assert email_of(1) not in str(record.definition)
    assert not record.is_dynamic
    assert record.definition["static_because"] == "its definition contains an e-mail address"


def test_parameter_that_names_a_person_is_not_stored(workspace: Workspace, path: str) -> None:
    sql = f"SELECT * FROM '{path}' WHERE EMail <> $who"
    ci.segment("Others", sql, key="Id", parameters={"who": email_of(1)})
    assert not workspace.segments["Others"].is_dynamic
    ci.segment("All", sql, key="Id", parameters={"who": "nobody"})
    assert workspace.segments["All"].is_dynamic


def test_domain_does_not_name_a_person(workspace: Workspace, path: str) -> None:
    ci.segment("Contoso", path, key="Id", where="EMail LIKE '%@contoso.com'")
    assert workspace.segments["Contoso"].is_dynamic
    assert "@contoso.com" in workspace.segments["Contoso"].definition["where"]


def test_address_is_refused_as_a_name(workspace: Workspace) -> None:
    segment(3)
    with pytest.raises(ArgumentError, match="may not be an e-mail address"):
        segment(3, name=email_of(1))
    with pytest.raises(ArgumentError, match="may not be an e-mail address"):
        ci.segments.rename("All", email_of(1))
    with pytest.raises(ArgumentError, match="may not be an e-mail address"):
        ci.segments.tag("All", "new", email_of(1))
    with pytest.raises(ArgumentError, match="may not be an e-mail address"):
        ci.connect(email_of(1), customer_id="222", account_id="111")
    assert workspace.segments.names() == ["All"]


def test_address_used_as_key_is_stored_as_its_hash_however_it_is_written(workspace: Workspace) -> None:
    frame = pd.DataFrame({"EMail": ["jan@contoso.com", "annecontoso.com", "Joe"], "Nickname": ["a", "b", "c"]})
    made = ci.segment("All", frame, email="EMail", key="EMail")
    keys = workspace.snapshots.read(made.id)["key"].to_pylist()
    assert keys == [hash_of("jan@contoso.com"), hash_of("annecontoso.com"), hash_of("joe")]
    made = ci.segment("By nickname", frame, email="EMail", key="Nickname")
    assert workspace.snapshots.read(made.id)["key"].to_pylist() == ["a", "b", "c"]
