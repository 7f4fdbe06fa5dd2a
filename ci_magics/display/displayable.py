"""Base class of results: how a notebook displays them."""

from __future__ import annotations

import dataclasses
import functools
import html
from collections.abc import Callable, Container, Mapping
from datetime import date
from typing import Any

from ci_magics.discreet import discreet_methods
from ci_magics.discretion import kept, without_people
from ci_magics.display.numbers import clean

_JSON = "application/json"
#: Fields that differ each time a notebook runs.
_VOLATILE = frozenset({"id", "audience_id", "connection_id", "run", "run_id", "tracking_ids"})


class Displayable:
    """A result shown as HTML, as text, and as a summary that other programs read from a saved notebook.

    A subclass defines a ``__repr__`` whose text is the same on each run. By default, ``_repr_html_`` and ``to_dict``
    derive from it and from the fields. The summary has its own media type, because JupyterLab would show plain JSON
    instead of the HTML; a program that requests plain JSON gets it.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Wrap a subclass so that no output and no error shows an address, such as one used as a column name."""
        super().__init_subclass__(**options)
        for name in ("__repr__", "_repr_html_", "to_dict"):
            if name in vars(cls):
                setattr(cls, name, _hide_addresses(vars(cls)[name]))
        for each in cls.__mro__[:-1]:
            discreet_methods(each)

    @classmethod
    def summary_type(cls) -> str:
        """Return the media type of the summary."""
        return f"application/vnd.ci-magics.{cls.__name__.lower()}+json"

    def to_dict(self) -> dict[str, Any]:
        """Return the displayed values as plain data that stays the same when the same notebook runs again."""
        return _plain_fields(self)

    def _repr_html_(self) -> str:
        return f"<div style='white-space:pre-wrap'>{html.escape(clean_lines(repr(self)))}</div>"

    def _repr_svg_parts(self) -> dict[str, str]:
        """Return the image for programs without HTML, if there is one."""
        return {}

    def _repr_mimebundle_(self, include: Container[str] | None = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - IPython filters unwanted types itself
        summary = kept(self.to_dict())
        bundle = {
            "text/html": without_people(self._repr_html_()),
            **self._repr_svg_parts(),
            "text/plain": without_people(repr(self)),
            self.summary_type(): summary,
        }
        return bundle | ({_JSON: summary} if include and _JSON in include else {})


def _hide_addresses(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(method)
    def show(self: Any) -> Any:
        return kept(method(self))

    return show


def clean_lines(text: str) -> str:
    """Replace characters that documents reject, and keep the line breaks."""
    return "\n".join(clean(line) for line in text.splitlines())


def _plain_fields(value: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(value):
        return {}
    shown = [each for each in dataclasses.fields(value) if each.repr and each.name not in _VOLATILE]
    found = {each.name: getattr(value, each.name) for each in shown if not each.name.startswith("_")}
    return {name: plain(each) for name, each in found.items() if not isinstance(each, date)}


def plain(value: Any) -> Any:
    """Convert a value to JSON types, without times, ids, and fields that are not shown."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Displayable):
        return value.to_dict()
    if dataclasses.is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items() if name not in _VOLATILE}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return str(value)
