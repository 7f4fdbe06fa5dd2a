"""Python, magics and the command line have the same operations; exceptions are listed with reasons."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ci_magics as ci
from ci_magics.cli import COMMANDS
from ci_magics.grammar.operation import Operation
from ci_magics.grammar.reading import declared
from ci_magics.grammar.source import names_of
from ci_magics.notebook.registry import MAGICS
from ci_magics.operations.declarations import FUNCTIONS, NOUNS, declaration, function_of
from ci_magics.workspace.access import Role, Verb

#: How the product words advice about an operation.
ADVICE = ("Do", "Command")
#: Functions that only Python has.
ONLY_PYTHON = {
    "compare_normalizations": "an experiment that makes two audiences and returns a live object",
    "differentiators": "it takes a frame, and its answer is worked with in Python",
    "inspect_rules": "it counts for the rule builder, which takes a frame",
    "load_ipython_extension": "IPython calls it",
    "normalize": "it takes addresses, which nobody writes into a line",
    "open_workspace": "a line works in the default workspace",
    "quick_segments": "it takes a frame and returns pictures",
    "text_of_keys": "it takes keys from a frame",
    "unload_ipython_extension": "IPython calls it",
}
#: Magics and commands that are not operations.
NO_OPERATION = {
    "%%ci_segment": "ci.segment with a query in the cell",
    "%ci_config": "the options of this notebook",
    "ci-magics notebook": "it runs a process",
    "ci-magics scheduler": "it runs a process",
    "ci-magics emulator serve": "it runs a process",
}
#: Methods of every collection that are not verbs.
READING = {"names", "overview", "to_frame", "to_dict"}
#: Parameters that the front end sets, or that only Python has.
AROUND = {"self", "show", "progress", "workspace", "clock"}
ONLY_IN_PYTHON = {
    ("doctor", "front_end"): "the notebook says what it is",
    ("doctor", "machine"): "tests stand in for the machine",
    ("purge", "now"): "tests set the time",
    ("segment", "frames"): "the frames that a query names are found",
    ("segment", "parameters"): "the variables that a query names are found",
}
#: Parameters that only some lines have.
ONLY_SOME_LINES = {("%ci_segment", "--database"): "the query is in the cell of %%ci_segment"}


def operations() -> dict[str, Operation]:
    found = {path: declaration(path) for path in FUNCTIONS}
    return found | {each.path: each for noun in NOUNS.values() for each in noun.verbs().values()}


def lines_of_magics() -> dict[str, Any]:
    found = {f"{each.title} {verb}": command for each in MAGICS for verb, command in each.verbs().items()}
    return found | {each.title: each.command for each in MAGICS}


def lines_of_commands() -> dict[str, Any]:
    found = {f"ci-magics {each.name} {verb}": line for each in COMMANDS for verb, line in each.verbs().items()}
    return found | {f"ci-magics {each.name}": each.declare() for each in COMMANDS}


def line_of(path: str, begin: str) -> str:
    noun, _, verb = path.replace("_", "-").rpartition(".")
    return f"{begin}{noun} {verb}" if noun else f"{begin}{verb}"


def test_every_function_is_an_operation() -> None:
    functions = {name for name in ci.__all__ if inspect.isfunction(getattr(ci, name))}
    assert functions - set(NOUNS) == set(FUNCTIONS) | set(ONLY_PYTHON)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_method_of_a_collection_is_an_operation(noun: str) -> None:
    collection = getattr(importlib.import_module(f"ci_magics.{NOUNS[noun].module}"), NOUNS[noun].collection)
    methods = {name for name, each in inspect.getmembers(collection, inspect.isfunction) if name[0] != "_"}
    assert methods - READING == {path.partition(".")[2] for path in operations() if path.startswith(f"{noun}.")}


def test_every_operation_is_a_magic_and_a_command() -> None:
    for begin, lines in (("%ci_", lines_of_magics()), ("ci-magics ", lines_of_commands())):
        expected = {line_of(path, begin) for path in operations()} | {f"{begin}{noun}" for noun in NOUNS}
        assert set(lines) - set(NO_OPERATION) == expected
    assert set(NO_OPERATION) <= {*lines_of_magics(), *lines_of_commands()}


@pytest.mark.parametrize("path", sorted(operations()))
def test_every_option_of_an_operation_is_an_option_of_its_magic_and_command(path: str) -> None:
    wanted = {flag.name for each in operations()[path].options for flag in each.flags()}
    for begin, lines in (("%ci_", lines_of_magics()), ("ci-magics ", lines_of_commands())):
        line = line_of(path, begin)
        given = {flag.name for flag in lines[line].options}
        assert {(line, name) for name in wanted - given} <= set(ONLY_SOME_LINES)


@pytest.mark.parametrize("path", sorted(operations()))
def test_declaration_read_from_source_equals_the_function(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = operations()[path]
    noun, _, name = path.rpartition(".")
    module = importlib.import_module(f"ci_magics.{NOUNS[noun].module if noun else FUNCTIONS[name]}")
    function = getattr(getattr(module, NOUNS[noun].collection) if noun else module, name)
    monkeypatch.delattr(inspect.unwrap(function), "__signature__", raising=False)  # it expands a TypedDict for readers
    real = declared(path, function, names_of(module.__name__))
    assert [(each.name, each.word, each.type, each.several, each.choices) for each in real.parameters] == [
        (each.name, each.word, each.type, each.several, each.choices) for each in operation.parameters
    ]
    assert [each.default for each in real.parameters] == [each.default for each in operation.parameters]
    assert (real.summary, real.facts.example, real.facts.changes) == (
        operation.summary,
        operation.facts.example,
        operation.facts.changes,
    )


@pytest.mark.parametrize("path", sorted(operations()))
def test_every_parameter_is_an_option_or_only_for_python(path: str) -> None:
    operation = operations()[path]
    noun, _, name = path.rpartition(".")
    module = importlib.import_module(f"ci_magics.{NOUNS[noun].module if noun else FUNCTIONS[name]}")
    function = getattr(getattr(module, NOUNS[noun].collection) if noun else module, name)
    parameters = inspect.signature(function).parameters.values()
    plain = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    left = plain - {each.name for each in operation.parameters} - AROUND
    assert {(path, each) for each in left} == {each for each in ONLY_IN_PYTHON if each[0] == path}


@pytest.mark.parametrize("path", sorted(operations()))
def test_every_operation_is_documented_with_its_requirements(path: str) -> None:
    operation = operations()[path]
    assert operation.summary.endswith(".")
    assert operation.facts.verb is None or isinstance(operation.facts.verb, Verb)
    assert all(each.option.help for each in operation.parameters)
    assert path.startswith("audiences.") or callable(function_of(path))


def advised() -> set[tuple[str, str, frozenset[str]]]:
    """Return the operations that the product advises: kind of call, operation, and names of options."""
    found = set()
    for path in Path(ci.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ADVICE):
                continue
            names = [node.args[0]] if node.args else []
            if names and isinstance(names[0], ast.IfExp):
                names = [names[0].body, names[0].orelse]
            options = frozenset(each.arg for each in node.keywords if each.arg)
            found |= {(node.func.id, each.value, options) for each in names if isinstance(each, ast.Constant)}
    return {each for each in found if not each[1].startswith(("%", "ci-magics"))}  # declarations of lines


def test_every_advised_operation_and_option_exists() -> None:
    known, commands = operations(), lines_of_commands()
    assert len(advised()) > 50
    wrong = []
    for kind, name, options in advised():
        line = f"ci-magics {name.replace('.', ' ').replace('_', '-')}"
        flags: set[str] | None = None
        if kind == "Command" and line in commands:
            flags = {flag.name.lstrip("-").replace("-", "_") for flag in commands[line].options}
        elif kind == "Do" and name in known:
            flags = {each.name for each in known[name].options}
        elif kind == "Do" and name in NOUNS:
            flags = set()
        if flags is None or not options <= flags:
            wrong.append((kind, name, sorted(options)))
    assert wrong == []


def test_help_of_a_new_process_names_the_role_that_each_command_needs() -> None:
    """A new process has loaded no operation, so its help comes from the source alone."""
    commands = [path.replace("_", "-").split(".") for path in operations()]
    program = (
        "import json, sys\nfrom ci_magics.cli import main\nfor words in json.loads(sys.argv[1]):\n    main(words)\n"
    )
    asked = json.dumps([[*words, "--help"] for words in commands])
    shown = subprocess.run([sys.executable, "-c", program, asked], capture_output=True, text=True, check=True).stdout
    assert "NotLoaded" not in shown
    verbs = [each.facts.verb for each in operations().values()]
    needed = [str(each.minimum_role) for each in verbs if each is not None and each.minimum_role is not Role.VIEWER]
    assert re.findall(r"Needs the role (\w+)\.", shown) == needed
    assert {"contributor", "administrator"} == set(needed)
