"""Describe one parameter of a public function to magics, the command line and forms.

Write it where the parameter is declared, ``Annotated[str | None, Option("connection", kind="connection")]``: in the
signature, in a type alias that several functions share, or at a key of a TypedDict that a function takes with
``**options: Unpack[...]``. The name, the type and the default of the parameter define the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """What a signature cannot express about one parameter.

    Parameters
    ----------
    help
        One line for ``--help``, starting in lower case, without the default.
    kind
        What the value names, such as ``segment``; selects the candidates for completion.
    value
        Placeholder of the value in ``--help``; by default it follows from the kind or the type.
    label
        Label of the field in a form; by default the name of the parameter.
    choices
        The allowed values, if the type does not define them; optionally with the label of each in a form.
    hint
        Placeholder of an empty field in a form.
    default
        The default of a TypedDict key, because a TypedDict cannot declare one. Parameters use their signature's.
    description
        Sentences for the docstring of a function that takes a key of a TypedDict; by default the help.
    shown_default
        What ``--help`` says in place of the default, such as ``-1 for a new audience``.
    """

    help: str
    kind: str = "text"
    value: str = ""
    label: str = ""
    choices: Mapping[str, str] | tuple[str, ...] = field(default=(), hash=False)
    hint: str = ""
    default: Any = field(default=None, hash=False)
    shown_default: str = ""
    description: str = ""
