"""Each SQLSTATE of PostgreSQL and error number of MySQL gets the right message."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from ci_magics.segmentation.sources.database_errors import FailedQuery, database_error


class RefusedError(Exception):
    """An error of a PostgreSQL driver."""

    def __init__(self, state: str) -> None:
        super().__init__("jan@contoso.com")
        self.sqlstate = state


def message_for(error: Exception) -> str:
    asked = FailedQuery(make_url("postgresql://db/x"), "SELECT 1", (), lambda _kind: [])
    return str(database_error(error, asked))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("53100", "does not have enough memory or disk space"),
        ("53200", "does not have enough memory or disk space"),
        ("53300", "busy or locked"),
        ("57014", "somebody stopped it there"),
        ("57P01", "ended the connection"),
        ("57P03", "ended the connection"),
        ("08006", "ended the connection"),
        ("40001", "busy or locked"),
        ("40P01", "busy or locked"),
        ("22012", "A value in the query"),
        ("XX000", "did not run the query (XX000). Run the query in a program of the database"),
        ("0A000", "did not run the query (0A000). Run the query in a program of the database"),
    ],
)
def test_sqlstate_of_postgresql_gets_the_right_message(state: str, words: str) -> None:
    assert words in message_for(RefusedError(state))
    assert "jan" not in message_for(RefusedError(state))


@pytest.mark.parametrize(
    ("number", "words"),
    [(1213, "busy or locked"), (1021, "does not have enough memory or disk space"), (2013, "ended the connection")],
)
def test_error_number_of_mysql_gets_the_right_message(number: int, words: str) -> None:
    assert words in message_for(RuntimeError(number, "jan@contoso.com"))
