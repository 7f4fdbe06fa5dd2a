"""The one rule for what may be written or shown: nobody's e-mail address, and no hash of one where a text stands.

It is applied where text leaves the process: in errors, in what results show, in rows of the workspace, in the audit
log, in notices, in what forms keep, and around every public function: errors of other libraries may quote the data.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

#: A quote may be part of an address, but more often it stands around one.
_SOMEBODY = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS = re.compile(r"""(?:(?<![^\s'"<>(),;:])[^\s'"<>(),;:]+|(?<=['"]))@[^\s'"<>(),;:]+""")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
_HIDDEN = "•••"
#: The code of an error that nobody has foreseen.
UNEXPECTED = "unexpected"
_SHORTEST = 3  # letters before the @ that are looked for by themselves
_PACKAGE = Path(__file__).parent

F = TypeVar("F", bound=Callable[..., Any])


def without_addresses(text: str) -> str:
    """Return a text with every e-mail address in it replaced: a person may have written one where a name belongs."""
    return _ADDRESS.sub(_HIDDEN, text) if "@" in text else text


def without_people(text: str) -> str:
    """Return a text with the e-mail address of everybody that it names replaced, and nothing else."""
    return _SOMEBODY.sub(_HIDDEN, text) if "@" in text else text


def names_somebody(text: str) -> bool:
    """Tell whether an e-mail address of somebody is in a text; ``%@contoso.com`` is nobody's."""
    return "@" in text and _SOMEBODY.search(text) is not None


def impersonal(text: str) -> str:
    """Return a text without addresses and without hashes."""
    return _HASH.sub(_HIDDEN, without_addresses(text))


def person_name(user: str) -> str:
    """Return the name under which a user is known in a workspace; of an address, only a mark that stays the same."""
    if not names_somebody(user):
        return user
    return f"user-{hashlib.sha256(user.strip().lower().encode()).hexdigest()[:12]}"


def kept(value: Any) -> Any:
    """Return a value as it may be written: texts in it, however deep, name nobody."""
    if isinstance(value, str):
        return without_people(value)
    if isinstance(value, Mapping):
        return {kept(name): kept(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(kept(each) for each in value)
    return [kept(each) for each in value] if isinstance(value, list) else value


def discreet(function: F) -> F:
    """Let a public function raise errors without personal data, also those of other libraries.

    An error of another library becomes one of ours that names its kind only. An error of ours loses the parts of an
    address that was handed in. What is no error, such as an interrupt, is shown without the values of our variables,
    under ``%xmode Verbose`` too.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        from ci_magics.errors import CiError

        try:
            return function(*arguments, **options)
        except CiError as error:
            _take_out(error, _addresses_in([*arguments, *options.values()]))
            raise
        except Exception as error:
            if not _may_quote(error):
                _show_no_values(error)
                raise
            raise CiError(
                f"{function.__name__} failed unexpectedly ({type(error).__name__}).",
                "Check the types of what you handed in; if they are right, please report it.",
                code=UNEXPECTED,
            ) from None
        except BaseException as error:
            _show_no_values(error)
            raise

    return call  # type: ignore[return-value]  # the same signature


def _may_quote(error: Exception) -> bool:
    """Tell whether an error's text may quote a value: another library wrote it, or somebody is named in it."""
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    raised_in = str(frames[-1].f_globals.get("__name__", "")) if frames else ""
    theirs = any(_is_installed(each) for each in (type(error).__module__, raised_in))
    return theirs or without_addresses(str(error)) != str(error)


def _is_installed(module: str) -> bool:
    """Tell whether a module belongs to another package that is installed."""
    file = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None) or ""
    return bool({"site-packages", "dist-packages"} & set(Path(file).parts)) and not module.startswith("ci_magics")


def _show_no_values(error: BaseException) -> None:
    """Let IPython show where an error comes from, without the values of variables."""

    def rendered(_error: BaseException) -> list[str]:
        lines = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}: {error}".rstrip(": ")]
        return [without_addresses(line) for line in lines]

    error._render_traceback_ = types.MethodType(rendered, error)  # type: ignore[attr-defined]


def _take_out(error: Any, addresses: set[str]) -> None:
    """Take parts of addresses out of the words of an error of ours."""
    for address in addresses:
        part = address.partition("@")[0]
        if len(part) < _SHORTEST:
            continue
        error.sentence = error.sentence.replace(part, _HIDDEN)
        error.next_step = error.next_step.replace(part, _HIDDEN)
    if addresses:
        error.args = (error.sentence,)


def _addresses_in(values: Any) -> set[str]:
    return {found for text in _texts(values) for found in _SOMEBODY.findall(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts([name, each])
    elif isinstance(value, list | tuple):
        for each in value[:100]:
            yield from _texts(each)
