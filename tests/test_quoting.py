"""A name written into code is read back unchanged: in magics, Python, a shell and the page."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from magic_lines import magic
from run_settings import examples

import ci_magics
from ci_magics.grammar.arguments import parse_words
from ci_magics.grammar.words import split
from ci_magics.notebook.forms.code_text import code_html, code_of, copyable, magic_line
from ci_magics.quoting import magic_quoted, magic_word, python_literal, shell_word

PACKAGE = Path(ci_magics.__file__).parent
CELLS = PACKAGE / "labextension" / "static" / "cells.js"
HOSTILE = [
    *('"', "'", "\\", "{x}", "{__import__('os').abort()}", "$x", "$HOME", "%", "%%", "!ls", "x = !ls", "#", "a # b"),
    *("</script>", "`", "`id`", "$(id)", "\u2028import os", "\u2029", "\u200fאב\u200e", "\u202ea", "a\\", '\\"', "\\'"),
    *(
        "\"'",
        "'\"'",
        "'''",
        '"""',
        "a?",
        "?",
        "a??",
        "-x",
        "--to",
        "--confirm",
        "a\nimport os",
        "\r\n",
        "\t",
        "\0",
        "\x85",
    ),
    *(
        "🎯",
        "&amp;",
        "<b onmouseover=x>",
        " a ",
        "\u00a0",
        "\u200b",
        "=",
        "a=b",
        "--save=x",
        "{",
        "}",
        "{}",
        "${x}",
        ";",
    ),
    *(
        "a;b",
        "||",
        "*",
        "~",
        "\x1b[31m",
        "\x0b",
        "\x0c",
        "\x1c",
        "!!",
        "^",
        "\ufeff",
        "\u2067x",
        "%ci_export",
        "\ud800",
    ),
]
names = st.text(min_size=1, max_size=40) | st.text(
    alphabet="\"'\\{}$%!#`\n\t\u2028 ab-=?;\u200f", min_size=1, max_size=12
)


def hostile(function: Any) -> Any:
    for name in HOSTILE:
        function = example(name=name)(function)
    return function


def line_that_runs(cell: str) -> str:
    """Return the line that IPython passes to the magic in a cell."""
    code = TransformerManager().transform_cell(cell)
    (statement,) = ast.parse(code).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert ast.unparse(statement.value.func) == "get_ipython().run_line_magic"
    return str(ast.literal_eval(statement.value.args[1]))


def words_of(cell: str) -> list[str]:
    """Return the words of a magic."""
    chosen = magic("%ci_exports").chosen(line_that_runs(cell))
    return [chosen.verb, *(each.text for each in parse_words(chosen.command, split(chosen.rest), {}).words)]


@hostile
@given(name=names)
def test_magic_reads_the_name_back(name: str) -> None:
    assert words_of(f"%ci_exports run {magic_quoted(name)}") == ["run", name]
    assert words_of(f"%ci_exports run {magic_word(name)}") == ["run", name]
    assert len(magic_word(name).splitlines()) == 1


@hostile
@given(name=names)
def test_magic_reads_the_name_back_as_option_and_next_to_another(name: str) -> None:
    chosen = magic("%ci_exports").chosen(line_that_runs(magic_line("%ci_exports edit", [name], {"to": name})))
    arguments = parse_words(chosen.command, split(chosen.rest), {})
    assert [each.text for each in arguments.words] == [name]
    assert arguments.given("to") == name


@hostile
@given(name=names)
def test_python_reads_the_name_back(name: str) -> None:
    code = code_of("export", [name], {"to": name, "exclude": [name]}).python
    assert len(code.splitlines()) == 1
    (statement,) = ast.parse(TransformerManager().transform_cell(code)).body
    call = statement.value  # type: ignore[attr-defined]
    assert [ast.literal_eval(each) for each in call.args] == [name]
    assert [ast.literal_eval(each.value) for each in call.keywords] == [name, [name]]
    assert ast.literal_eval(python_literal(name)) == name


@settings(max_examples=examples(60), deadline=None)
@given(many=st.lists(names, min_size=1, max_size=40))
@example(many=HOSTILE)
def test_shell_reads_the_name_back(many: list[str]) -> None:
    wanted = [each.replace("\0", "") for each in many]  # shell words cannot contain it
    script = "\n".join(f"printf '%s\\0' {shell_word(each)}" for each in wanted)
    shell = shutil.which("bash")
    assert shell
    said = subprocess.run([shell], input=script.encode(), capture_output=True, check=True)
    assert said.stdout.decode("utf-8", "surrogatepass").split("\0")[:-1] == wanted


@hostile
@given(name=names)
def test_page_shows_the_name_unchanged(name: str) -> None:
    from html.parser import HTMLParser

    class Reader(HTMLParser):
        tags: list[str]
        text = ""

        def handle_starttag(self, tag: str, _attributes: object) -> None:
            self.tags.append(tag)

        def handle_data(self, data: str) -> None:
            self.text += data

    reader = Reader()
    reader.tags = []
    reader.feed(copyable("In Python", name))
    assert reader.tags == ["div", "div", "pre", "button"]
    assert name.replace("\r\n", "\n") in reader.text.replace("\r\n", "\n") or "\0" in name


@settings(max_examples=examples(20), deadline=None)
@given(many=st.lists(names, min_size=1, max_size=60))
@example(many=HOSTILE)
@pytest.mark.skipif(shutil.which("node") is None, reason="the browser tests hold the same without node")
def test_page_writes_the_same_line_as_python(many: list[str]) -> None:
    module = f"import {{ quoted, runCell, resumeCell }} from {json.dumps(CELLS.as_uri())};"
    script = f"{module} process.stdout.write(JSON.stringify({json.dumps(many)}.map(n => [quoted(n), runCell(n)])));"
    said = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, check=True)  # noqa: S607
    for name, (quoted, cell) in zip(many, json.loads(said.stdout), strict=True):
        assert quoted == magic_quoted(name)
        assert words_of(cell) == ["run", name]


def test_both_copy_buttons_contain_only_the_code() -> None:

    name = "</pre><script>alert(1)</script>"
    html = code_html(code_of("export", [name], {}))
    assert "<script" not in html


#: Values that need no quotes: IDs and numbers of ci-magics, words of a fixed list, and generated texts.
UNQUOTED = re.compile(
    r"magic_word|magic_quoted|shell_word|python_literal|magic_line|code_of|\.run_id|\.name\[:8\]|__version__"
)
CODE = re.compile(r"(%ci_\w+|ci-magics [a-z]|\bci\.[a-z_]+\()")
#: f-strings whose values are not names: file, and value.
NO_NAMES: set[tuple[str, str]] = {
    ("cli/segments.py", "beside[0]"),
    ("activation/plans/plan_document.py", "document.code_version"),
}


def pasted(node: ast.JoinedStr) -> Iterator[str]:
    """Yield the values in an f-string after the first code in it."""
    in_code = False
    for part in node.values:
        if isinstance(part, ast.Constant):
            in_code = in_code or CODE.search(str(part.value)) is not None
        elif in_code and isinstance(part, ast.FormattedValue):
            yield ast.unparse(part.value)


def test_every_value_in_generated_code_is_quoted() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), each)
        for path in PACKAGE.rglob("*.py")
        if "emulator" not in path.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr)
        for each in pasted(node)
        if not UNQUOTED.search(each)
    }
    assert found - NO_NAMES == set()
