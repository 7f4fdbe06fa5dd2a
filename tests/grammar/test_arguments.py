from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.errors import ArgumentError
from ci_magics.grammar.arguments import parse
from ci_magics.grammar.command import Arguments, Command, Flag, Positional
from ci_magics.grammar.words import Word
from ci_magics.notebook.segment_cell_magic import OUTPUT
from ci_magics.quoting import magic_quoted

COMMAND = Command(
    "%try",
    "Try it.",
    '%try "Big spenders" --to x',
    (Positional("NAME", "what to call it"), Positional("FRAME", "the frame")),
    (
        Flag("--to", "where", value="NAME", kind="connection"),
        Flag("--email", "column", value="COL"),
        Flag("--rule", "which", value="RULE", choices=("basic", "enhanced")),
        Flag("--days", "how long", value="N", whole_number=True),
        Flag("--share", "with", value="ROLE", repeatable=True),
        Flag("--agree", "consent"),
        OUTPUT,
    ),
    notes="Noted.",
)
MANY = Command("%many", "Many.", "%many a b", (Positional("SEGMENT", "which", several=True),))


def read(line: str, **variables: Any) -> Arguments:
    return parse(COMMAND, line, variables)


def test_words_and_options_can_be_mixed() -> None:
    arguments = read('"Big spenders" --agree customers --to "Contoso EU"')
    assert [word.text for word in arguments.words] == ["Big spenders", "customers"]
    assert (arguments.given("to"), arguments.switch("agree"), arguments.given("email")) == ("Contoso EU", True, None)


@pytest.mark.parametrize(
    "line", ["--email EMail", "--email=EMail", '--email "EMail"', "--email='EMail'", '"--x" --email EMail']
)
def test_value_follows_a_blank_or_an_equals_sign(line: str) -> None:
    assert read(line).given("email") == "EMail"


def test_value_can_contain_equals_signs_and_be_empty() -> None:
    assert read("--email=a=b=c").given("email") == "a=b=c"
    assert read("--email=").given("email") == ""


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_quoted_value_is_taken_literally(text: str) -> None:
    for line in (f"--email {magic_quoted(text)}", f"--email={magic_quoted(text)}"):
        assert read(line).given("email") == text
    assert read(magic_quoted(text)).words == (Word(text, quoted=True, has_quotes=True),)


@pytest.mark.parametrize("line", ["--help", "-h", "x --help --nonsense", "--days many -h"])
def test_help_takes_precedence_over_errors(line: str) -> None:
    assert read(line).wants_help


def test_quoted_help_is_a_name() -> None:
    assert not read('"--help"').wants_help


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("--emial x", "unknown_option", "Did you mean --email?"),
        ("--nonsense", "unknown_option", "%try has no option --nonsense."),
        ("-x", "unknown_option", "%try has no option -x."),
        ("--rule enhancd", "unknown_choice", "Did you mean 'enhanced'?"),
        ("--email", "value_missing", "--email needs a value."),
        ("--email --agree", "value_missing", "--email needs a value, and --agree after it looks like an option."),
        ("--agree=yes", "no_value_taken", "--agree takes no value."),
        ("--email a --email b", "option_twice", "--email is given twice."),
        ("--days many", "not_a_number", "--days must be a whole number."),
        ("--days 1.5", "not_a_number", "--days must be a whole number."),
        ("a b c", "too_many_words", "%try does not expect 'c' here."),
        ("-o my-result", "not_a_variable", "-o needs the name of a variable, not 'my-result'."),
        ("-o 2nd", "not_a_variable", "-o needs the name of a variable, not '2nd'."),
        ("-o class", "not_a_variable", "not 'class', which is a word of Python itself."),
        ("$customrs", "no_variable", "Did you mean $customers?"),
        ("--to {1 / 0}", "expression", "(ZeroDivisionError)"),
        ("--email $frame", "no_text", "--email cannot be a DataFrame."),
        ("--email $nothing", "no_text", "--email cannot be None."),
        ("--agree $frame --email {True}", "no_text", "--email cannot be a bool."),
    ],
)
def test_invalid_line_is_refused_with_an_explanation(line: str, code: str, words: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        read(line, customers=1, nothing=None, frame=pd.DataFrame({"email": ["jan@contoso.com"]}))
    assert refused.value.code == code
    assert words in refused.value.sentence
    assert refused.value.next_step
    assert "contoso" not in str(refused.value)


def test_value_after_an_equals_sign_can_look_like_an_option() -> None:
    assert read("--email=--agree").given("email") == "--agree"
    with pytest.raises(ArgumentError) as refused:
        read("--email --agree")
    assert "--email=--agree" in refused.value.next_step


@pytest.mark.parametrize(("name", "advice"), [("2nd", "do not begin with a digit"), ("class", "for example class_")])
def test_advice_for_an_invalid_variable_name_can_be_followed(name: str, advice: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        read(f"-o {name}")
    assert advice in refused.value.next_step


def test_error_of_an_expression_is_not_repeated() -> None:
    with pytest.raises(ArgumentError) as refused:
        read("{int(secret)}", secret="jan@contoso.com")
    assert "@" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("line", ["$thing", "{thing}", "{ [thing][0] }"])
def test_dollar_or_braces_give_one_whole_value(line: str) -> None:
    thing = object()
    assert read(line, thing=thing).words == (thing,)
    assert read(f"--to {line}", thing=thing).given("to") is thing
    assert read(f"--to={line}", thing=thing).given("to") is thing


@pytest.mark.parametrize("line", ["'$thing'", '"{thing}"', "x$thing", "$thing.x", "{}", "$"])
def test_dollar_or_braces_elsewhere_are_text(line: str) -> None:
    assert read(line, thing=5).words[0].text == line.strip("'\"")
    assert read(f"--email={line}", thing=5).given("email") == line.strip("'\"")


def test_text_in_a_variable_is_a_word() -> None:
    assert read("$name", name="--agree x").words == (Word("--agree x", quoted=True),)
    assert read("--rule $rule", rule="enhanced").given("rule") == "enhanced"
    with pytest.raises(ArgumentError, match="--rule cannot be 'none'"):
        read("--rule $rule", rule="none")


@pytest.mark.parametrize("number", [30, np.int64(30), "30"])
def test_number_can_come_from_a_variable(number: object) -> None:
    assert read("--days $n", n=number).given("days") == 30
    assert read("--email {n}", n=number).given("email") == "30"


def test_minus_followed_by_a_digit_is_a_number() -> None:
    assert read("--days -1").given("days") == -1
    assert read("-1").words == (Word("-1"),)


def test_repeatable_option_can_be_repeated() -> None:
    assert read("--share viewer --share contributor").all("share") == ["viewer", "contributor"]
    assert read("").all("share") == []


def test_command_can_accept_several_words() -> None:
    assert len(parse(MANY, "a b c d", {}).words) == 4


def test_help_lists_words_options_and_an_example() -> None:
    text = COMMAND.help()
    assert text.startswith("Try it.\n\n%try [NAME] [FRAME] [OPTION]...\n")
    assert "--rule basic|enhanced" in text
    assert "--days N" in text
    assert 'For example:\n  %try "Big spenders" --to x\n\nNoted.' in text
