"""What a result is in a terminal: its text, its JSON document, and its exit status."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ci_magics.cli.command import DONE, FAILED, PARTLY
from ci_magics.errors import CiError

_COMPLETED = ("Completed", "Completed with errors")
#: The operations whose result is how runs ended.
_RUNS = ("export", "exports.run", "exports.run_all", "runs.resume")


def document_of(result: Any) -> Any:
    """Return a result as JSON-compatible values."""
    if result is None or isinstance(result, str | bool | int):
        return result
    if isinstance(result, Path):
        return {"file": str(result)}
    if isinstance(result, list | tuple):
        return [document_of(each) for each in result]
    if hasattr(result, "document"):
        return result.document()
    if hasattr(result, "model_dump"):
        return result.model_dump(mode="json")
    if hasattr(result, "to_frame"):
        return rows_of(result)
    if hasattr(result, "to_dict"):
        return result.to_dict()
    is_record = dataclasses.is_dataclass(result) and not isinstance(result, type)
    return dataclasses.asdict(result) if is_record else repr(result)


def rows_of(result: Any) -> list[dict[str, Any]]:
    """Return a table as one dictionary per row."""
    rows = result.to_frame().astype(object)
    return list(rows.where(rows.notna(), None).to_dict("records"))


def text_of(result: Any) -> str:
    """Return a result as text."""
    if isinstance(result, list | tuple):
        return "\n".join(each if isinstance(each, str) else repr(each) for each in result)
    return str(result) if isinstance(result, str | Path | CiError) else repr(result)


def status_of(path: str, result: Any) -> int:
    """Return the exit status of a command: done, failed, or done in part.

    Parameters
    ----------
    path
        The operation's name in Python, or the noun.
    result
        What it returned.
    """
    if isinstance(result, CiError):
        return DONE  # another process is doing it
    if path in _RUNS:
        return _of_runs([each.status for each in getattr(result, "runs", [result])])
    if path == "refresh":
        failed = result.reason or result.not_completed
        return FAILED if failed else DONE if result.status == "Completed" else PARTLY
    if path == "doctor":
        return DONE if result.healthy else FAILED
    if path == "forget":
        return DONE if result.erased else PARTLY
    if path == "notifications.test":
        return FAILED if result else DONE
    return DONE


def _of_runs(statuses: list[str]) -> int:
    if any(each not in _COMPLETED for each in statuses):
        return FAILED
    return PARTLY if "Completed with errors" in statuses else DONE
