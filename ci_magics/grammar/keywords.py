"""Show each option of ``**options: Unpack[...]`` in the signature and the help of a function."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_type_hints

from ci_magics.grammar.option import Option

F = TypeVar("F", bound=Callable[..., Any])


class _Unset:
    """The displayed default of an option that keeps its current value if it is not set."""

    def __repr__(self) -> str:
        return "<kept>"


def takes(keywords: type, *, kept: bool = False) -> Callable[[F], F]:
    """Return a decorator that lists the options of a function for `inspect.signature`, `help` and Tab.

    The function keeps taking ``**options``. In its docstring, the parameter ``options`` is replaced by each option.

    Parameters
    ----------
    keywords
        The TypedDict whose keys the function takes; each has an `Option`.
    kept
        Whether an option keeps its current value if it is not set, and so has no default.
    """
    declared = {
        name: (get_args(annotation)[0], next(each for each in get_args(annotation) if isinstance(each, Option)))
        for name, annotation in get_type_hints(keywords, include_extras=True).items()
    }

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        *parameters, options = signature.parameters.values()
        if options.kind is not options.VAR_KEYWORD:
            raise TypeError(f"{function.__name__} takes no **options")
        for name, (kind, option) in declared.items():
            default = _Unset() if kept else option.default
            parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            parameters.append(parameter.replace(annotation=_text_of(kind)))
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        entries = "".join(_entry(name, option) for name, (_kind, option) in declared.items())
        function.__doc__ = _with_entries(inspect.getdoc(function) or "", options.name, entries)
        return function

    return decorate


def _text_of(kind: Any) -> str:
    """Return a type as it is written, without the names of modules."""
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", inspect.formatannotation(kind))


def _with_entries(doc: str, name: str, entries: str) -> str:
    """Return a docstring with entries in place of that of a parameter."""
    pattern = re.compile(rf"^{name}\n(?:[ ]+.*\n?)+", re.MULTILINE)
    text, found = pattern.subn(lambda _match: entries, f"{doc}\n")
    if not found:
        raise TypeError(f"the docstring has no parameter '{name}'")
    return text.rstrip("\n")


def _entry(name: str, option: Option) -> str:
    text = option.description or f"{option.help[0].upper()}{option.help[1:]}."
    lines = textwrap.wrap(text, 116, initial_indent="    ", subsequent_indent="    ")
    return "".join(f"{line}\n" for line in [name, *lines])
