"""One result of every kind, as public functions return them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.display.displayable import Displayable
from ci_magics.notebook.options import OPTIONS, OptionList

ADDRESS = "jan.de.vries@contoso.com"
WHERE = f"EMail <> '{ADDRESS}'"


def kinds(base: type = Displayable) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def every_kind() -> list[type]:
    for module in pkgutil.walk_packages(ci_magics_path(), "ci_magics."):
        if not module.name.endswith((".__main__", ".env")) and ".migrations" not in module.name:
            importlib.import_module(module.name)
    ours = {kind for kind in kinds() if kind.__module__.startswith("ci_magics.") and not inspect.isabstract(kind)}
    return sorted(ours, key=lambda kind: kind.__name__)


def ci_magics_path() -> list[str]:
    return [str(Path(ci.__file__).parent)]


def results(name: str) -> dict[str, Any]:
    """Return results by kind, all about one segment and connection with a given name."""
    made = (*_of_segments(name), *_of_exports(name))
    return {type(each).__name__: each for each in made if isinstance(each, Displayable)}


def _of_segments(name: str) -> Iterator[Any]:
    people = pd.DataFrame(
        {
            "Id": [f"k{number}" for number in range(1_500)],
            "EMail": [*(f"p.{number}@contoso.com" for number in range(1_499)), ADDRESS],
            "Kind": [name, "plain"] * 750,
        }
    )
    one = ci.segment(name, people, where=WHERE)
    other = ci.segment("Other", people, rule=f'EMail does not equal "{ADDRESS}"')
    yield from (one, ci.Rule.parse(f'EMail equals "{ADDRESS}"'), ci.preview(one, other), ci.overlap(one, other))
    yield from (ci.differentiators(one, other, people), ci.quick_segments(people, "Kind"))
    yield ci.inspect_rules(people, f'EMail equals "{ADDRESS}"')
    yield from (ci.segments, ci.segments.overview(), ci.segments.history(name), ci.segments.usage(name))
    yield from _of_versions(name, people)


def _of_versions(name: str, people: pd.DataFrame) -> Iterator[Any]:
    agreed = people.assign(**{name: "yes"})
    for rows in (1_400, 1_500):
        ci.segment(f"Agreed {name}", agreed.head(rows), consent=name, consent_yes="yes")
    yield ci.segments.versions(f"Agreed {name}")
    yield ci.segments.delete(f"Agreed {name}")
    workspace = ci.open_workspace().store
    yield from (next(iter(workspace.versions)), next(iter(workspace.consent_choices)))


def _of_exports(name: str) -> Iterator[Any]:
    connection = ci.connect(name, customer_id="222", account_id="111", agree=True, accept_terms=True)
    yield connection
    plan = ci.plan(name, to=name)
    yield from (plan, plan.verdict, ci.export(name, to=name), ci.status())
    yield ci.compare_normalizations(name, to=name, dry_run=True)
    ci.exports.save("Weekly", name, to=name)
    for collection in (ci.connections, ci.exports, ci.runs, ci.roles, ci.notifications):
        yield from (collection, collection.overview())
    yield from (ci.audiences(name), ci.exports.show("Weekly"), ci.refresh(), ci.emulator)
    yield from (ci.exports.history(), ci.forget(key="k1", key_column="Id"))
    instance = ci.insights("Contoso")
    yield from (instance, instance.segments(), instance.segment("Big_spenders"))
    workspace = ci.open_workspace().store
    yield ci.doctor()
    yield OptionList(dict.fromkeys(OPTIONS, 1), dict.fromkeys(OPTIONS, name), with_sources=True)
    yield from (workspace, connection.consents[0], next(iter(workspace.audit)))
    for shelf in vars(workspace).values():
        if isinstance(shelf, Displayable):
            yield from (shelf, *list(shelf)[:1])
    yield ci.emulator.status()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CI_MAGICS_EMULATOR")  # only the emulator of the workspace is reset
        try:
            yield ci.emulator.reset()
            yield ci.emulator.status()
        finally:
            ci.emulator.stop()
