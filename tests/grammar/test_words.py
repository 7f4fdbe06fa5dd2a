from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.errors import ArgumentError
from ci_magics.grammar.words import Word, split
from ci_magics.quoting import magic_quoted, magic_word

names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


def texts(line: str) -> list[str]:
    return [word.text for word in split(line)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  one\t two ", ["one", "two"]),
        ("\"Big spenders\" 'lapsed ones'", ["Big spenders", "lapsed ones"]),
        ("--where \"a == 'b'\" x", ["--where", "a == 'b'", "x"]),
        ("--where='a b' x", ["--where=a b", "x"]),
        ('"" x', ["", "x"]),
        (r"C:\data\new.csv \ ", [r"C:\data\new.csv", "\\"]),
        ('a"b c"d', ["ab cd"]),
        ('"it\'s "\'"so"\'', ['it\'s "so"']),
        ("a#b #c", ["a#b"]),
        ("Wörter\u3000ganz", ["Wörter", "ganz"]),
    ],
)
def test_blanks_separate_words_except_in_quotes(line: str, words: list[str]) -> None:
    assert texts(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x {df[df.a > 1]} y", ["x", "{df[df.a > 1]}", "y"]),
        ("""{df[df["a"] == 'b c']}""", ["""{df[df["a"] == 'b c']}"""]),
        ("{ {'a': {1}}['a'] }", ["{ {'a': {1}}['a'] }"]),
        ("""{f("}")} x""", ["""{f("}")}""", "x"]),
        ("--to={names[0]} a{b c}", ["--to={names[0]}", "a{b", "c}"]),
    ],
)
def test_braces_keep_an_expression_together(line: str, words: list[str]) -> None:
    assert texts(line) == words


def test_word_records_whether_it_was_quoted() -> None:
    assert split("a \"b\" c'd' --e='f'") == [
        Word("a"),
        Word("b", quoted=True, has_quotes=True),
        Word("cd", has_quotes=True),
        Word("--e=f", has_quotes=True),
    ]


@pytest.mark.parametrize(
    ("line", "words"), [('"open', 'A quote (") is'), ("it's", "A quote (') is"), ("{a", "A brace")]
)
def test_unclosed_quote_or_brace_is_refused(line: str, words: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        split(line)
    assert refused.value.sentence.startswith(words)
    assert refused.value.next_step


@given(names)
def test_quoted_name_is_read_literally(name: str) -> None:
    (word,) = split(magic_quoted(name))
    assert (word.text, word.quoted) == (name, True)


@given(st.lists(names))
def test_names_written_by_ci_magics_are_read_back(several: list[str]) -> None:
    assert texts(" ".join(magic_word(name) for name in several)) == several


@given(st.text(st.characters(exclude_characters="'\"{#")))
def test_plain_text_is_split_only_at_blanks(line: str) -> None:
    assert texts(line) == line.split()
