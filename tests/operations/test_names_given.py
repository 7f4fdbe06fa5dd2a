"""Names are given one by one, and options that take several values also take one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError, CiError, NotFoundError
from ci_magics.operations.declarations import FUNCTIONS, NOUNS, declaration

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

#: What the parameters before the names get.
FIRST = {"connections": contoso.NAME, "segments": "All", "exports": "Weekly"}


def listing_operations() -> Iterator[str]:
    """Yield the public functions and methods that take any number of names."""
    for name in FUNCTIONS:
        if _takes_names(getattr(ci, name)):
            yield name
    for noun in NOUNS.values():
        collection = getattr(importlib.import_module(f"ci_magics.{noun.module}"), noun.collection)
        for name, method in inspect.getmembers(collection, inspect.isfunction):
            if name[0] != "_" and _takes_names(method):
                yield f"{noun.name}.{name}"


def _takes_names(function: Callable[..., Any]) -> bool:
    return any(each.kind is each.VAR_POSITIONAL for each in inspect.signature(function).parameters.values())


@pytest.fixture(autouse=True)
def filled(workspace: Workspace, emulator: RunningEmulator) -> None:
    assert workspace
    assert emulator
    contoso.connect()
    contoso.segment(3)
    contoso.segment(2, name="Some")
    ci.exports.save("Weekly", "All", to=contoso.NAME)


def called(path: str, *names: Any) -> None:
    noun, _, verb = path.rpartition(".")
    function = getattr(getattr(ci, noun), verb) if noun else getattr(ci, verb)
    parameters = list(inspect.signature(function).parameters.values())
    before = parameters[: next(n for n, each in enumerate(parameters) if each.kind is each.VAR_POSITIONAL)]
    needed = {"to": contoso.NAME} if "to" in inspect.signature(function).parameters else {}
    function(*(FIRST[noun] for _each in before), *names, **needed)


@pytest.mark.parametrize("path", sorted(listing_operations()))
@pytest.mark.parametrize("names", [["All", "Some"], ("All",), {"All"}, 3, None], ids=repr)
def test_invalid_names_are_refused_in_a_plain_sentence(path: str, names: Any) -> None:
    with pytest.raises(ArgumentError) as refused:
        called(path, names)
    assert refused.value.code in ("name_not_text", "not_a_segment")
    kind = type(names).__name__
    assert kind in refused.value.sentence
    assert ("one by one" in refused.value.next_step) == (kind in ("list", "tuple", "set"))


def test_operations_with_names_are_found() -> None:
    assert {"status", "preview", "connections.share", "segments.tag", "exports.run", "segments.overview"} <= set(
        listing_operations()
    )


#: Options that take several values, each given one.
ONE: dict[tuple[str, str], Callable[[], object]] = {
    ("connect", "share"): lambda: ci.connect(contoso.NAME, share="contributor").shared_with == ("contributor",),
    ("export", "exclude"): lambda: ci.export("All", to=contoso.NAME, exclude="Some", allow_empty=True).accepted == 1,
    ("plan", "exclude"): lambda: ci.plan("All", to=contoso.NAME, exclude="Some").audiences[0].adds == 1,
    ("preview", "exclude"): lambda: ci.preview("All", exclude="Some").segments[0].sendable == 1,
    ("exports.save", "exclude"): lambda: (
        ci.exports.save("New", "All", to=contoso.NAME, exclude="Some").excluded == ("Some",)
    ),
    ("exports.edit", "exclude"): lambda: ci.exports.edit("Weekly", exclude="Some").excluded == ("Some",),
    ("exports.edit", "segments"): lambda: ci.exports.edit("Weekly", segments="Some").segments == ("Some",),
    ("exports.edit", "without"): lambda: ci.exports.edit("Weekly", without="mode").segments == ("All",),
    ("exports.schedule", "at"): lambda: ci.exports.schedule("Weekly", at="06:00")[0].schedule,
    ("exports.schedule", "weekly"): lambda: ci.exports.schedule("Weekly", at="06:00", weekly="Monday")[0].schedule,
    ("exports.system_schedule", "at"): lambda: ci.exports.system_schedule(at="06:00").active,
    ("exports.system_schedule", "weekly"): lambda: ci.exports.system_schedule(at="06:00", weekly="Monday").active,
}
#: Options of the same kind that tests about consent, and about refreshes, give one value.
ELSEWHERE = {"consent", "consent_yes", "allow_empty", "allow_shrink"}


@pytest.mark.parametrize(("path", "option"), sorted(ONE))
def test_an_option_for_several_values_takes_one(path: str, option: str) -> None:
    assert ONE[path, option]()


def test_every_option_for_several_values_is_tried() -> None:
    operations = [declaration(path) for path in FUNCTIONS]
    operations += [each for noun in NOUNS.values() for each in noun.verbs().values()]
    found = {(each.path, option.name) for each in operations for option in each.options if option.several}
    assert {each for each in found if each[1] not in ELSEWHERE} == set(ONE)


def test_one_segment_is_excluded_as_an_object_too() -> None:
    assert ci.preview("All", exclude=ci.segments["Some"]).segments[0].sendable == 1


def test_an_unknown_name_is_still_not_found() -> None:
    with pytest.raises(NotFoundError):
        ci.exports.detach("Weakly")
    with pytest.raises(CiError, match="no role or user"):
        ci.connections.share(contoso.NAME, "zoe")
