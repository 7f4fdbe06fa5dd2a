"""`Magic` declares a magic; `Call` is one invocation of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import ci_magics as ci
from ci_magics.display.output import write
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Command
from ci_magics.grammar.words import Word
from ci_magics.notebook.display import ProgressLine
from ci_magics.notebook.names import connection_named, segment_named


class Settings(Protocol):
    """The options of the notebook; see `ci_magics.notebook.options`."""

    progress: bool
    normalization: str

    def set_option(self, name: str, value: Any) -> None:
        """Set an option; raises ArgumentError if the value is not allowed."""

    def option_list(self, *, sources: bool) -> Any:
        """Return all options with their values."""


@dataclass(frozen=True)
class Call:
    """One invocation of a magic: parsed arguments, the notebook's variables, and the body of a cell magic."""

    arguments: Arguments
    variables: Mapping[str, Any]
    settings: Settings
    cell: str = ""

    @property
    def quiet(self) -> bool:
        """Whether to show nothing."""
        return self.arguments.switch("quiet")

    def say(self, sentence: str) -> None:
        """Print a sentence beside the result, unless the call is quiet."""
        if not self.quiet:
            write(f"{sentence}\n")

    def progress(self) -> ProgressLine:
        """Return the progress line, live only if a user is present and progress is on."""
        from ci_magics.activation.connections.sign_in import can_ask

        return ProgressLine(live=self.settings.progress and not self.quiet and can_ask())

    def segments(self) -> list[Any]:
        """Return the segments that the words name, as the public functions accept them."""
        workspace = ci.open_workspace().store
        return [segment_named(word, workspace, self.variables) for word in self.arguments.words]

    def excluded(self) -> list[Any]:
        """Return the segments of ``--exclude``, as the public functions accept them."""
        workspace = ci.open_workspace().store
        return [segment_named(word, workspace, self.variables) for word in self.arguments.options.get("exclude", [])]

    def connection(self, option: str) -> Any:
        """Return the connection that an option names, as the public functions accept it; None if not given."""
        word = self.arguments.options.get(option)
        return None if word is None else connection_named(word, ci.open_workspace().store, self.variables)


@dataclass(frozen=True)
class Magic:
    """A magic: its arguments, and the function that calls the public function of the same job.

    Parameters
    ----------
    command
        Source of the parser, the help and the completion. A name that begins with ``%%`` is a cell magic.
    work
        Carries out a call and returns what the cell shows.
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
    """Return the text of a word, or the name of the object given in its place.

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
