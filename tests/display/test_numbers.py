"""Counts in sentences agree with their nouns and verbs, everywhere in the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ci_magics
from ci_magics.display.numbers import inflect, pluralize

PACKAGE = Path(ci_magics.__file__).parent
#: A count that can be 1; a name in capitals is a limit.
_COUNT = r"(counted|len)\((?![A-Z_]+\))"
_PLURAL = re.compile(
    r" (?:[a-z]+ )?(?:people|profiles|hashes|members|exports|rows|audiences|accounts|segments|addresses|keys|values|"
    r"runs|lists|columns|days|files|domains|names|ledgers|connections|requests|calls|minutes|hours)\b"
)


@pytest.mark.parametrize(
    ("number", "word", "verb", "said"),
    [
        (0, "person", "was", "0 people were"),
        (1, "person", "was", "1 person was"),
        (2, "person", "has", "2 people have"),
        (1, "hash", "is", "1 hash is"),
        (1_200, "hash", "is", "1,200 hashes are"),
        (3, "address", "", "3 addresses"),
        (1, "unfinished run", "", "1 unfinished run"),
        (2, "column name", "holds", "2 column names hold"),
        (3, "hash", "makes", "3 hashes make"),
        (2, "member", "takes", "2 members take"),
    ],
)
def test_count_agrees_with_its_noun_and_verb(number: int, word: str, verb: str, said: str) -> None:
    assert pluralize(number, word, verb) == said
    assert inflect(1, word) == word


def _counts_with_a_fixed_plural(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            is_count = isinstance(value, ast.FormattedValue) and re.match(_COUNT, ast.unparse(value.value))
            if is_count and isinstance(after, ast.Constant) and _PLURAL.match(str(after.value)):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def test_no_sentence_has_a_fixed_plural_after_a_count() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if "emulator" not in path.relative_to(PACKAGE).parts[:1]]
    assert len(files) > 300
    assert [found for path in files for found in _counts_with_a_fixed_plural(path)] == []
