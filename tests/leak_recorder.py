"""A marked address for each input, and a recorder of everything that is shown."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import re
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.core.ultratb import VerboseTB
from scanning import Scanner

import ci_magics

PACKAGE = Path(ci_magics.__file__).parent
MARK = "zq7m"
_SEEN = re.compile(rf"{MARK}(\d{{4}})x", re.IGNORECASE)


@dataclass
class MarkedAddresses:
    """Creates one address for each input, so that a leak tells its source."""

    inputs: dict[int, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new(self, where: str) -> str:
        """Return an address for an input."""
        number = next(self._numbers)
        self.inputs[number] = where
        return f"{MARK}{number:04}x@contoso.com"

    def named(self, data: bytes) -> set[str]:
        """Return the inputs whose address is in some bytes."""
        found = {self.inputs[int(number)] for number in _SEEN.findall(data.decode("utf-8", "replace"))}
        return found or ({"an input, encoded"} if Scanner({"mark": MARK}).found(data) else set())


@dataclass
class OutputRecorder:
    """Records what is printed, logged, warned, raised and shown."""

    outputs: list[tuple[str, str]] = field(default_factory=list)

    def record_output(self, where: str, work: Callable[[], Any]) -> Any:
        """Do something and record its output, but not its result; see `record`."""
        return self.record(where, work, show=False)

    def record(self, where: str, work: Callable[[], Any], *, show: bool = True) -> Any:
        """Do something and record its output and result; return the result, or None if it fails."""
        out, log = io.StringIO(), io.StringIO()
        handler = logging.StreamHandler(log)
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        result = None
        try:
            with (
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(out),
                warnings.catch_warnings(record=True) as warned,
            ):
                warnings.simplefilter("always")
                try:
                    result = work()
                    out.write(shown(result) if show else "")
                except BaseException as error:  # noqa: BLE001 - whatever is raised is shown to the user
                    if not isinstance(error, SystemExit):
                        out.write(told(error))
        finally:
            root.removeHandler(handler)
            root.setLevel(before)
        self.outputs += [(f"{where} says", out.getvalue()), (f"{where} logs", log.getvalue())]
        self.outputs.append((f"{where} warns", "\n".join(str(each.message) for each in warned)))
        return result


def told(error: BaseException) -> str:
    """Return an error as ``%xmode Verbose`` and a script show it, without the caller's frames."""
    stack: types.TracebackType | None = error.__traceback__
    while stack is not None and PACKAGE not in Path(stack.tb_frame.f_code.co_filename).parents:
        stack = stack.tb_next
    lines = traceback.format_exception(type(error), error, stack) if stack else [str(error)]
    render = getattr(error, "_render_traceback_", None)
    if render is not None:
        return "\n".join([*render(), str(error), *lines])
    if stack is not None:
        lines.append(VerboseTB(color_scheme="NoColor", theme_name="nocolor").text(type(error), error, stack))
    return "\n".join(lines)


def shown(value: Any) -> str:
    """Return everything that a notebook shows of a value."""
    parts = [repr(value)]
    for name in ("_repr_html_", "to_dict"):
        if hasattr(value, name) and not isinstance(value, type | pd.DataFrame):
            parts.append(str(getattr(value, name)()))
    if hasattr(value, "_repr_mimebundle_"):
        parts.append(str(value._repr_mimebundle_()))
    return "\n".join(parts)
