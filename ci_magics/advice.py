"""Advice that fits its reader: what to do is data, and each front end words it.

An error or a result holds ``advise("Finish it: ", Do("runs.resume", run.name), ".")``. A notebook shows it as a magic,
a terminal as a command, Python as a call. The wording follows from the operation's name alone, so any layer can name
an operation without importing it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from ci_magics.quoting import magic_quoted, magic_word, python_quoted, shell_word


class Reader(Enum):
    """Who reads advice, and so in which language it names operations."""

    NOTEBOOK = "notebook"
    TERMINAL = "terminal"
    PYTHON = "python"


@dataclass(frozen=True)
class Placeholder:
    """A word that the reader replaces, or a variable: written without quotes.

    Parameters
    ----------
    word
        The word, such as ``NAME``.
    """

    word: str


Single: TypeAlias = str | int | float | Placeholder
Value: TypeAlias = Single | tuple[Single, ...]

#: Placeholders for a value that the reader knows.
COLUMN, CONNECTION, FILE, FRAME, NAME, SEGMENT, USER = map(
    Placeholder, ("COLUMN", "CONNECTION", "FILE", "FRAME", "NAME", "SEGMENT", "USER")
)
#: Collections: alone they list what they hold, with a verb they change it.
NOUNS = frozenset(["connections", "segments", "exports", "runs", "audiences", "roles", "notifications", "emulator"])
#: The audiences belong to a connection, which Python names first: ``ci.audiences("Contoso").empty("Big")``.
_OF_A_CONNECTION = "audiences"


@dataclass(frozen=True, init=False)
class Do:
    """An operation to carry out.

    Parameters
    ----------
    operation
        Its name: ``export``, or a collection and its verb, ``segments.rename``. A collection alone is listed.
    arguments
        Positional arguments.
    options
        Named arguments. True or False is a switch; a tuple is several values.
    """

    operation: str
    arguments: tuple[Single, ...]
    options: tuple[tuple[str, Value], ...]

    def __init__(self, operation: str, *arguments: Single, **options: Value) -> None:
        object.__setattr__(self, "operation", operation)
        object.__setattr__(self, "arguments", arguments)
        object.__setattr__(self, "options", tuple(options.items()))

    def text(self, reader: Reader) -> str:
        """Return the operation in the language of a reader.

        Parameters
        ----------
        reader
            Who reads it.
        """
        if reader is Reader.PYTHON:
            return self._call()
        name, options = (self.operation, self.options)
        if name == "plan":
            name, options = "export", (*options, ("dry_run", True))
        noun, _dot, verb = name.replace("_", "-").partition(".")
        in_notebook = reader is Reader.NOTEBOOK
        words = [f"%ci_{noun}" if in_notebook else f"ci-magics {noun}", verb]
        words += [_in_line(each, in_notebook=in_notebook, whole=True) for each in self.arguments]
        words += [_option(option, value, in_notebook=in_notebook) for option, value in options]
        return " ".join(filter(None, words))

    def document(self) -> dict[str, Any]:
        """Return the operation as plain data."""
        return {
            "command" if isinstance(self, Command) else "operation": self.operation,
            "arguments": [_plain(each) for each in self.arguments],
            "options": {name: _plain(value) for name, value in self.options},
        }

    def mapped(self, change: Callable[[str], str]) -> Do:
        """Return the operation with every text argument changed.

        Parameters
        ----------
        change
            Called with each text.
        """
        arguments = [_mapped(each, change) for each in self.arguments]
        return type(self)(self.operation, *arguments, **{name: _mapped(each, change) for name, each in self.options})

    def __str__(self) -> str:
        return self.text(reader())

    def _call(self) -> str:
        noun, _dot, verb = self.operation.partition(".")
        arguments = [_in_python(each) for each in self.arguments]
        options = [f"{name}={_in_python(value)}" for name, value in self.options]
        if noun == _OF_A_CONNECTION and arguments:
            noun, arguments = f"{noun}({arguments[0]})", arguments[1:]
        if not verb and self.operation in NOUNS:
            return f"ci.{noun}"
        return f"ci.{noun}{'.' if verb else ''}{verb}({', '.join([*arguments, *options])})"


@dataclass(frozen=True, init=False)
class Command(Do):
    """An operation that runs as a separate process, such as the scheduler: shown to every reader as a command."""

    def text(self, reader: Reader) -> str:  # noqa: ARG002 - the same for all
        """Return the operation as a command.

        Parameters
        ----------
        reader
            Who reads it.
        """
        return super().text(Reader.TERMINAL)


@dataclass(frozen=True)
class Opt:
    """An option of the operation at hand: ``--allow-shrink`` in a line, ``allow_shrink=True`` in Python.

    Parameters
    ----------
    name
        Name of the parameter.
    value
        Value to give it; True or False for a switch. None only mentions the option.
    """

    name: str
    value: Value | None = None

    def text(self, reader: Reader) -> str:
        """Return the option in the language of a reader.

        Parameters
        ----------
        reader
            Who reads it.
        """
        if reader is Reader.PYTHON:
            return self.name if self.value is None else f"{self.name}={_in_python(self.value)}"
        value = True if self.value is None else self.value
        return _option(self.name, value, in_notebook=reader is Reader.NOTEBOOK)

    def document(self) -> dict[str, Any]:
        """Return the option as plain data."""
        return {"option": self.name, "value": None if self.value is None else _plain(self.value)}

    def mapped(self, change: Callable[[str], str]) -> Opt:
        """Return the option with its text values changed.

        Parameters
        ----------
        change
            Called with each text.
        """
        return Opt(self.name, None if self.value is None else _mapped(self.value, change))

    def __str__(self) -> str:
        return self.text(reader())


@dataclass(frozen=True)
class Advice:
    """Words, operations and options, in the order in which they are read. `advise` makes one.

    Parameters
    ----------
    parts
        The parts, which are joined without a separator.
    """

    parts: tuple[str | Do | Opt, ...] = ()

    def text(self, reader: Reader) -> str:
        """Return the advice in the language of a reader.

        Parameters
        ----------
        reader
            Who reads it.
        """
        return "".join(each if isinstance(each, str) else each.text(reader) for each in self.parts)

    def documents(self) -> list[dict[str, Any]]:
        """Return the operations and options as plain data."""
        return [each.document() for each in self.parts if not isinstance(each, str)]

    def stored(self) -> str:
        """Return the advice as a text that keeps the operations as data; `worded` words them when it is shown."""
        return "".join(each if isinstance(each, str) else _marked(each.document()) for each in self.parts)

    def mapped(self, change: Callable[[str], str]) -> Advice:
        """Return the advice with every text changed, also those that are arguments of operations.

        Parameters
        ----------
        change
            Called with each text.
        """
        return Advice(tuple(change(each) if isinstance(each, str) else each.mapped(change) for each in self.parts))

    def __str__(self) -> str:
        return self.text(reader())

    def __bool__(self) -> bool:
        return any(self.parts)


def advise(*parts: str | Do | Opt | Advice) -> Advice:
    """Return advice.

    Parameters
    ----------
    parts
        Texts, operations and options, joined without a separator.
    """
    return Advice(tuple(flat for each in parts for flat in (each.parts if isinstance(each, Advice) else (each,))))


def joined(texts: Iterable[str | Advice], separator: str = " ") -> Advice:
    """Return several pieces of advice as one, without the empty ones.

    Parameters
    ----------
    texts
        The pieces.
    separator
        The text between two pieces.
    """
    parts: list[str | Advice] = []
    for each in texts:
        if each:
            parts += [separator, each] if parts else [each]
    return advise(*parts)


_reader = Reader.PYTHON


def reader() -> Reader:
    """Return who reads advice in this process: a notebook if the extension is loaded, by default Python code."""
    return _reader


def set_reader(now: Reader) -> None:
    """Set who reads advice in this process, in all its threads.

    Parameters
    ----------
    now
        The reader.
    """
    global _reader
    _reader = now


@contextmanager
def reading(now: Reader) -> Iterator[None]:
    """Word advice for a reader while the block runs.

    Parameters
    ----------
    now
        The reader.
    """
    before = reader()
    set_reader(now)
    try:
        yield
    finally:
        set_reader(before)


def worded(text: str) -> str:
    """Return a text that `Advice.stored` made with its operations in the language of the current reader.

    Parameters
    ----------
    text
        The stored text; one without operations stays as it is.
    """
    return _MARKED.sub(_unmarked, text)


#: Around an operation in a stored text. No name may contain these characters.
_OPEN, _CLOSE = "\x02", "\x03"
_MARKED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")


def _marked(document: dict[str, Any]) -> str:
    return f"{_OPEN}{json.dumps(document)}{_CLOSE}"


def _unmarked(found: re.Match[str]) -> str:
    document = json.loads(found[1])
    if "option" in document:
        value = document["value"]
        return str(Opt(document["option"], None if value is None else _value(value)))
    options = {name: _value(value) for name, value in document["options"].items()}
    kind = Command if "command" in document else Do
    name = document["command" if kind is Command else "operation"]
    return str(kind(name, *map(_value, document["arguments"]), **options))


def _plain(value: Value) -> Any:
    if isinstance(value, Placeholder):
        return {"placeholder": value.word}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        return Placeholder(plain["placeholder"])
    return tuple(_value(each) for each in plain) if isinstance(plain, list) else plain


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_mapped(each, change) for each in value)
    return change(value) if isinstance(value, str) else value


def _in_python(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_in_python(each) for each in value)}]"
    if isinstance(value, Placeholder):
        return value.word
    return python_quoted(value) if isinstance(value, str) else repr(value)


def _in_line(value: Single, *, in_notebook: bool, whole: bool = False) -> str:
    """Return a value as a word of a line. Names (`whole`) are always quoted in a magic."""
    if isinstance(value, Placeholder):
        return value.word
    if not isinstance(value, str):
        return str(value)
    if not in_notebook:
        return shell_word(value)
    return magic_quoted(value) if whole else magic_word(value)


def _option(name: str, value: Value, *, in_notebook: bool) -> str:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return option if value else f"--no-{option[2:]}"
    if isinstance(value, tuple):
        return " ".join(_option(name, each, in_notebook=in_notebook) for each in value)
    word = _in_line(value, in_notebook=in_notebook)
    dashed = isinstance(value, str) and value.startswith("-") and not in_notebook
    return f"{option}={word}" if dashed else f"{option} {word}"
