"""Every command and magic in the documentation and the example notebooks is one that exists, with valid options."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from magic_lines import parsed

from ci_magics.cli import COMMANDS
from ci_magics.notebook.registry import MAGICS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COMMAND = re.compile(r"(?:^|[\s/`(\"])ci-magics (?=[a-z])(?P<line>[^`]*)")
MAGIC = re.compile(r"(?<![%\w])%ci_\w+[^`]*")
#: Where a command ends on a line of a shell, a crontab or a unit.
AFTER = re.compile(r"\s+#|\s*(?:>>|\||&&|\"[,)])|\s{2,}")
VARIABLES = dict.fromkeys(("interrupted", "least", "name"), "value")


def text_of(path: Path) -> Iterator[str]:
    """Yield the lines of a page or of a notebook's cells, without results."""
    if path.suffix == ".ipynb":
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            yield from "".join(cell["source"]).split("\n")
    else:
        yield from path.read_text("utf-8").split("\n")


def code_of(path: Path) -> Iterator[str]:
    """Yield lines of code blocks, and the code within sentences, which may continue on the next line."""
    block, sentences = False, []
    for line in text_of(path):
        if line.lstrip().startswith("```"):
            block = not block
        elif block or line.lstrip().startswith(("%", "!")):
            yield line
        else:
            sentences.append(line)
    for paragraph in re.split(r"\n\s*\n", "\n".join(sentences)):
        yield from (" ".join(each.split()) for each in re.findall(r"`([^`]+)`", paragraph))


def commands() -> list[tuple[str, str]]:
    found = [
        (path.name, each["line"])
        for path in [*PAGES, *NOTEBOOKS]
        for line in code_of(path)
        for each in COMMAND.finditer(line)
    ]
    return sorted({(name, AFTER.split(line)[0]) for name, line in found})


def magics() -> list[tuple[str, str]]:
    found = [
        (path.name, each[0]) for path in [*PAGES, *NOTEBOOKS] for line in code_of(path) for each in MAGIC.finditer(line)
    ]
    return sorted({(name, re.split(r"\s{2,}#|\s+#\s", line)[0].strip()) for name, line in found})


@pytest.mark.parametrize(("page", "line"), commands())
def test_command_in_the_documentation_is_valid(page: str, line: str) -> None:
    words = shlex.split(line)
    known = {each.name: replace(each, work=lambda _verb, _arguments: 0) for each in COMMANDS}
    assert words[0] in known, page
    assert known[words[0]].run(words[1:]) == 0


@pytest.mark.parametrize(("page", "line"), magics())
def test_magic_in_the_documentation_is_valid(page: str, line: str) -> None:
    assert line.split()[0] in {each.title for each in MAGICS}, page
    parsed(line, VARIABLES)
