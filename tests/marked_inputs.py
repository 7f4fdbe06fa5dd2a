"""A workspace with one of everything, a marked address for every text input, and a search in all stored files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from leak_recorder import MarkedAddresses, OutputRecorder

import ci_magics as ci

#: Annotations of values that are not text, or that programs pass.
NOT_TYPED = (
    *("bool", "int", "float", "datetime"),
    *("Workspace", "WorkspaceLike", "Clock", "Callable", "Show", "Reporter", "Reader", "RuleContext"),
)
FUNCTIONS = sorted(name for name in ci._HOMES if inspect.isfunction(getattr(ci, name)))  # noqa: SLF001 - all public names
#: Functions that return the caller's own data or path.
GIVES_BACK = ("normalize", "text_of_keys")


def people() -> pd.DataFrame:
    return pd.DataFrame(
        {"Id": ["1", "2", "3"], "EMail": ["a@fabrikam.com", "b@fabrikam.com", None], "Spend": [1, 2, 3], "Ok": "y"}
    )


#: Values of the parameters next to the marked one.
GIVEN: dict[str, Callable[[], Any]] = {
    "frame": people,
    "emails": lambda: people()["EMail"],
    "column": lambda: people()["Id"],
    "to": lambda: "EU",
    "new": lambda: "New",
    "number": lambda: 1,
    "path": lambda: "keys.csv",
    "tags": lambda: ["a"],
    "share": lambda: ["viewer"],
    "rules": lambda: "Spend > 1",
    "run": lambda: "00000000",
}
#: Inputs where the marked value only has an effect with another one.
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("connect", "*"): {"customer_id": "222", "account_id": "111"},
    ("segment", "*"): {"frame": people, "email": "EMail"},
    ("segment", "email"): {"frame": people},
    ("segment", "database"): {"frame": "SELECT 1 AS Id, 'x' AS EMail"},
    ("segment", "parameters"): {"frame": people, "email": "EMail", "where": "Spend > $a"},
    ("export", "*"): {"to": "EU", "ignore_consent": True},
    ("compare_normalizations", "*"): {"ignore_consent": True},
    ("forget", "key"): {"key_column": "Id"},
}


def prepare() -> None:
    """Undo what an earlier input may have changed."""
    workspace = ci.open_workspace().store
    if "EU" not in workspace.connections:
        ci.connect("EU", customer_id="222", account_id="111", agree=True, accept_terms=True, show=str)
    for each in workspace.exports:
        if each.name != "Weekly" or each.segments != ("All",):
            ci.exports.remove(each.name)
    if "All" not in workspace.segments:
        ci.segment("All", people(), key="Id", show=str)
    if "Weekly" not in workspace.exports:
        ci.exports.save("Weekly", "All", to="EU", ignore_consent=True, show=str)
    for name in set(workspace.segments.names()) - {"All"}:
        ci.segments.delete(name)


def marked(name: str, annotation: str, mark: str) -> list[Any]:
    """Return the forms in which an address can be given as a parameter; none if it takes no text."""
    shapes: list[Any] = []
    if "str" in annotation or annotation in ("Any", "Source | None"):
        shapes.append(mark)
    if ("Sequence" in annotation and "str" in annotation) or name in ("share", "tags"):
        shapes = [[mark]]
    if "Mapping" in annotation:
        shapes = [{"a": mark}, {mark: people()}]
    if "Any" in annotation and name in ("frame", "emails", "column"):
        odd = [f"{mark} and more", f" {mark.upper()} ", 7]
        shapes += [
            people().rename(columns={"Spend": mark}),
            people().assign(Ok=mark),
            people().assign(Ok=["y", mark, "n"], EMail=odd),
            people().assign(Consent=["y", mark, "n"]),
            people().assign(ConsentBy=[mark, mark, None], Key=[1, "a", mark]),
            pd.Series(odd, name=mark),
            odd,
        ]
    return shapes


def text_inputs(function: str) -> Iterator[tuple[str, str]]:
    for name, each in inspect.signature(getattr(ci, function)).parameters.items():
        annotation = str(each.annotation)
        if not any(annotation.startswith(other) for other in NOT_TYPED):
            yield name, annotation


def named_by(function: str) -> str:
    """Return a valid name for the first parameter of a function."""
    if "export" in function:
        return "Weekly"
    return "EU" if "connect" in function or "sign" in function else "All"


def arguments_for(function: str, name: str, value: Any) -> tuple[list[Any], dict[str, Any]]:
    signature = inspect.signature(getattr(ci, function)).parameters
    beside = BESIDE.get((function, name), BESIDE.get((function, "*"), {}))
    positional: list[Any] = []
    keywords = {each: made() if callable(made) else made for each, made in beside.items() if each != name}
    for each, parameter in signature.items():
        if each == name and parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional.append(value)
        elif each == name and parameter.kind is inspect.Parameter.VAR_KEYWORD:
            keywords["audience"] = value
        elif each == name:
            keywords[each] = value
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional.append("Weekly" if "export" in function and function != "export" else "All")
        elif parameter.default is inspect.Parameter.empty and each not in keywords:
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            default = (
                "Weekly" if "export" in function else "EU" if "connect" in function or "sign" in function else "All"
            )
            keywords[each] = GIVEN.get(each, lambda default=default: default)()
    if positional:
        return positional, keywords
    return [], keywords


def found_below(folder: Path, marks: MarkedAddresses) -> dict[str, set[str]]:
    """Return the files that contain an address, except files that the user named."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = "" if "here" in path.relative_to(folder).parts else str(path.relative_to(folder))
        inside = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = marks.named(name.encode()) | marks.named(inside)
    return {name: inputs for name, inputs in found.items() if inputs}


def require_nothing(recorder: OutputRecorder, marks: MarkedAddresses, stage: Path, *, at_least: int) -> None:
    assert len(marks.inputs) >= at_least
    heard = [
        f"{where}: {each}" for where, text in recorder.outputs for each in marks.named(text.encode("utf-8", "replace"))
    ]
    kept = [f"{name} holds {each}" for name, inputs in found_below(stage, marks).items() for each in inputs]
    assert not heard + kept, "\n".join(heard + kept)
