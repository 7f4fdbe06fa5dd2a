"""Every public method, like every public function, leaks no address, and shows none when it is interrupted.

The test finds the methods of everything that public functions return, directly or indirectly. A new one is tried
automatically.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from leak_recorder import MarkedAddresses, OutputRecorder
from marked_inputs import FUNCTIONS, NOT_TYPED, arguments_for, marked, prepare, require_nothing, text_inputs

import ci_magics as ci
from ci_magics.display.displayable import Displayable
from ci_magics.workspace.models import SegmentVersion

#: Methods that are never public, or that run until they are stopped.
PRIVATE = ("ci_magics.emulation.", "ci_magics.workspace.migrations", "ci_magics.cli.__main__")
#: Tools of ours that no text of a person reaches: files and rows are named by ids, requests by what was checked before.
TOOLS = (
    "ci_magics.microsoft.",
    "ci_magics.workspace.checksums",
    "ci_magics.workspace.files",
    "ci_magics.workspace.locks",
)
#: Methods that return the caller's own text.
GIVES_BACK = {("Rule", "parse"), ("Rule", "from_json"), ("Rule", "to_json"), ("Rule", "text")}
GIVES_BACK |= {("Plan", "save"), ("Segments", "download")}
#: Values of the parameters next to the marked one, by the start of their annotation.
GIVEN: dict[str, Any] = {
    "str": "All",
    "int": 1,
    "datetime": datetime(2026, 11, 1, tzinfo=UTC),
    "Callable": str,
    "Mapping": {},
    "Sequence": [],
    "Collection": [],
    "Iterable": [],
    "Any": None,
}


#: The names that replace "All" in collections other than segments.
NAMED = {"Connections": "EU", "Exports": "Weekly"}
COLLECTIONS = tuple(each for each in (getattr(ci, name) for name in ci._HOMES) if isinstance(each, Displayable))  # noqa: SLF001 - all public names


#: Functions whose results no other function returns.
MORE: tuple[Callable[[], Any], ...] = (
    lambda: ci.insights("Contoso", show=str),
    lambda: ci.plan("All", to="EU", ignore_consent=True, show=str),
    lambda: SegmentVersion.of(next(iter(ci.open_workspace().store.segments)), reason="", by="", at=datetime.now(UTC)),
)


def every_class() -> set[type]:
    """Return the classes of all results, and those in their annotations."""
    for module in pkgutil.walk_packages(ci.__path__, "ci_magics."):
        if not module.name.startswith(PRIVATE):
            importlib.import_module(module.name)
    found: set[type] = set()
    waiting = [Displayable, *(each for name in ci._HOMES for each in led_to_by(getattr(ci, name)))]  # noqa: SLF001 - all public names
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            ours = [kind for kind in each.__subclasses__() if kind.__module__.startswith("ci_magics.")]
            waiting += [kind for kind in ours if issubclass(kind, Displayable)]
            waiting += [kind for name, member in methods(each) for kind in led_to_by(function_of(member)) if name]
            waiting += [kind for name, hint in hints(each).items() if name[0] != "_" for kind in classes_in(hint)]
    kept = {each for each in found if not each.__module__.startswith(PRIVATE) and Protocol not in each.__bases__}
    kept = {each for each in kept if not inspect.isabstract(each)}
    return {each for each in kept if not issubclass(each, Enum)}  # its members are ours, and hold nobody's text


def led_to_by(value: Any) -> Iterator[type]:
    if isinstance(value, Displayable):  # a collection
        yield type(value)
    elif callable(value):  # and no text, such as the version
        yield from classes_in(value if isinstance(value, type) else hints(inspect.unwrap(value)).get("return"))


def hints(value: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(value, {**vars(sys.modules[value.__module__]), "pd": pd})
    except NameError:  # only imported for a type checker
        return {}


def classes_in(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and hint.__module__.startswith("ci_magics"):
        yield hint
    for each in typing.get_args(hint):
        yield from classes_in(each)


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class, including inherited ones."""
    seen = set()
    for each in cls.__mro__:
        for name, member in vars(each).items():
            public = name[0] != "_" or name in ("__getitem__", "__contains__")
            if public and each.__module__.startswith("ci_magics") and name not in seen and function_of(member):
                seen.add(name)
                yield name, member


def function_of(member: Any) -> types.FunctionType | None:
    """Return the function behind a method or a property."""
    member = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
    return member if isinstance(member, types.FunctionType) else None


def parameters(member: Any) -> list[inspect.Parameter]:
    """Return the parameters of a method except the object."""
    if isinstance(member, property):
        return []
    listed = list(inspect.signature(function_of(member)).parameters.values())  # type: ignore[arg-type]
    return listed if isinstance(member, staticmethod) else listed[1:]


def test_every_public_method_is_tested() -> None:
    checked, missing = 0, []
    for cls in every_class():
        for name, member in methods(cls):
            if issubclass(cls, Displayable) or parameters(member):
                checked += 1
                if not hasattr(function_of(member), "__discreet__"):
                    missing.append(f"{cls.__module__}.{cls.__name__}.{name}")
    assert missing == []
    assert checked > 200


def found_objects() -> dict[type, Any]:
    """Return one object of each class that a public function returns directly or indirectly."""
    found: dict[type, Any] = {}
    waiting: list[Any] = [*COLLECTIONS, ci.open_workspace().store, ci.open_workspace().store]
    waiting += [silently(each) for each in MORE]
    for function in FUNCTIONS:
        prepare()
        positional, keywords = arguments_for(function, "", None)
        waiting.append(silently(lambda: getattr(ci, function)(*positional, **keywords)))  # noqa: B023 - called at once
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += islice(each.values(), 3)
        elif isinstance(each, list | tuple):
            waiting += each[:3]
        elif type(each).__module__.startswith("ci_magics") and type(each) not in found:
            found[type(each)] = each
            waiting += [value for name, value in getattr(each, "__dict__", {}).items() if name[0] != "_"]
            waiting += [list(islice(each, 3))] if isinstance(each, Iterable) else []
            for name, member in methods(type(each)):
                leads_on = isinstance(member, property) or any(led_to_by(function_of(member)))
                if leads_on and all(one.default is not one.empty for one in parameters(member)):
                    value = silently(lambda: getattr(each, name))  # noqa: B023
                    waiting.append(silently(value) if isinstance(value, types.MethodType) else value)
    return found


def silently(work: Callable[[], Any]) -> Any:
    return OutputRecorder().record_output("preparing", work)


def text_parameters(member: Any) -> Iterator[tuple[str, str]]:
    for each in parameters(member):
        annotation = str(each.annotation).removeprefix("dt.")
        if not annotation.startswith(NOT_TYPED) and each.kind is not each.VAR_KEYWORD:
            yield each.name, annotation


def call(instance: Any, name: str, member: Any, given: Mapping[str, Any]) -> Any:
    """Call a method with a value for each required parameter."""
    positional, keywords = [], {}
    many = any(each.kind is each.VAR_POSITIONAL for each in parameters(member))
    for each in parameters(member):
        needed = each.default is each.empty and each.kind is not each.VAR_KEYWORD
        if each.name not in given and not needed:
            continue
        begins = next((value for word, value in GIVEN.items() if str(each.annotation).startswith(word)), None)
        begins = NAMED.get(type(instance).__name__, begins) if begins == "All" else begins
        value = given.get(each.name, begins)
        alone = each.kind in (each.VAR_POSITIONAL, each.POSITIONAL_ONLY)
        if alone or (many and each.kind is each.POSITIONAL_OR_KEYWORD):
            positional.append(value)
        else:
            keywords[each.name] = value
    result = getattr(instance, name)(*positional, **keywords)
    return list(result) if isinstance(result, types.GeneratorType) else result


def test_no_parameter_of_a_public_method_leaks_an_address(stage: Path) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    objects = found_objects()
    for cls, name, member in tried(objects):
        for parameter, annotation in text_parameters(member):
            for number in range(len(marked(parameter, annotation, ""))):
                where = f"{cls.__name__}.{name}({parameter}) {number}"
                value = marked(parameter, annotation, marks.new(where))[number]
                listen = recorder.record_output if (cls.__name__, name) in GIVES_BACK else recorder.record
                prepare()
                listen(where, lambda: call(objects[cls], name, member, {parameter: value}))  # noqa: B023 - called at once
    require_nothing(recorder, marks, stage, at_least=80)


def test_every_text_form_can_be_printed_on_any_console(stage: Path) -> None:
    assert stage
    texts = {
        cls.__name__: [str(each), repr(each)] for cls, each in found_objects().items() if issubclass(cls, Displayable)
    }
    assert [name for name, both in texts.items() if not "".join(both).isascii()] == []
    assert len(texts) > 25


def tried(objects: Mapping[type, Any]) -> Iterator[tuple[type, str, Any]]:
    """Yield the methods that take text from a user; each must have an object on which it can be called."""
    taking_text = [
        (cls, name, member)
        for cls in sorted(every_class() | objects.keys(), key=str)
        if not cls.__module__.startswith(TOOLS)
        for name, member in methods(cls)
        if list(text_parameters(member))
    ]
    assert {cls for cls, _name, _member in taking_text} - objects.keys() == set()
    return iter(taking_text)


def test_interrupted_public_method_shows_no_values_in_verbose_tracebacks(stage: Path) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    objects = found_objects()
    for cls, name, member in tried(objects):
        where = f"{cls.__name__}.{name}"
        given = {parameter: marks.new(where) for parameter, _annotation in text_parameters(member)}
        prepare()
        interrupted(recorder, where, member, lambda: call(objects[cls], name, member, given))  # noqa: B023
    for function in FUNCTIONS:
        for parameter, _annotation in text_inputs(function):
            where = f"{function}({parameter})"
            positional, keywords = arguments_for(function, parameter, marks.new(where))
            work = partial(getattr(ci, function), *positional, **keywords)
            interrupted(recorder, where, getattr(ci, function), work)
    require_nothing(recorder, marks, stage, at_least=200)


def interrupted(recorder: OutputRecorder, where: str, member: Any, work: Callable[[], Any]) -> None:
    """Simulate the stop button as soon as a function has its arguments."""
    code = inspect.unwrap(function_of(member)).__code__  # type: ignore[arg-type]
    struck = []

    def strike(frame: types.FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code is code:
            sys.settrace(None)
            struck.append(where)
            raise KeyboardInterrupt

    def doing() -> None:
        before = sys.gettrace()
        sys.settrace(strike)
        try:
            work()
        finally:
            sys.settrace(before)

    recorder.record(where, doing)
    assert struck == [where]
    assert "KeyboardInterrupt" in dict(recorder.outputs)[f"{where} says"]
