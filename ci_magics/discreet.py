"""Wrap everything public with `ci_magics.discretion`: no error, cause, or traceback shows an address."""

from __future__ import annotations

import functools
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ci_magics.discretion import HIDDEN, addresses_in, without_addresses
from ci_magics.errors import CiError
from ci_magics.unquoted import type_of, unquoted

#: The code of an unexpected error.
UNEXPECTED = "unexpected"
_SHORTEST = 3  # shorter local parts of an address are not searched for
_PACKAGE = __name__.partition(".")[0]
#: Names with a leading underscore that Python and notebooks call.
_CALLED = frozenset(
    [
        "__and__",
        "__call__",
        "__contains__",
        "__getitem__",
        "__iter__",
        "__len__",
        "__or__",
        "__repr__",
        "__str__",
        "__sub__",
        "_repr_html_",
        "_repr_mimebundle_",
    ]
)

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


def discreet(function: F, *, let_us: bool = False) -> F:
    """Wrap a public function so that its errors, also those of other libraries, contain no personal data.

    An error of another library becomes one of ours that names only its type. In the chain of another error, a
    placeholder replaces it. An error of ours loses the parts of any address that was passed in. Other exceptions, such
    as an interrupt, are shown without the values of our variables, even under ``%xmode Verbose``.

    Parameters
    ----------
    function
        A function or a method.
    let_us
        Whether callers within the package get the original error. They decide what it means.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        if let_us and _is_ours(sys._getframe(1).f_globals.get("__name__", "")):  # noqa: SLF001 - `inspect` is slower than most methods
            return function(*arguments, **options)
        outside, given = sys.exception(), [*arguments, *options.values()]
        try:
            result = function(*arguments, **options)
            return each_of(result, given) if isinstance(result, types.GeneratorType) else result
        except BaseException as error:
            failed = _raisable(error, function.__name__, given, outside)
            if failed is error:
                raise
        raise failed  # outside of `except`, so that the original error does not become its context

    def each_of(results: Iterator[Any], given: list[Any]) -> Iterator[Any]:
        outside = sys.exception()
        try:
            yield from results
        except BaseException as error:
            failed = _raisable(error, function.__name__, given, outside)
            if failed is error:
                raise
        else:
            return
        raise failed

    call.__discreet__ = True  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]  # the same signature


def _raisable(error: BaseException, name: str, given: list[Any], outside: BaseException | None) -> BaseException:
    """Return the form of an error that code outside the package may see."""
    hidden = unquoted(error, outside)
    if isinstance(error, CiError):
        _take_out(error, addresses_in(given))
    elif hidden is error:
        _show_no_values(error)
    else:
        failed = CiError(
            f"{name} failed unexpectedly ({type_of(hidden)}).",
            "Check the types of your arguments; if they are right, please report it.",
            code=UNEXPECTED,
        )
        failed.__cause__ = hidden
        return failed
    return error


def discreet_methods(cls: C) -> C:
    """Wrap every public method and property that a class of this package defines."""
    for name, member in list(vars(cls).items()) if _is_ours(cls.__module__) else ():
        if name.startswith("_") and name not in _CALLED:
            continue
        if isinstance(member, types.FunctionType):
            setattr(cls, name, _once(member))
        elif isinstance(member, classmethod | staticmethod):
            setattr(cls, name, type(member)(_once(member.__func__)))
        elif isinstance(member, property):
            setattr(cls, name, property(_or_none(member.fget), _or_none(member.fset), _or_none(member.fdel)))
        elif isinstance(member, functools.cached_property):
            member.func = _once(member.func)
    return cls


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    return function if hasattr(function, "__discreet__") else discreet(function, let_us=True)


def _or_none(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    return function and _once(function)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == _PACKAGE


def _show_no_values(error: BaseException) -> None:
    """Make IPython show the stack of an error without the values of variables."""

    def rendered(_error: BaseException) -> list[str]:
        lines = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}: {error}".rstrip(": ")]
        return [without_addresses(line) for line in lines]

    error._render_traceback_ = types.MethodType(rendered, error)  # type: ignore[attr-defined]


def _take_out(error: CiError, addresses: set[str]) -> None:
    """Remove parts of addresses from the text of an error of ours."""
    parts = [part for address in addresses if len(part := address.partition("@")[0]) >= _SHORTEST]

    def without_parts(text: str) -> str:
        for part in parts:
            text = text.replace(part, HIDDEN)
        return text

    if parts:
        error.sentence, error.advice = without_parts(error.sentence), error.advice.mapped(without_parts)
        error.args = (error.sentence,)
