"""A marked address in every input of the product, one after the other; then a search in every byte that was stored.

The test finds the inputs: parameters of the public functions, words and options of magics and of the command line, and
the fields of forms. A new one is tried automatically.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from leak_recorder import MarkedAddresses, OutputRecorder, shown
from marked_inputs import (
    FUNCTIONS,
    GIVES_BACK,
    arguments_for,
    marked,
    people,
    prepare,
    require_nothing,
    text_inputs,
)
from traitlets.config import Config

import ci_magics as ci
from ci_magics.cli import COMMANDS, main
from ci_magics.notebook.forms.connect import ConnectForm
from ci_magics.notebook.forms.coverage import CoverageForm
from ci_magics.notebook.forms.export import ExportForm
from ci_magics.notebook.forms.exports import ExportsForm
from ci_magics.notebook.forms.pattern import Form
from ci_magics.notebook.forms.segment import SegmentForm
from ci_magics.notebook.registry import MAGICS
from ci_magics.workspace.access import Role, role_of

FORMS: tuple[Callable[[], Form], ...] = (ConnectForm, CoverageForm, ExportForm, ExportsForm, SegmentForm)
#: Commands that run until they are stopped.
SERVING = ("scheduler", "notebook")


def test_no_parameter_of_a_public_function_leaks_an_address(stage: Path) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    for function in FUNCTIONS:
        for name, annotation in text_inputs(function):
            for number in range(len(marked(name, annotation, ""))):
                where = f"{function}({name}) {number}"
                value = marked(name, annotation, marks.new(where))[number]
                positional, keywords = arguments_for(function, name, value)
                prepare()
                listen = recorder.record_output if function in GIVES_BACK else recorder.record
                listen(where, lambda: getattr(ci, function)(*positional, **keywords))  # noqa: B023 - called at once
    recorder.record(
        "what is kept",
        lambda: shown(ci.open_workspace().store) + shown(list(ci.open_workspace().store.audit)),
    )
    recorder.record(
        "the lists", lambda: shown(ci.segments.overview()) + shown(ci.exports.overview()) + shown(ci.status())
    )
    require_nothing(recorder, marks, stage, at_least=100)


@pytest.fixture
def shell(stage: Path) -> Iterator[InteractiveShell]:
    assert stage
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Verbose"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    ci.load_ipython_extension(shell)
    yield shell
    ci.unload_ipython_extension(shell)
    InteractiveShell.clear_instance()


def lines_of(magic: Any, marks: MarkedAddresses) -> Iterator[tuple[str, str]]:
    """Yield a line for each word and option of a magic and its verbs that takes text."""
    before = {"%ci_connect": "EU", "%ci_export": "All --to EU", "%ci_segment": "All people"}
    first = before.get(magic.title, "")
    for command in (magic.command, *magic.verbs().values()):
        for position in range(len(command.positionals) + 1):
            where = f"{command.name} word {position}"
            known = (first or "EU All Weekly").split()[:position]
            yield where, " ".join([command.name, *known, marks.new(where)])
        for option in command.options:
            if option.value is not None:
                where = f"{command.name} {option.name}"
                yield where, f'{command.name} {first or "Weekly"} {option.name} "{marks.new(where)}"'


def test_no_word_or_option_of_a_magic_leaks_an_address(stage: Path, shell: InteractiveShell) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    shell.user_ns["people"] = people()
    for magic in MAGICS:
        for where, line in lines_of(magic, marks):
            prepare()
            cell = f"{line}\nSELECT * FROM people" if magic.kind == "cell" else line
            recorder.record(where, lambda: shown(shell.run_cell(cell).result))  # noqa: B023 - called at once
    require_nothing(recorder, marks, stage, at_least=60)


def test_no_option_of_the_command_line_leaks_an_address(stage: Path) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    lines = [
        (each.name, verb, command)
        for each in COMMANDS
        if each.name not in SERVING
        for verb, command in [("", each.declare()), *each.verbs().items()]
        if (each.name, verb) != ("emulator", "serve")
    ]
    for name, verb, command in lines:
        begun = [name, *([verb] if verb else [])]
        for number in range(len(command.positionals) + 1):
            where = f"{command.name} word {number}"
            prepare()
            line = [*begun, *["Weekly", "All", "EU"][:number], marks.new(where)]
            recorder.record(where, lambda: main(line))  # noqa: B023 - called at once
        for option in command.options:
            if option.value is not None:
                where = f"{command.name} {option.name}"
                prepare()
                line = [*begun, "Weekly", option.name, marks.new(where)]
                recorder.record(where, lambda: main(line))  # noqa: B023 - called at once
    require_nothing(recorder, marks, stage, at_least=60)


def typed_fields(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield every text field of a form, including hidden ones."""
    if isinstance(widget, widgets.Text | widgets.Textarea | widgets.Combobox):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from typed_fields(child)


@pytest.mark.slow
@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
def test_no_field_of_a_form_stores_an_address(make: Callable[[], Form], stage: Path, shell: InteractiveShell) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    shell.user_ns["people"] = people()
    form = recorder.record("the form", make)
    fields = list(dict.fromkeys(typed_fields(form)))
    for number, each in enumerate(fields):
        where = f"{make.__name__}: {each.description or each.placeholder} ({number})"
        recorder.record(where, lambda: setattr(each, "value", marks.new(where)))  # noqa: B023 - called at once
        assert each.value == "", where
        if number < len(fields):
            assert "address" in form.sentence.lower() or "address" in each.placeholder.lower(), where
    for choice in form.value:
        where = f"{make.__name__}.value[{choice!r}]"
        recorder.record(where, lambda: setattr(form, "value", {choice: marks.new(where)}))  # noqa: B023 - called at once
    recorder.record("the code", lambda: form.code)
    recorder.outputs.append(("the form shows", shown(form) + form.summary + shown(form.receipts)))
    recorder.outputs.append(("its state", json.dumps(widgets.Widget.get_manager_state()["state"], default=str)))
    form.close()
    require_nothing(recorder, marks, stage, at_least=len(fields))


def variables() -> set[str]:
    """Return the environment variables that the package reads, except folders and URLs of services."""
    package = Path(ci.__file__).parent
    named = re.compile(r'"(CI_MAGICS_\w+|JUPYTERHUB_USER)"')
    found = {each for path in package.rglob("*.py") for each in named.findall(path.read_text("utf-8"))}
    return found - {"CI_MAGICS_WORKSPACE", "CI_MAGICS_STORE", "CI_MAGICS_EMULATOR", "CI_MAGICS_"}


def test_no_environment_variable_leaks_an_address(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    jobs: list[Callable[[], Any]] = [
        lambda: ci.connect("EU", show=str),
        lambda: ci.segment("All", people().head(2), key="Id", show=str),
        lambda: ci.export("All", to="EU", ignore_consent=True, show=str),
        lambda: ci.connect("Mine", customer_id="222", account_id="111", agree=True, accept_terms=True, show=str),
        lambda: ci.insights("Contoso", show=str),
        ci.doctor,
        ci.connections.overview,
        lambda: main(["notifications", "test"]),
        lambda: main(["roles"]),
        lambda: main(["audit"]),
    ]
    for name in sorted(variables()):
        monkeypatch.setenv(name, marks.new(name))
        for number, job in enumerate(jobs):
            recorder.record(f"{name} {number}", job)
        monkeypatch.delenv(name)
    require_nothing(recorder, marks, stage, at_least=10)


def test_user_named_by_an_address_is_masked(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    name = marks.new("a user")
    recorder.record("giving a role", lambda: main(["roles", "give", name, "administrator"]))
    monkeypatch.setenv("JUPYTERHUB_USER", name.upper())
    recorder.record("sharing", lambda: ci.connections.share("EU", name))
    assert role_of(ci.open_workspace().store) is Role.ADMINISTRATOR
    assert ci.open_workspace().store.user in ci.open_workspace().store.connections["EU"].shared_with
    recorder.record("taking it", lambda: main(["roles", "take", name]))
    assert role_of(ci.open_workspace().store) is Role.VIEWER
    require_nothing(recorder, marks, stage, at_least=1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemError])
def test_interrupted_call_shows_no_values_in_verbose_tracebacks(
    error: type[BaseException], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    frame = people().assign(EMail=marks.new("a frame"))

    def breaks_off(*_told: object) -> None:
        raise error

    monkeypatch.setattr("ci_magics.activation.segments.make_segment.keep_segment", breaks_off)
    made = ci.segment
    recorder.record("a segment", lambda: made("Mine", frame, where="Spend > 0"))
    require_nothing(recorder, marks, stage, at_least=1)
    assert error.__name__ in dict(recorder.outputs)["a segment says"]


def test_messages_of_other_libraries_are_not_passed_on() -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()
    mixed = pd.Series([marks.new("a frame of numbers and text"), 7, b"x", object()])
    for number, each in enumerate([mixed, mixed.to_frame(), list(mixed), {"a": mixed}]):
        recorder.record_output(f"normalize {number}", lambda: ci.normalize(each))  # noqa: B023 - called at once
        recorder.record(f"segment {number}", lambda: ci.segment("Mine", each))  # noqa: B023
    heard = [where for where, text in recorder.outputs if marks.named(text.encode())]
    assert heard == []


def test_chained_errors_quote_no_address(stage: Path) -> None:
    marks, recorder = MarkedAddresses(), OutputRecorder()

    def logged(work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception as error:
            logging.getLogger("a program").exception("It failed")
            for each in (error, *behind(error)):
                recorder.outputs.append(("the chain", repr(each) + str(getattr(each, "__notes__", ""))))
            raise

    mixed = pd.Series([marks.new("a frame of numbers and text"), 7, b"x", object()])
    where = f"EMail = '{marks.new('a condition')}' AND EMail::INTEGER = 1"
    unread = Path("odd.csv")
    unread.write_bytes(f"Id,EMail\n1,{marks.new('a file')}\n2,\xff\xfe,x,y\n".encode("latin-1"))
    jobs: list[Callable[[], Any]] = [
        lambda: ci.normalize(mixed),
        lambda: ci.segment("Mine", mixed.to_frame("EMail"), email="EMail"),
        lambda: ci.segment("Mine", people(), where=where),
        lambda: ci.segment("Mine", unread),
        lambda: ci.segment("Mine", f"SELECT '{marks.new('a query')}'::INTEGER AS EMail, 1 AS Id", frames={}),
        lambda: ci.export("All", to=marks.new("a connection")),
        lambda: ci.open_workspace(f"nothing://{marks.new('a location')}/x").store,
        lambda: ci.open_workspace().store.segments[marks.new("a name")],
        lambda: ci.Plan.load(f"{marks.new('a plan')}.json"),
        lambda: ci.Rule.parse(f"Spend > {marks.new('a rule')} and"),
        lambda: ci.Rule.from_json(f'{{"rule": "{marks.new("a document")}"}}'),
    ]
    for number, job in enumerate(jobs):
        recorder.record(f"job {number}", lambda: logged(job))  # noqa: B023 - called at once
    unread.unlink()
    assert sum("It failed" in text for where, text in recorder.outputs if where.endswith("logs")) >= len(jobs) - 2
    require_nothing(recorder, marks, stage, at_least=10)


def behind(error: BaseException) -> Iterator[BaseException]:
    """Yield all chained errors, including those that Python would not print."""
    for each in (error.__cause__, error.__context__):
        if each is not None:
            yield each
            yield from behind(each)
