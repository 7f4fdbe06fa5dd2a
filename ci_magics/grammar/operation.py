"""An operation: a public function or method, its arguments, and how a line of words calls it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Command, Flag, Positional
from ci_magics.grammar.option import Option

F = TypeVar("F", bound=Callable[..., Any])
#: Turns a word of a line into the value that a parameter takes.
Resolve = Callable[["Parameter", Any], Any]
MARK = "__operation__"
_NEEDED = inspect.Parameter.empty


@dataclass(frozen=True)
class Facts:
    """Facts about a function that its signature cannot express.

    Parameters
    ----------
    verb
        The `ci_magics.workspace.access.Verb` that it requires and that the audit log names; None if it requires none.
    example
        The words and options of an example.
    changes
        Whether it changes the workspace, an account, or this machine.
    """

    verb: Any = None
    example: str = ""
    changes: bool = True


def operation(verb: Any = None, *, example: str = "", changes: bool = True) -> Callable[[F], F]:
    """Declare a public function or method as an operation.

    Parameters
    ----------
    verb
        The verb of `ci_magics.workspace.access` that it requires.
    example
        The words and options of an example, without the name.
    changes
        Whether it changes something.
    """

    def declared(function: F) -> F:
        setattr(function, MARK, Facts(verb, example, changes))
        return function

    return declared


@dataclass(frozen=True)
class Parameter:
    """One argument of an operation.

    Parameters
    ----------
    name
        Its name in Python.
    option
        What the annotation says about it.
    word
        Whether it is a word of the line; else it is an option.
    several
        Whether it takes any number of values.
    default
        Its default; `inspect.Parameter.empty` if it must be given.
    type
        ``switch``, ``choice of two`` (a switch that can also be turned off), ``number``, ``moment``, ``json``, or
        ``text``.
    choices
        The allowed values; empty if any is.
    objects
        Whether it also takes an object of Python, such as a segment, in place of its name.
    """

    name: str
    option: Option
    word: bool = False
    several: bool = False
    default: Any = _NEEDED
    type: str = "text"
    choices: tuple[str, ...] = ()
    objects: bool = False

    @property
    def secret(self) -> bool:
        """Whether the user is prompted for its value, because a line must not show it."""
        return self.option.kind == "secret"

    @property
    def needed(self) -> bool:
        """Whether it must be given."""
        return self.default is _NEEDED

    @property
    def flag(self) -> str:
        """The name of the option, with hyphens."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def placeholder(self) -> str:
        """The placeholder for the value in help."""
        if self.option.value:
            return self.option.value
        if self.type == "number":
            return "N"
        if self.word:
            return self.name.rstrip("s").upper() if self.several else self.name.upper()
        return (
            "NAME" if self.option.kind not in ("text", "column") else "COL" if self.option.kind == "column" else "TEXT"
        )

    @property
    def opposite(self) -> str:
        """The name of the option that turns it off."""
        return f"--no-{self.flag[2:]}"

    @property
    def label(self) -> str:
        """The label of its field in a form."""
        return self.option.label or self.name.replace("_", " ").capitalize()

    def help(self) -> str:
        """Return its line of help, with the default and whether it repeats."""
        shown = self.option.shown_default or (
            str(self.default) if isinstance(self.default, str | int) and not isinstance(self.default, bool) else ""
        )
        text = f"{self.option.help} ({shown})" if shown else self.option.help
        return f"{text}; may be repeated" if self.several and not self.word else text

    def positional(self) -> Positional:
        """Return it as a positional argument of a command."""
        return Positional(self.placeholder, self.help(), self.several, self.option.kind, self.choices, self.needed)

    def flags(self) -> Iterator[Flag]:
        """Yield it as an option of a command; two if it can be turned on and off."""
        if self.secret:
            yield Flag(self.flag, f"{self.option.help}; you are asked for it")
            return
        if self.type in ("switch", "choice of two"):
            if self.default is not True:
                yield Flag(self.flag, self.help())
            if self.default is True or self.type == "choice of two":
                yield Flag(self.opposite, f"the opposite of {self.flag}")
            return
        yield Flag(
            self.flag,
            self.help(),
            value=self.placeholder,
            choices=self.choices,
            whole_number=self.type == "number",
            repeatable=self.several,
            kind=self.option.kind,
        )


@dataclass(frozen=True)
class Operation:
    """The declaration of one operation, read from its function.

    Parameters
    ----------
    path
        Its name in Python: ``export`` or ``segments.rename``.
    summary
        The first line of its docstring.
    parameters
        The parameters, words first.
    facts
        Facts that its signature cannot express.
    """

    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    facts: Facts = field(default_factory=Facts)

    @property
    def verb(self) -> str:
        """Its word in a line."""
        return self.path.rpartition(".")[2].replace("_", "-")

    @property
    def options(self) -> tuple[Parameter, ...]:
        """The parameters that are options."""
        return tuple(each for each in self.parameters if not each.word)

    @property
    def words(self) -> tuple[Parameter, ...]:
        """The parameters that are words."""
        return tuple(each for each in self.parameters if each.word)

    def __getitem__(self, name: str) -> Parameter:
        """Return the parameter of this name."""
        return next(each for each in self.parameters if each.name == name)

    def without(self, *names: str) -> Operation:
        """Return the operation without some parameters."""
        return replace(self, parameters=tuple(each for each in self.parameters if each.name not in names))

    def command(self, name: str, *more: Flag) -> Command:
        """Return the declaration of a line for this operation.

        Parameters
        ----------
        name
            How the line begins, such as ``%ci_segments rename``.
        more
            Options that only this kind of line has.
        """
        flags = [flag for each in self.options for flag in each.flags()]
        example = "\n".join(f"{name} {line}".rstrip() for line in (self.facts.example or "").splitlines() or [""])
        needed = getattr(self.facts.verb, "minimum_role", None)
        notes = f"Needs the role {needed}." if needed not in (None, "viewer") else ""
        words = tuple(each.positional() for each in self.words if not each.secret)
        return Command(name, self.summary, example, words, (*flags, *more), notes)

    def given(self, arguments: Arguments, resolve: Resolve) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the keyword arguments of the call; missing ones keep their defaults.

        Parameters
        ----------
        arguments
            The parsed line.
        resolve
            Turns a word into the value that a parameter takes.

        Raises
        ------
        ArgumentError
            A required word is missing, or two options contradict each other.
        """
        remaining, words = list(arguments.words), []
        for each in self.words:
            if each.several:
                words += [_value(each, word, resolve) for word in remaining]
                break
            if each.secret:  # it belongs to the word before
                words += [resolve(each, None)] if words else []
            elif remaining:
                words.append(_value(each, remaining.pop(0), resolve))
            elif each.needed:
                raise ArgumentError(
                    f"{self.verb} needs {each.placeholder}: {each.option.help}.", "See --help.", code="word_missing"
                )
        options = {}
        for each in self.options:
            value = _option_value(each, arguments, resolve)
            if value is not None:
                options[each.name] = value
            elif each.needed:
                raise ArgumentError(
                    f"{self.verb} needs {each.flag}: {each.option.help}.", "See --help.", code="option_missing"
                )
        return words, options


def _option_value(parameter: Parameter, arguments: Arguments, resolve: Resolve) -> Any:
    """Return the value of an option; None if it is missing."""
    if parameter.type in ("switch", "choice of two"):
        is_on, is_off = (arguments.switch(name[2:].replace("-", "_")) for name in (parameter.flag, parameter.opposite))
        if is_on and is_off:
            raise ArgumentError(
                f"{parameter.flag} and {parameter.opposite} cannot be combined.", "Choose one.", code="two_ways"
            )
        return True if is_on else False if is_off else None
    if parameter.secret:
        return resolve(parameter, None) if arguments.switch(parameter.name) else None
    value = arguments.options.get(parameter.name)
    if value is None:
        return None
    return (
        [_value(parameter, each, resolve) for each in value] if parameter.several else _value(parameter, value, resolve)
    )


def _value(parameter: Parameter, word: Any, resolve: Resolve) -> Any:
    value = resolve(parameter, word)
    if not isinstance(value, str):
        return value
    if parameter.type == "number":
        return _number(parameter, value)
    if parameter.type == "json":
        return _json(value)
    return _moment(value) if parameter.type == "moment" else value


def _number(parameter: Parameter, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(
            f"{parameter.placeholder} must be a whole number.", f"It is {parameter.option.help}.", code="not_a_number"
        ) from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ArgumentError(
            "The body is not JSON.", """Write it in single quotes, as '{"clock": "fast"}'.""", code="not_json"
        ) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(
            f"'{text}' is not a day.", "Write it as 2026-11-01, or 2026-11-01T06:00.", code="not_a_day"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
