"""`Magic` declares a magic; `Call` is one invocation of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import ci_magics as ci
from ci_magics.asking import typed
from ci_magics.display.output import write
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Command
from ci_magics.grammar.operation import Parameter
from ci_magics.grammar.words import Word, split_unfinished
from ci_magics.notebook.display import ProgressLine
from ci_magics.notebook.names import connection_named, frame_named, segment_named
from ci_magics.operations.declarations import Done, carry_out, declaration


class Settings(Protocol):
    """The options of the notebook; see `ci_magics.notebook.options`."""

    progress: bool
    normalization: str

    def set_option(self, name: str, value: Any) -> None:
        """Set an option; raises ArgumentError if the value is not allowed."""

    def option_list(self, *, sources: bool) -> Any:
        """Return all options with their values."""


@dataclass(frozen=True)
class Chosen:
    """The declaration that a line follows.

    Parameters
    ----------
    command
        The declaration.
    rest
        The part of the line that it describes.
    verb
        The word that chose it; empty if the magic has no verbs or the line has none.
    """

    command: Command
    rest: str
    verb: str = ""


@dataclass(frozen=True)
class Call:
    """One invocation of a magic.

    Parameters
    ----------
    arguments
        The parsed line.
    variables
        The notebook's variables.
    settings
        The options of the notebook.
    cell
        The body of a cell magic.
    verb
        The verb of the line; see `Chosen`.
    """

    arguments: Arguments
    variables: Mapping[str, Any]
    settings: Settings
    cell: str = ""
    verb: str = ""

    @property
    def quiet(self) -> bool:
        """Whether to show nothing."""
        return self.arguments.switch("quiet")

    def say(self, sentence: str) -> None:
        """Print a sentence in addition to the result, unless the call is quiet."""
        if not self.quiet:
            write(f"{sentence}\n")

    def progress(self) -> ProgressLine:
        """Return the progress line, live only if a user is present and progress is on."""
        from ci_magics.activation.connections.sign_in import can_ask

        return ProgressLine(live=self.settings.progress and not self.quiet and can_ask())

    def resolve(self, parameter: Parameter, word: Any) -> Any:
        """Return the value that a parameter takes: a stored object's name, an object of the notebook, or text.

        Parameters
        ----------
        parameter
            The parameter.
        word
            A word of the line, an object, or None for a secret, for which the user is prompted.
        """
        if parameter.secret:
            return typed(parameter.option.help)
        if parameter.option.kind == "frame":
            return frame_named(word, self.variables)
        if parameter.objects and parameter.option.kind == "segment":
            return segment_named(word, ci.open_workspace().store, self.variables)
        if parameter.objects and parameter.option.kind == "connection":
            return connection_named(word, ci.open_workspace().store, self.variables)
        return word if parameter.type == "number" and isinstance(word, int) else text_of(word)

    def carry_out(self, path: str, arguments: Arguments | None = None, *, of: Any = None, **options: Any) -> Done:
        """Execute an operation with the arguments of the line and a progress line.

        Parameters
        ----------
        path
            The operation's name in Python.
        arguments
            Other arguments than those of the line.
        of
            The collection, if its noun has several.
        options
            More options of the operation, by their names in Python.
        """
        operation = declaration(path)
        positional = self.arguments if arguments is None else arguments
        if "normalization" in [each.name for each in operation.options] and not positional.given("normalization"):
            options = {"normalization": self.settings.normalization, **options}
        with self.progress() as progress:
            context = {"show": self.say, "progress": progress, **options}
            return carry_out(operation, positional, self.resolve, context, of)


@dataclass(frozen=True)
class Magic:
    """A magic: its arguments, and the function that calls the public function of the same job.

    Parameters
    ----------
    title
        Its name with percent signs. A name that begins with ``%%`` is a cell magic.
    declare
        Returns the source of the parser, the help and the completion; called when one of them is first needed.
    work
        Executes a call and returns what the cell shows.
    verbs
        Returns the declarations of its verbs by the words that choose them.
    """

    title: str
    declare: Callable[[], Command]
    work: Callable[[Call], Any]
    verbs: Callable[[], Mapping[str, Command]] = dict

    @cached_property
    def command(self) -> Command:
        """The declaration of its arguments; for a noun, of a line without a verb."""
        return self.declare()

    @property
    def kind(self) -> str:
        """``line`` or ``cell``."""
        return "cell" if self.title.startswith("%%") else "line"

    @property
    def name(self) -> str:
        """The name without percent signs."""
        return self.title.lstrip("%")

    def chosen(self, line: str, *, typing: bool = False) -> Chosen:
        """Return the declaration that a line follows, and the rest of the line that it describes.

        Parameters
        ----------
        line
            The text after the magic's name.
        typing
            Whether the last word may be unfinished.
        """
        verbs = self.verbs()
        first = next(iter(split_unfinished(line if typing else f"{line} ")[0]), None) if verbs else None
        if first is None or first.quoted or first.text not in verbs:
            return Chosen(self.command, line)
        return Chosen(verbs[first.text], line[first.end :], first.text)


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
