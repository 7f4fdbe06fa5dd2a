"""Exports of twenty systems with their headers and values: exactly the people who agreed are sent."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from conftest import RunningEmulator
from consent_exports.right_people import EXPORTS, RIGHT, right_hashes, rows_of

import ci_magics as ci
from ci_magics.activation.run import Run
from ci_magics.errors import ExportRefusedError

#: Columns that are named explicitly because their headers are not specific enough.
EMAIL = {name: email for name, (email, _wanted) in RIGHT.items()}
KEY = {
    "woocommerce.csv": "user_id",
    "magento.csv": "subscriber_id",
    "deutscher_shop.csv": "Kundennummer",
    "nederlandse_winkel.csv": "Klantnummer",
}


def made(name: str, tmp_path: Path) -> ci.Segment:
    path = EXPORTS / name
    chosen = {"email": EMAIL[name], "key": KEY.get(name)}
    if path.suffix != ".sql":
        return ci.segment("People", str(path), **chosen)
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.executescript(path.read_text("utf-8"))
    query = "SELECT customer_id, email FROM customers"  # without the consent column, which is looked up
    return ci.segment("People", query, database=f"sqlite:///{tmp_path}/shop.sqlite", **chosen)


@pytest.mark.matrix
@pytest.mark.parametrize("name", sorted(RIGHT))
def test_exactly_the_people_who_agreed_are_sent(name: str, emulator: RunningEmulator, tmp_path: Path) -> None:
    right = right_hashes(name)
    assert 0 < len(right) < len(rows_of(name))
    ci.connect("Contoso EU", environment="emulator", customer_id="222", account_id="111", agree=True, accept_terms=True)

    segment = made(name, tmp_path)
    assert segment.consent.consented == len(right)
    assert segment.consent.consented + segment.consent.refused + segment.consent.unknown == len(rows_of(name))
    (covered,) = ci.preview("People").segments
    assert covered.sendable == len(right)
    assert covered.reasons["refused"] == segment.consent.refused

    with pytest.raises(ExportRefusedError, match="refused marketing") as asked:
        ci.export("People", to="Contoso EU")
    assert asked.value.code == "consent_not_used"
    assert emulator.audiences() == {}
    run = ci.export("People", to="Contoso EU", consent=segment.consent.columns[0])
    assert isinstance(run, Run)
    assert run.accepted == len(right)
    assert emulator.members("People") == right


def test_every_export_in_the_folder_is_tested() -> None:
    assert {path.name for path in EXPORTS.iterdir()} == set(RIGHT)
    assert len(RIGHT) == 20
