"""Databases without a reader of their own are read through SQLAlchemy; SQLite represents them here."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.other_databases import query_other


@pytest.fixture
def shop(tmp_path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.sqlite'}")
    with engine.begin() as database:
        database.execute(text("CREATE TABLE people (id INTEGER, email TEXT, spend)"))
        database.execute(text("INSERT INTO people VALUES (1, 'a@contoso.com', 1), (2, 'b@contoso.com', 'much')"))
    return engine


def test_columns_have_the_types_of_their_values(shop: Engine) -> None:
    rows = query_other(shop, "SELECT * FROM people WHERE id < $most ORDER BY id", {"most": 9})
    assert rows.table().to_pylist() == [
        {"id": 1, "email": "a@contoso.com", "spend": "1"},
        {"id": 2, "email": "b@contoso.com", "spend": "much"},
    ]
    assert [batch.column_names for batch in rows.read(["spend", "id"])] == [["spend", "id"]]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM people", "one SELECT"),
        ("SELECT id FROM people; DELETE FROM people", "several statements"),
        ("SELECT * INTO more FROM people", "INTO writes"),
        ("SELECT load_extension('x')", "only reads"),
        ("SELECT emial FROM people", "emial"),
        ("SELECT * FROM nobody", "nobody"),
    ],
)
def test_mistake_is_explained_and_nothing_is_written(shop: Engine, sql: str, words: str) -> None:
    with pytest.raises(SegmentError, match=words) as refused:
        query_other(shop, sql, {})
    assert "@" not in str(refused.value)
    with shop.connect() as database:
        assert database.execute(text("SELECT count(*) FROM people")).scalar() == 2


def test_unreachable_database_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SegmentError):
        query_other(create_engine(f"sqlite:///{tmp_path / 'no' / 'shop.sqlite'}"), "SELECT 1 AS id", {})
