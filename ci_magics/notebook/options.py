"""The options of the notebook: their allowed values and the precedence of their sources.

Precedence: ``%config`` and ``%ci_config``, then an environment variable, then ``[tool.ci-magics]`` of the nearest
pyproject.toml, then the default. The last three are read when the extension is loaded. Where data goes is never an
option, only an argument.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_magics.display.result_table import Column, ResultTable
from ci_magics.errors import ArgumentError, nearest_name

DEFAULT, SET = "default", "%config"
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class NotebookOption:
    """One option; without choices it is a switch."""

    name: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"CI_MAGICS_{self.name.upper()}"

    @property
    def values(self) -> tuple[str, ...]:
        """The allowed values, as text."""
        return self.choices or ("True", "False")

    def read(self, value: Any, where: str = "") -> Any:
        """Validate a value and convert it to the option's type.

        Parameters
        ----------
        value
            The value, as text or as the option's own type.
        where
            Where the value was found, for the error message; begins with a space.

        Raises
        ------
        ArgumentError
            The value is not allowed.
        """
        known = _WORDS.get(str(value).casefold()) if not self.choices else value if value in self.choices else None
        if known is None:
            raise ArgumentError(
                f"The option {self.name} cannot be '{value}'{where}.",
                f"Use {' or '.join(self.values)}.",
                code="option_value",
            )
        return known


OPTIONS = {
    each.name: each
    for each in (
        NotebookOption("short_errors", True, "show errors as one sentence instead of a traceback"),
        NotebookOption("progress", True, "show how far a run is"),
        NotebookOption("normalization", "basic", "default normalization rule", ("basic", "enhanced", "both")),
    )
}


class OptionRefused(BaseException):
    """An option that ``%config`` cannot set.

    ``%config`` logs each Exception and continues as if the option were set, so this derives from BaseException.
    """

    def __init__(self, error: ArgumentError) -> None:
        super().__init__(str(error))
        self.error = error

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self.error).__name__}: {self.error}"]


@dataclass(frozen=True, repr=False)
class OptionList(ResultTable[NotebookOption]):
    """The options with their values and sources.

    Parameters
    ----------
    values
        The value of each option.
    sources
        The source of each value.
    with_sources
        Whether to show the sources.
    """

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    with_sources: bool = False

    @property
    def _columns(self) -> tuple[Column[NotebookOption], ...]:
        source = Column[NotebookOption]("Source", lambda each: self.sources[each.name], frame_name="source")
        return (
            Column("Option", "name"),
            Column("Value", lambda each: self.values[each.name], str, frame_name="value"),
            *([source] if self.with_sources else []),
            Column("What it does", "help"),
        )

    @property
    def _rows(self) -> tuple[NotebookOption, ...]:
        return tuple(OPTIONS.values())


def known_option(name: str) -> NotebookOption:
    """Return the option with this name.

    Raises
    ------
    ArgumentError
        There is no such option.
    """
    if name not in OPTIONS:
        nearest = nearest_name(name, OPTIONS)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ArgumentError(f"There is no option {name}.{hint}", "%ci_config lists them.", code="unknown_option")
    return OPTIONS[name]


def outside_options() -> dict[str, tuple[Any, str]]:
    """Return the value and the source of each option before the notebook sets any.

    Raises
    ------
    ArgumentError
        An environment variable or pyproject.toml has a value that is not allowed; the message says which.
    """
    found = {name: (option.default, DEFAULT) for name, option in OPTIONS.items()}
    file, written = _project()
    for name, value in written.items():
        key = name.replace("-", "_")
        found[key] = (known_option(key).read(value, f" in [tool.ci-magics] of {file}"), f"[tool.ci-magics] of {file}")
    for name, option in OPTIONS.items():
        if option.variable in os.environ:
            found[name] = (option.read(os.environ[option.variable], f" in {option.variable}"), option.variable)
    return found


def _project() -> tuple[str, dict[str, Any]]:
    """Return the name of the nearest pyproject.toml and its ``[tool.ci-magics]`` table."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                return file.name, tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("ci-magics", {})
            except (OSError, ValueError):
                return file.name, {}  # other tools report an invalid pyproject.toml
    return "", {}
