"""Write a form's action as a magic and as a Python call."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ci_magics.grammar.operation import Parameter
from ci_magics.operations.declarations import declaration
from ci_magics.quoting import magic_quoted, magic_word, python_literal

_PRE = (
    "user-select:all;padding:8px;margin:2px 0;border:1px solid var(--jp-border-color1,#bbb);border-radius:4px;"
    "white-space:pre-wrap;overflow-wrap:anywhere;color:var(--jp-content-font-color1,inherit);background:transparent"
)
#: A page can write to the clipboard only during a user gesture in it, so this runs in the page.
_COPY = (
    "const range=document.createRange();range.selectNodeContents(this.parentElement.querySelector('pre'));"
    "const chosen=getSelection();chosen.removeAllRanges();chosen.addRange(range);"
    "this.textContent=document.execCommand('copy')?'Copied':'Selected: copy it with Ctrl+C'"
)


class Code(NamedTuple):
    """The same action as a magic and as a Python call."""

    magic: str
    python: str


class Name(str):
    """The name of a variable: written bare, not as a string literal."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def magic_line(magic: str, words: Sequence[str], options: Mapping[str, Any]) -> str:
    """Write a magic's line.

    Parameters
    ----------
    magic
        The name with the percent sign.
    words
        The positional words; a `Name` is written bare, all others are quoted.
    options
        True is a switch; None, False, empty texts and empty lists are left out; a list repeats the option.
    """
    parts = [magic, *(word if isinstance(word, Name) else magic_quoted(word) for word in words)]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is True:
                parts.append(option)
            elif one not in (None, False, ""):
                parts += [option, one if isinstance(one, Name) else magic_word(str(one))]
    return " ".join(parts)


def code_of(path: str, words: Sequence[str], options: Mapping[str, Any]) -> Code:
    """Write an operation as a magic and as a Python call, with what differs from its defaults.

    Parameters
    ----------
    path
        The operation's name in Python.
    words
        Its positional arguments; a `Name` is written bare.
    options
        Its options, by their names in Python.
    """
    operation = declaration(path)
    given = {name: value for name, value in options.items() if _differs_from_default(operation[name], value)}
    noun, _, verb = path.replace("_", "-").rpartition(".")
    lines = {
        operation[name].opposite[2:] if value is False else name: True if value is False else value
        for name, value in given.items()
    }
    arguments = [*map(python_literal, words), *(f"{name}={python_literal(value)}" for name, value in given.items())]
    magic = magic_line(f"%ci_{noun} {verb}" if noun else f"%ci_{verb}", words, lines)
    return Code(magic, f"ci.{path}({', '.join(arguments)})")


def _differs_from_default(parameter: Parameter, value: Any) -> bool:
    """Return whether a value differs from what the operation does without it."""
    if value is False:
        return parameter.default is True or parameter.type == "choice of two"
    return value not in (None, "", [], ()) and value != parameter.default


def copyable(label: str, text: str, *, large: bool = False) -> str:
    """Return HTML for a text that one click or key selects and copies.

    Parameters
    ----------
    label
        What the text is.
    text
        The text to copy; escaped here.
    large
        Whether to show it in large type, as for a sign-in code.
    """
    size = "font-size:1.8em;letter-spacing:0.12em;font-weight:bold;" if large else ""
    return (
        f"<div style='margin:6px 0'><div>{html.escape(label)}</div>"
        f"<pre style='{_PRE};{size}'>{html.escape(text)}</pre>"
        f'<button type="button" class="jupyter-button widget-button" style="width:auto;padding:0 12px" '
        f'aria-label="Copy: {html.escape(label)}" onclick="{html.escape(_COPY)}">Copy</button></div>'
    )


def code_html(code: Code) -> str:
    """Return HTML with both versions, each with its own copy button."""
    return copyable("As a magic", code.magic) + copyable("In Python", f"import ci_magics as ci\n{code.python}")
