"""An option is declared once: Python, magics, the command line, completion and the form derive from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contoso import NAME, connect, segment

import ci_magics

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

OPTIONS = "activation/plans/export_options.py"
#: What you write to add an option: its declaration, and the field that stores it.
DECLARED = """    color: Annotated[
        str | None, Option("color of the audience", choices={"red": "as a rose", "blue": "as the sea"}, label="Color")
    ]
"""
STORED = "    color: str | None = None\n"
#: A program that shows the effects of the option as one JSON document.
PROGRAM = """
import contextlib, inspect, io, json, sys
import ci_magics as ci
from ci_magics.cli import main
from IPython.core.interactiveshell import InteractiveShell
from ci_magics.notebook.forms.export_choices import ExportChoices
from ci_magics.notebook.registry import MAGICS
from ci_magics.workspace.store import open_workspace

functions = {"plan": ci.plan, "export": ci.export, "save": ci.exports.save, "edit": ci.exports.edit}
magics = {each.title: each.command.help() for each in MAGICS}
edits = {verb: each.help() for each in MAGICS if each.title == "%ci_exports" for verb, each in each.verbs().items()}

def said(*words):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = main(list(words))
    return status, output.getvalue()

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "ci_magics")
line = '%ci_export All --col'
_text, offered = shell.complete(line, line, len(line))
form = ExportChoices(open_workspace())
field = form.options_shown["color"]
plan = ci.plan("All", to="Contoso EU", color="red")
saved = ci.exports.save("Daily", "All", to="Contoso EU", color="blue")
print(json.dumps({
    "signatures": [name for name, each in functions.items() if "color" in inspect.signature(each).parameters],
    "docs": [name for name, each in functions.items() if "Color of the audience." in inspect.getdoc(each)],
    "magics": ["--color red|blue" in each for each in (magics["%ci_export"], edits["save"], edits["edit"])],
    "commands": ["--color red|blue" in said(*each, "--help")[1] for each in (["export"], ["exports", "edit"])],
    "refused": said("export", "All", "--to", "Contoso EU", "--color", "rad", "--dry-run")[0],
    "form": [field.description, [value for _label, value in field.options]],
    "completed": offered,
    "planned": plan.options.color,
    "code": ci.exports.show("Daily").to_dict()["code"],
}))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a copy of ci-magics whose exports have one more option."""
    copied = tmp_path / "added" / "ci_magics"
    shutil.copytree(Path(ci_magics.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copied / OPTIONS).read_text("utf-8")
    for before, added in (("    email: Annotated[", DECLARED), ('    mode: Mode = "mirror"\n', STORED)):
        assert text.count(before) == 1
        text = text.replace(before, f"{added}{before}")
    (copied / OPTIONS).write_text(text, "utf-8")
    return copied.parent


def test_option_of_an_export_is_added_in_one_file(
    package: Path, emulator: RunningEmulator, workspace: Workspace
) -> None:
    assert emulator
    assert workspace
    assert NAME == "Contoso EU"
    connect()
    segment(20)
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=package, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    seen: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    everywhere = ["plan", "export", "save", "edit"]
    assert (seen["signatures"], seen["docs"]) == (everywhere, everywhere)
    assert seen["magics"] == [True, True, True]
    assert seen["commands"] == [True, True]
    assert seen["refused"] == 2
    assert seen["completed"] == ["--color"]
    assert seen["form"][0] == "Color"
    assert {"red", "blue"} <= set(seen["form"][1])
    assert seen["planned"] == "red"
    assert "color" in seen["code"]
