"""A magic, and one use of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import ci_magics as ci
from ci_magics.display.output import write
from ci_magics.errors import ArgumentError
from ci_magics.notebook.arguments import Arguments, Command
from ci_magics.notebook.display import ProgressLine
from ci_magics.notebook.names import connection_named, segment_named
from ci_magics.notebook.words import Word


class Settings(Protocol):
    """The options of the notebook; see `ci_magics.notebook.options`."""

    progress: bool
    normalization: str

    def set_option(self, name: str, value: Any) -> None:
        """Set an option; raises ArgumentError where it cannot be that."""

    def option_list(self, *, sources: bool) -> Any:
        """Return all options with their values."""


@dataclass(frozen=True)
class Call:
    """One use of a magic: what its line says, the variables it may name, and the cell below it."""

    arguments: Arguments
    variables: Mapping[str, Any]
    settings: Settings
    cell: str = ""

    @property
    def quiet(self) -> bool:
        """Whether nothing is to be shown."""
        return self.arguments.switch("quiet")

    def say(self, sentence: str) -> None:
        """Tell the person something beside the result."""
        if not self.quiet:
            write(f"{sentence}\n")

    def progress(self) -> ProgressLine:
        """Return the line that shows how far a run is, where somebody is looking and wants it."""
        from ci_magics.activation.connections.sign_in import can_ask

        return ProgressLine(live=self.settings.progress and not self.quiet and can_ask())

    def segments(self) -> list[Any]:
        """Return what the words name, to hand to the public functions as segments."""
        workspace = ci.open_workspace()
        return [segment_named(word, workspace, self.variables) for word in self.arguments.words]

    def excluded(self) -> list[Any]:
        """Return the segments whose people are not sent, to hand to the public functions."""
        workspace = ci.open_workspace()
        return [segment_named(word, workspace, self.variables) for word in self.arguments.options.get("exclude", [])]

    def connection(self, option: str) -> Any:
        """Return what an option names, to hand to the public functions as a connection; None if it is not there."""
        word = self.arguments.options.get(option)
        return None if word is None else connection_named(word, ci.open_workspace(), self.variables)


@dataclass(frozen=True)
class Magic:
    """A magic: what it takes, and the function that does it by calling the public one of the same job.

    Parameters
    ----------
    command
        Source of the parser, the help and the completion. A name that begins with ``%%`` is a cell magic.
    work
        Does it, and returns what the cell shows.
    """

    command: Command
    work: Callable[[Call], Any]

    @property
    def kind(self) -> str:
        """``line`` or ``cell``."""
        return "cell" if self.command.name.startswith("%%") else "line"

    @property
    def name(self) -> str:
        """The name without percent signs."""
        return self.command.name.lstrip("%")


def text_of(word: Any) -> str:
    """Return the name that a word says, or that the object has which stood in its place.

    Raises
    ------
    ArgumentError
        The object has no name.
    """
    if isinstance(word, Word):
        return word.text
    name = word if isinstance(word, str) else getattr(word, "name", None)
    if isinstance(name, str):
        return name
    raise ArgumentError(f"This is a {type(word).__name__}, not a name.", "Write the name itself.", code="not_a_name")
