"""Read the declaration of an operation from its function.

A parameter is an argument of the operation if its annotation has an `Option`. Parameters that may come before a ``*``
are words, the others are options. Parameters without an `Option`, such as ``workspace`` and ``show``, exist in Python
only.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time
from enum import Enum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ci_magics.grammar.operation import MARK, Facts, Operation, Parameter
from ci_magics.grammar.option import Option
from ci_magics.grammar.source import function_in, functions_in, names_of

_SEQUENCES = (Sequence, list, tuple, set, frozenset)
#: The types that a word of a line can have; any other type is an object.
_PLAIN = (str, int, bool, Path, datetime, time, type(None))
_EITHER = (Union, types.UnionType)


@functools.cache
def operation_of(path: str, module: str, name: str) -> Operation:
    """Read the declaration of a function from its source.

    Parameters
    ----------
    path
        Its name in Python, such as ``export`` or ``segments.rename``.
    module
        The full name of the module that defines it.
    name
        Its name there; a method with its class.
    """
    return declared(path, function_in(module, name), names_of(module))


def operations_of(noun: str, module: str, collection: str) -> dict[str, Operation]:
    """Return the operations of a collection by their verbs, in the order of their definition.

    Parameters
    ----------
    noun
        The name of the collection in Python, such as ``segments``.
    module
        The full name of the module that defines its class.
    collection
        The class.
    """
    methods = [(name, each) for name, each in functions_in(module, collection) if hasattr(each, MARK)]
    found = [declared(f"{noun}.{name}", each, names_of(module)) for name, each in methods]
    return {each.verb: each for each in found}


def declared(path: str, function: Callable[..., Any], names: dict[str, Any]) -> Operation:
    """Return the declaration of a function.

    Parameters
    ----------
    path
        Its name in Python.
    function
        A function, or a method, which is read without ``self``.
    names
        The names in its annotations.
    """
    function = inspect.unwrap(function)
    hints = get_type_hints(function, localns=names, include_extras=True)
    found = [
        parameter
        for each in inspect.signature(function).parameters.values()
        for parameter in _parameters(each, hints.get(each.name))
    ]
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    in_order = sorted(found, key=lambda each: not each.word)
    return Operation(path, summary, tuple(in_order), getattr(function, MARK, Facts()))


def _parameters(parameter: inspect.Parameter, hint: Any) -> Iterator[Parameter]:
    """Yield a parameter as an argument; for ``**options: Unpack[...]`` those of its keys."""
    if parameter.kind is parameter.VAR_KEYWORD:
        for keys in filter(is_typeddict, get_args(hint)):
            hints = get_type_hints(keys, localns=names_of(keys.__module__), include_extras=True)
            for name, each in hints.items():
                option = _option(each)
                if option is not None:
                    yield _parameter(name, each, option, default=option.default)
        return
    option = _option(hint)
    if option is None:
        return
    if parameter.kind is parameter.VAR_POSITIONAL:
        yield _parameter(parameter.name, tuple[hint], option, word=True, default=())
        return
    word = parameter.kind is not parameter.KEYWORD_ONLY
    yield _parameter(parameter.name, hint, option, word=word, default=parameter.default)


def _parameter(name: str, hint: Any, option: Option, *, default: Any, word: bool = False) -> Parameter:
    kinds = list(_alternatives(hint))
    choices = [each for kind in kinds if get_origin(kind) is Literal for each in get_args(kind)]
    choices += [each.value for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum) for each in kind]
    choices = choices or list(option.choices)
    several = any(kind in _SEQUENCES or get_origin(kind) in _SEQUENCES for kind in _alternatives(hint, inner=False))
    if bool in kinds:
        type_ = "choice of two" if type(None) in kinds else "switch"
    elif int in kinds and str not in kinds:
        type_ = "number"
    elif datetime in kinds:
        type_ = "moment"
    elif option.kind == "json":
        type_ = "json"
    else:
        type_ = "text"
    if option.kind == "text" and Path in kinds:
        option = replace(option, kind="file")
    objects = any(isinstance(kind, type) and kind not in _PLAIN and not issubclass(kind, Enum) for kind in kinds)
    return Parameter(name, option, word, several, default, type_, tuple(dict.fromkeys(map(str, choices))), objects)


def _alternatives(hint: Any, *, inner: bool = True) -> Iterator[Any]:
    """Yield the types that an annotation allows; those of the items of a sequence too."""
    origin = get_origin(hint)
    if origin is Annotated:
        yield from _alternatives(get_args(hint)[0], inner=inner)
    elif origin in _EITHER:
        for each in get_args(hint):
            yield from _alternatives(each, inner=inner)
    elif origin in _SEQUENCES:
        yield hint
        if inner:
            for each in get_args(hint):
                yield from _alternatives(each)
    else:
        yield hint


def _option(hint: Any) -> Option | None:
    """Return the `Option` of an annotation, or of one of its alternatives."""
    origin = get_origin(hint)
    if origin is Annotated:
        own = next((each for each in hint.__metadata__ if isinstance(each, Option)), None)
        return own or _option(get_args(hint)[0])
    if origin in (*_EITHER, *_SEQUENCES, NotRequired, Required):
        return next((found for each in get_args(hint) if (found := _option(each)) is not None), None)
    return None
