"""The result of a run, as a form shows it."""

from __future__ import annotations

import html

from ci_magics.activation.progress import Progress
from ci_magics.activation.run import Run
from ci_magics.display.html_table import table
from ci_magics.display.numbers import format_count
from ci_magics.workspace.statuses import COMPLETED

_MOST = 20


def result_html(run: Run) -> str:
    """Return the complete result with the first rejected rows, by key."""
    return run._repr_html_() + rejected_html(run)


def result_sentence(run: Run) -> str:
    """Return the result in one sentence."""
    sentence = f"{run.status}: {format_count(run.accepted)} accepted, {format_count(run.rejected)} rejected"
    unknown = f", {format_count(run.unknown)} unknown" if run.unknown else ""
    unchanged = sum(each.unchanged for each in run.results)
    return f"{sentence}{unknown}{f', {format_count(unchanged)} unchanged' if unchanged else ''}."


def result_kind(run: Run) -> str:
    """Return the kind of the sentence, which sets its color."""
    return "done" if run.status == COMPLETED else "info"


def result_progress(run: Run) -> Progress:
    """Return the final state of the progress bar."""
    whole = run.accepted + run.rejected + run.unknown
    return Progress(run.status, whole, whole)


def rejected_html(run: Run) -> str:
    """Return the first rejected rows by key; empty if there are none."""
    frame = run.rejected_rows(show=lambda _sentence: None)  # the caption replaces the notice
    if frame.empty:
        return ""
    rows: list[tuple[str, str | None, str | None, str]] = [
        (str(each.segment), each.key if isinstance(each.key, str) else None, _code(each.code), str(each.reason))
        for each in frame.head(_MOST).itertuples()
    ]
    rest = len(frame) - len(rows)
    more = f"<div>and {format_count(rest)} more: {html.escape('run.rejected_rows()')}</div>" if rest > 0 else ""
    return (
        table(
            ("Segment", "Key", "Code", "Reason"),
            rows,
            caption="Rejected rows" if run.finished_at else "Rejected rows so far",
        )
        + more
    )


def _code(code: object) -> str | None:
    return str(int(code)) if isinstance(code, int | float) and code == code else None
