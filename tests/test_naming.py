"""Invalid names, and that everything with a name refuses them."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ci_magics as ci
from ci_magics.errors import ArgumentError, CiError
from ci_magics.naming import LONGEST_NAME, require_name
from ci_magics.one_line import invalid_character
from ci_magics.workspace.roles import give_role

UNWRITABLE = {
    "a tab": "a\tb",
    "a line break": "a\nb",
    "a carriage return": "a\rb",
    "a null": "a\0b",
    "a next line": "a\x85b",
    "a line separator": "a\u2028b",
    "a paragraph separator": "a\u2029b",
    "a lone surrogate": "a\ud800b",
    "an override": "a\u202eb",
    "an isolate": "a\u2067b",
    "an escape": "a\x1b[31mb",
}
ODD = ['"', "'", "\\", "{x}", "$x", "%", "!", "#", "</script>", "`", "\u200f\u05d0", "🎯", "a?", "-x", "--to", "a, b"]


def people() -> pd.DataFrame:
    return pd.DataFrame({"Id": ["1", "2"], "EMail": ["x1@contoso.com", "x2@contoso.com"]})


def connected(**changes: str) -> None:
    ci.connect(**{"name": "EU", "customer_id": "222", "account_id": "111", **changes})  # type: ignore[arg-type]


def saved(name: str) -> None:
    ci.connect("EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
    ci.exports.save(name, ci.segment("All", people()), to="EU")


#: Everything that creates a name.
GIVEN: dict[str, Callable[[str], object]] = {
    "a segment": lambda name: ci.segment(name, people()),
    "a segment of a query": lambda name: ci.segment(name, "SELECT 1 AS Id, 'x' AS EMail", email="EMail"),
    "a segment that is renamed": lambda name: (ci.segment("All", people()), ci.segments.rename("All", name)),
    "a segment's copy": lambda name: (ci.segment("All", people()), ci.segments.duplicate("All", name)),
    "a tag": lambda name: (ci.segment("All", people()), ci.segments.tag("All", name)),
    "a connection": lambda name: connected(name=name),
    "a connection that is renamed": lambda name: (connected(), ci.connections.edit("EU", rename=name)),
    "a tenant": lambda name: connected(tenant=name),
    "a client id": lambda name: connected(client_id=name),
    "a tenant that is changed": lambda name: (connected(), ci.connections.edit("EU", tenant=name)),
    "a saved export": saved,
    "a saved export's copy": lambda name: (saved("Weekly"), ci.exports.duplicate("Weekly", name)),
    "a saved export that is renamed": lambda name: (saved("Weekly"), ci.exports.edit("Weekly", rename=name)),
    "an audience": lambda name: ci.export(ci.segment("All", people()), to="EU", audience=name),
    "a user": lambda name: give_role(ci.open_workspace().store, name, "viewer"),
}


@pytest.mark.parametrize("what", UNWRITABLE)
def test_character_that_breaks_a_line_is_refused(what: str) -> None:
    with pytest.raises(ArgumentError, match=r"^The segment's name has .* in it\. Choose a name of one line"):
        require_name(UNWRITABLE[what], "segment")


@pytest.mark.parametrize("name", ODD)
def test_odd_names_on_one_line_are_allowed(name: str) -> None:
    require_name(name, "segment")


@given(st.text(min_size=1, max_size=2 * LONGEST_NAME))
def test_allowed_name_is_one_line_of_limited_length(name: str) -> None:
    try:
        require_name(name, "export")
    except ArgumentError:
        return
    assert name.strip()
    assert len(name) <= LONGEST_NAME
    assert name.splitlines() == [name]
    assert invalid_character(name) is None
    name.encode()


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("what", "name"),
    [
        (what, name)
        for what in GIVEN
        for name in ("a\nb", "a\u2028b", "x" * 300, "zq7@contoso.com")
        if (what, name) != ("a user", "zq7@contoso.com")  # hubs may name users by addresses: see `person_name`
    ],
)
@pytest.mark.usefixtures("emulator")
def test_invalid_name_is_refused_everywhere(what: str, name: str) -> None:
    with pytest.raises(CiError) as error:
        GIVEN[what](name)
    assert "zq7" not in str(error.value)
    assert error.value.next_step
