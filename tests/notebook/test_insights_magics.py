"""Customer Insights in magics: signing in, creating a segment, and Tab completion."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from contoso import connect
from IPython.core.completer import provisionalcompleter

from ci_magics.errors import ArgumentError, SegmentError

if TYPE_CHECKING:
    from conftest import Notebook, RunningEmulator

MAKE = '%ci_segment "Male under 40" --from-insights Male_under_40'


@pytest.fixture
def opened(notebook: Notebook, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """Return a notebook that is connected to Customer Insights."""
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    notebook.run("source = %ci_insights Contoso")
    return notebook


def words(notebook: Notebook, cell: str) -> list[str]:
    with provisionalcompleter():
        return [each.text for each in notebook.shell.Completer.completions(cell, len(cell))]


@pytest.mark.parametrize("via", ["", "--via rest", "--via csv", "--via dataverse"])
def test_segment_is_made_from_customer_insights(opened: Notebook, via: str) -> None:
    segment = opened.run(f"{MAKE} --instance Contoso {via}")
    assert segment.name == "Male under 40"
    assert segment.rows == opened.variables["source"].segment("Male_under_40").members


def test_only_instance_needs_no_name_and_no_earlier_connection(
    notebook: Notebook, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    error = notebook.fail(MAKE)
    assert isinstance(error, ArgumentError)
    assert "Contoso, Contoso trial" in str(error)
    notebook.run("%ci_insights Contoso")
    assert notebook.run(MAKE).rows > 300


def test_segment_keeps_its_name_by_default(opened: Notebook) -> None:
    assert opened.run("%ci_segment --from-insights Male_under_40").name == "Male under 40"


def test_instance_can_be_signed_out_of_and_removed_once_unused(opened: Notebook) -> None:
    opened.run(MAKE)
    assert len(opened.run("%ci_connections sign-out Contoso")) == 1
    assert "Segments are read from Customer Insights 'Contoso': 'Male under 40'" in str(
        opened.fail("%ci_connections remove Contoso")
    )
    opened.run("%ci_segments delete 'Male under 40'")
    assert len(opened.run("%ci_connections remove Contoso")) == 0


def test_both_accounts_are_listed(opened: Notebook) -> None:
    connect()
    listed = opened.run("%ci_connections")
    assert [(each.name, each.type) for each in listed] == [
        ("Contoso EU", "Microsoft Advertising"),
        ("Contoso", "Customer Insights"),
    ]
    for shown in (repr(listed), listed._repr_html_()):
        assert "customer 222, account 111" in shown
        assert "Customer Insights" in shown


def test_empty_list_says_how_to_connect(notebook: Notebook) -> None:
    assert "%ci_insights NAME" in repr(notebook.run("%ci_connections"))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("customers", "there is room for one name only"),
        ('--where "TotalSpend > 5"', "taken as it is, so --where cannot be combined with it"),
        ("--rule 'TotalSpend > 5'", "taken as it is, so --rule cannot be combined with it"),
    ],
)
def test_frame_or_condition_is_refused_for_customer_insights(opened: Notebook, more: str, says: str) -> None:
    line = f"{MAKE} {more}" if more.startswith("--") else MAKE.replace(" --from", f" {more} --from")
    assert says in str(opened.fail(line))


def test_segment_of_accounts_is_refused(opened: Notebook) -> None:
    error = opened.fail('%ci_segment "Key accounts" --from-insights Key_accounts')
    assert isinstance(error, SegmentError)
    assert "isn't eligible for this export destination" in str(error)


def test_unknown_way_of_reading_suggests_the_nearest(opened: Notebook) -> None:
    assert "Did you mean 'dataverse'" in str(opened.fail(f"{MAKE} --via dataverze"))


def test_segments_are_completed_as_last_listed_without_a_request(
    opened: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.run("source.segments()")

    def no_network(*_anything: Any, **_more: Any) -> None:
        raise AssertionError("completion touches the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert words(opened, '%ci_segment "Mine" --from-insights Mal') == ["Male_under_40"]
    assert "Big_spenders" in words(opened, '%ci_segment "Mine" --from-insights ')
    assert words(opened, '%ci_segment "Mine" --from-insights Over21 --instance ') == ["Contoso"]
    assert words(opened, '%ci_segment "Mine" --from-insights Over21 --via d') == ["dataverse"]


def test_quiet_prints_nothing(opened: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    opened.run(f"{MAKE} --quiet")
    assert capsys.readouterr().out == ""
    opened.run('%ci_segment "Mine" --from-insights Male_under_40')
    assert "refreshed it" in capsys.readouterr().out
