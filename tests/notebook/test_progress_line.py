"""Progress in one line: its text, how often it is updated, and what remains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ci_magics.activation.progress import Progress
from ci_magics.notebook.display import ProgressLine, progress_text


def at(*moments: float) -> Iterator[float]:
    yield from moments


def test_quick_run_shows_nothing() -> None:
    shown: list[str] = []
    seconds = at(0, 0.1, 0.4)
    with ProgressLine(live=True, monotonic=lambda: next(seconds), write=shown.append) as line:
        line(Progress("Sending", 1, 10))
        line(Progress("Sending", 10, 10))
    assert shown == []


def test_long_run_is_updated_and_leaves_one_line() -> None:
    shown: list[str] = []
    seconds = at(0, 0.6, 0.65, 2, 4, 4)
    with ProgressLine(live=True, monotonic=lambda: next(seconds), write=shown.append) as line:
        for done in (500, 600, 2_000, 4_000):
            line(Progress("Sending", done, 4_000))
    assert shown == [
        "Sending: 500 of 4,000 (12%), about 4 s left",
        "Sending: 2,000 of 4,000 (50%), 1,000 per second, about 2 s left",
        "Sending: 4,000 of 4,000 (100%), 1,000 per second",
        "Sending: 4,000 of 4,000 (100%), 1,000 per second, in 4.0 s",
    ]


def test_stopped_run_says_so() -> None:
    shown: list[str] = []
    seconds = at(0, 1, 2)

    def stopped() -> None:
        with ProgressLine(live=True, monotonic=lambda: next(seconds), write=shown.append) as line:
            line(Progress("Creating the audience"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert shown == ["Creating the audience …", "Creating the audience in 2.0 s, stopped"]


def test_progress_is_hidden_if_the_line_is_not_live(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(live=False, monotonic=lambda: 5.0) as line:
        line(Progress("Sending", 1, 10))
    assert capsys.readouterr() == ("", "")


def test_terminal_line_is_rewritten_with_a_carriage_return(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = at(0, 1, 2, 2)
    with ProgressLine(live=True, monotonic=lambda: next(seconds)) as line:
        line(Progress("Sending", 500, 1_000))
        line(Progress("Done"))
    said = capsys.readouterr().out
    assert said.startswith("\rSending: 500 of 1,000 (50%), 500 per second, about 1 s left\rDone …  ")
    assert said.endswith("\n")
    assert said.count("\n") == 1


def test_step_without_a_count_is_only_named() -> None:
    assert progress_text(Progress("Waiting"), 90) == "Waiting …"
