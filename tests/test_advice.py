"""Advice names an operation in three languages, and no layer below the front ends uses one of them."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from magic_lines import magic
from test_quoting import HOSTILE, hostile, line_that_runs, names

import ci_magics
from ci_magics.advice import (
    COLUMN,
    CONNECTION,
    FRAME,
    NAME,
    Advice,
    Command,
    Do,
    Opt,
    Reader,
    advise,
    joined,
    reader,
    reading,
    set_reader,
    worded,
)
from ci_magics.errors import ArgumentError, CiError, not_found
from ci_magics.grammar.arguments import parse_words
from ci_magics.grammar.words import split

PACKAGE = Path(ci_magics.__file__).parent

WORDED = [
    (
        Do("segments.rename", "Big", "Large"),
        '%ci_segments rename "Big" "Large"',
        "ci-magics segments rename Big Large",
        'ci.segments.rename("Big", "Large")',
    ),
    (
        Do("runs.resume", "1a2b3c4d"),
        '%ci_runs resume "1a2b3c4d"',
        "ci-magics runs resume 1a2b3c4d",
        'ci.runs.resume("1a2b3c4d")',
    ),
    (
        Do("exports.schedule", "Weekly", weekly="Monday", at="06:00"),
        '%ci_exports schedule "Weekly" --weekly Monday --at 06:00',
        "ci-magics exports schedule Weekly --weekly Monday --at 06:00",
        'ci.exports.schedule("Weekly", weekly="Monday", at="06:00")',
    ),
    (
        Do("plan", "Big", to=CONNECTION),
        '%ci_export "Big" --to CONNECTION --dry-run',
        "ci-magics export Big --to CONNECTION --dry-run",
        'ci.plan("Big", to=CONNECTION)',
    ),
    (
        Do("audiences.empty", "Contoso EU", "Big", confirm="Big one"),
        '%ci_audiences empty "Contoso EU" "Big" --confirm "Big one"',
        "ci-magics audiences empty 'Contoso EU' Big --confirm 'Big one'",
        'ci.audiences("Contoso EU").empty("Big", confirm="Big one")',
    ),
    (Do("segment", NAME, FRAME), "%ci_segment NAME FRAME", "ci-magics segment NAME FRAME", "ci.segment(NAME, FRAME)"),
    (
        Do("connect", NAME, agree=True),
        "%ci_connect NAME --agree",
        "ci-magics connect NAME --agree",
        "ci.connect(NAME, agree=True)",
    ),
    (
        Do("connections.share", "C", share=("ann", "zoe b")),
        '%ci_connections share "C" --share ann --share "zoe b"',
        "ci-magics connections share C --share ann --share 'zoe b'",
        'ci.connections.share("C", share=["ann", "zoe b"])',
    ),
    (
        Do("connections.choose_account", "C", 2),
        '%ci_connections choose-account "C" 2',
        "ci-magics connections choose-account C 2",
        'ci.connections.choose_account("C", 2)',
    ),
    (Do("segments"), "%ci_segments", "ci-magics segments", "ci.segments"),
    (Do("status"), "%ci_status", "ci-magics status", "ci.status()"),
    (Command("scheduler"), *["ci-magics scheduler"] * 3),
    (Command("refresh", due_only=True), *["ci-magics refresh --due-only"] * 3),
    (Opt("allow_shrink", True), "--allow-shrink", "--allow-shrink", "allow_shrink=True"),
    (Opt("key", COLUMN), "--key COLUMN", "--key COLUMN", "key=COLUMN"),
    (Opt("email", "E mail"), '--email "E mail"', "--email 'E mail'", 'email="E mail"'),
    (Opt("email", "-x"), '--email "-x"', "--email=-x", 'email="-x"'),
    (Opt("membership_days", 30), "--membership-days 30", "--membership-days 30", "membership_days=30"),
    (Opt("membership_days"), "--membership-days", "--membership-days", "membership_days"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "magic", "command", "python"), WORDED, ids=lambda each: str(each)[:30])
def test_each_front_end_gets_its_own_words(part: Do | Opt, magic: str, command: str, python: str) -> None:
    expected = {Reader.NOTEBOOK: magic, Reader.TERMINAL: command, Reader.PYTHON: python}
    assert {each: part.text(each) for each in Reader} == expected
    stored = advise("Do this: ", part, ".").stored()
    for each, words in expected.items():
        with reading(each):
            assert worded(stored) == f"Do this: {words}."
    assert worded(worded(stored)) == worded(stored)


@hostile
@given(name=names)
def test_python_call_contains_the_name(name: str) -> None:
    (statement,) = ast.parse(Do("segments.rename", name, NAME, to=name).text(Reader.PYTHON)).body
    call = statement.value  # type: ignore[attr-defined]
    assert ast.unparse(call.func) == "ci.segments.rename"
    assert ast.unparse(call.args[1]) == "NAME"
    assert [ast.literal_eval(each) for each in (call.args[0], call.keywords[0].value)] == [name, name]


@hostile
@given(name=names)
def test_magic_contains_the_name(name: str) -> None:
    line = Do("exports.save", name, NAME, to=name).text(Reader.NOTEBOOK)
    chosen = magic("%ci_exports").chosen(line_that_runs(line))
    read = parse_words(chosen.command, split(chosen.rest), {})
    assert [chosen.verb, *(each.text for each in read.words)] == ["save", name, "NAME"]
    assert read.given("to") == name


@hostile
@given(name=names)
def test_stored_text_keeps_the_name(name: str) -> None:
    do = Do("segments.rename", name, NAME, to=name)
    for each in Reader:
        with reading(each):
            assert worded(advise(do, name.replace("\x02", ""), Opt("to", name)).stored()) == (
                f"{do}{name.replace(chr(2), '')}{Opt('to', name)}"
            )


@settings(max_examples=30, deadline=None)
@given(many=st.lists(names, min_size=1, max_size=20))
@example(many=HOSTILE)
def test_shell_command_contains_the_name(many: list[str]) -> None:
    wanted = [each.replace("\0", "") for each in many]
    lines = [Do("segments.usage", each, where=each).text(Reader.TERMINAL) for each in wanted]
    script = "\n".join(line.replace("ci-magics", r"printf '%s\0'", 1) for line in lines)
    shell = shutil.which("bash")
    assert shell
    said = subprocess.run([shell], input=script.encode(), capture_output=True, check=True).stdout
    read = said.decode("utf-8", "surrogatepass").split("\0")[:-1]
    expected = []
    for each in wanted:
        expected += ["segments", "usage", each, *([f"--where={each}"] if each.startswith("-") else ["--where", each])]
    assert read == expected


def test_error_has_its_next_step_as_data() -> None:
    error = ArgumentError("It stopped.", advise("Finish it: ", Do("runs.resume", "1a2b"), "."), code="stopped")
    for each in (error, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301 - our own
        assert type(each) is ArgumentError
        assert str(each) == 'It stopped. Finish it: ci.runs.resume("1a2b"). (code stopped)'
        with reading(Reader.TERMINAL):
            assert each.next_step == "Finish it: ci-magics runs resume 1a2b."
            assert each.document() == {
                "error": "It stopped.",
                "next_step": "Finish it: ci-magics runs resume 1a2b.",
                "operations": [{"operation": "runs.resume", "arguments": ["1a2b"], "options": {}}],
                "code": "stopped",
                "error_name": None,
                "tracking_id": None,
            }
        with reading(Reader.NOTEBOOK):
            assert worded(each.stored()) == str(each) == 'It stopped. Finish it: %ci_runs resume "1a2b". (code stopped)'


def test_plain_text_is_unchanged() -> None:
    error = CiError("It stopped.", "Run it again {}.")
    assert error.stored() == str(error) == "It stopped. Run it again {}."
    assert error.document()["operations"] == []
    assert not CiError("It stopped.").advice


def test_example_of_an_operation_shows_no_address() -> None:
    error = not_found("segment", "x", [], advise("Make it: ", Do("segment", "a.b@contoso.com", where="c@contoso.com")))
    assert "contoso" not in str(error) + error.stored() + repr(error.document()) + repr(vars(error))


def test_parts_are_joined_without_empty_ones() -> None:
    assert str(joined(["", advise("See ", Do("status"), "."), Advice(), "Wait."])) == "See ci.status(). Wait."
    assert not joined(["", Advice()])


def test_thread_uses_the_same_front_end() -> None:
    heard: list[Reader] = []
    with reading(Reader.TERMINAL):
        thread = threading.Thread(target=lambda: heard.append(reader()))
        thread.start()
        thread.join()
    assert heard == [Reader.TERMINAL]
    assert reader() is Reader.PYTHON


def test_front_end_is_kept_until_it_is_set_again() -> None:
    set_reader(Reader.NOTEBOOK)
    with pytest.raises(KeyError), reading(Reader.TERMINAL):
        raise KeyError
    assert reader() is Reader.NOTEBOOK


#: The layers below the front ends.
LAYERS = ("microsoft", "workspace", "display", "segmentation", "matching", "activation", "errors", "forking")
WORDS_OF_A_FRONT_END = re.compile(r"%ci_|(?<![\w-])--(?!jp-)[a-z][a-z-]*|\bci-magics [a-z]+\b")
#: Texts that look like commands but are not: folder, and text.
NO_COMMANDS = {
    ("activation", "--memory"),  # of docker
    ("activation", "--upgrade"),  # of pip
    *(("activation", option) for option in ("--results-after", "--state", "--until-unused")),  # of the emulator
    *(("activation", f"ci-magics {word}") for word in ("does", "keyring", "reads", "was")),
    ("segmentation", "ci-magics is"),
    ("forking", "ci-magics polars"),
    ("forking", "--preload"),  # of gunicorn
    ("microsoft", "ci-magics never"),
    ("microsoft", "ci-magics signs"),
    ("microsoft", "ci-magics software"),
    ("workspace", "ci-magics to"),
    ("workspace", "ci-magics created"),
    ("workspace", "ci-magics suppression"),
}


def texts(path: Path) -> Iterator[str]:
    """Yield every text in a module except docstrings and examples of declarations."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = [tree, *(each for each in ast.walk(tree) if isinstance(each, ast.ClassDef | ast.FunctionDef))]
    docstrings = {id(each.body[0].value) for each in documented if each.body and isinstance(each.body[0], ast.Expr)}
    declared = [
        each for node in documented for each in getattr(node, "decorator_list", []) if getattr(each, "keywords", [])
    ]
    examples = {id(each.value) for call in declared for each in call.keywords if each.arg == "example"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings | examples:
            yield str(node.value if not isinstance(node.value, bytes) else node.value.decode("latin-1"))


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_below_the_front_ends_do_not_use_their_languages(layer: str) -> None:
    found = set()
    for path in [PACKAGE / f"{layer}.py"] if (PACKAGE / f"{layer}.py").exists() else (PACKAGE / layer).rglob("*.py"):
        assert "%ci_" not in path.read_text("utf-8"), path
        found |= {(layer, each) for text in texts(path) for each in WORDS_OF_A_FRONT_END.findall(text)}
    assert found - NO_COMMANDS == set()
