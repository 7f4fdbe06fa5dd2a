"""The options of the notebook: what they may be, and which source decides.

``%config`` and ``%ci_config`` come before an environment variable, that before ``[tool.ci-magics]`` of the nearest
pyproject.toml, that before what it is anyway. The last three are read when the extension is loaded. What decides where
data goes is never an option, only an argument.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.text_table import text_table
from ci_magics.errors import ArgumentError, nearest_name

DEFAULT, SET = "default", "%config"
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class NotebookOption:
    """One option; those without choices are switches."""

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
        """What it may be."""
        return self.choices or ("True", "False")

    def read(self, value: Any, where: str = "") -> Any:
        """Return a value as the option has it.

        Raises
        ------
        ArgumentError
            It cannot be that.
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
        NotebookOption("normalization", "basic", "rule that is hashed, unless told", ("basic", "enhanced", "both")),
    )
}


class OptionRefused(BaseException):
    """An option that ``%config`` was to set and cannot be.

    ``%config`` logs every Exception and goes on, as if the option were set; so this is none.
    """

    def __init__(self, error: ArgumentError) -> None:
        super().__init__(str(error))
        self.error = error

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self.error).__name__}: {self.error}"]


@dataclass(frozen=True)
class OptionList(Displayable):
    """The options, their values, and who said so.

    Parameters
    ----------
    values
        Each option's value.
    sources
        Where each value comes from.
    with_sources
        Whether the sources are shown.
    """

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    with_sources: bool = False

    def _rows(self) -> list[list[str]]:
        shown = (self.values, self.sources) if self.with_sources else (self.values,)
        return [[name, *(str(each[name]) for each in shown), option.help] for name, option in OPTIONS.items()]

    def _heads(self) -> list[str]:
        return ["Option", "Value", *(["Source"] if self.with_sources else []), "What it does"]

    def __repr__(self) -> str:
        return text_table(self._heads(), self._rows())

    def _repr_html_(self) -> str:
        return table(self._heads(), self._rows())


def known_option(name: str) -> NotebookOption:
    """Return the option of a name.

    Raises
    ------
    ArgumentError
        There is none.
    """
    if name not in OPTIONS:
        nearest = nearest_name(name, OPTIONS)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ArgumentError(f"There is no option {name}.{hint}", "%ci_config lists them.", code="unknown_option")
    return OPTIONS[name]


def outside_options() -> dict[str, tuple[Any, str]]:
    """Return the value and the source of each option, as it is before anybody sets it in the notebook.

    Raises
    ------
    ArgumentError
        A variable or the file has an impossible value; the error names which.
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
    """Return what the nearest pyproject.toml says, and its name."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                return file.name, tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("ci-magics", {})
            except (OSError, ValueError):
                return file.name, {}  # not ours to complain about: other tools do
    return "", {}
