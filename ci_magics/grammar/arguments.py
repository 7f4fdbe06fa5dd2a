"""The argument parser of all magics and commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from keyword import iskeyword
from numbers import Integral
from typing import Any

from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.grammar.command import Arguments, Command, Flag, shown
from ci_magics.grammar.mistakes import open_quote, refuse_mistakes
from ci_magics.grammar.words import Word, split

_HELP = ("--help", "-h")


def parse(command: Command, line: str, variables: Mapping[str, Any]) -> Arguments:
    """Parse a line.

    Parameters
    ----------
    command
        Declaration of the magic's arguments.
    line
        The text after the magic's name.
    variables
        The values for ``$name`` and ``{expression}``.

    Raises
    ------
    ArgumentError
        The line does not match the command.
    """
    try:
        words = split(line)
    except ArgumentError as error:
        raise open_quote(command, line, error) from None
    refuse_mistakes(command, line, words, variables)
    return parse_words(command, words, variables)


def parse_words(command: Command, words: Sequence[Word], variables: Mapping[str, Any]) -> Arguments:
    """Parse words that are already split, as on a command line.

    Parameters
    ----------
    command
        Declaration of the arguments.
    words
        The words after the command's name.
    variables
        The values for ``$name`` and ``{expression}``.

    Raises
    ------
    ArgumentError
        The words do not match the command.
    """
    if any(word.text in _HELP and not word.quoted for word in words):
        return Arguments(wants_help=True)
    by_name = {option.name: option for option in command.options}
    found: list[Any] = []
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word.quoted or not _is_option(word.text):
            found.append(_value(word, variables))
            continue
        name, equals, text = word.text.partition("=")
        option = _known(command, by_name, name)
        given = Word(text, quoted=word.has_quotes) if equals else None
        _set(command, options, option, _option_value(option, given, rest, variables))
    _check_count(command, found)
    return Arguments(tuple(found), options)


def _is_option(text: str) -> bool:
    return text.startswith("--") or (len(text) == 2 and text[0] == "-" and text[1].isalpha())


def _known(command: Command, by_name: Mapping[str, Flag], name: str) -> Flag:
    option = by_name.get(name)
    if option is None:
        nearest = nearest_name(name, by_name)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ArgumentError(
            f"{command.name} has no option {name}.{hint}", f"See {command.name} --help.", code="unknown_option"
        )
    return option


def _option_value(option: Flag, given: Word | None, rest: Any, variables: Mapping[str, Any]) -> Any:
    if option.value is None:
        if given is not None:
            raise ArgumentError(f"{option.name} takes no value.", f"Write only {option.name}.", code="no_value_taken")
        return True
    word = given or next(rest, None)
    if word is None:
        raise ArgumentError(f"{option.name} needs a value.", f"Write {shown(option)}.", code="value_missing")
    if given is None and _is_option(word.text) and not word.quoted:
        raise ArgumentError(
            f"{option.name} needs a value, and {word.text} after it looks like an option.",
            f"Write {shown(option)}; if {word.text} is the value, write {option.name}={word.text}.",
            code="value_missing",
        )
    value = _value(word, variables)
    if isinstance(value, Word):
        return _checked(option, value)
    if option.kind == "connection":
        return value
    if isinstance(value, Integral) and not isinstance(value, bool):
        return _checked(option, Word(str(value), quoted=True))
    what = "None" if value is None else f"a {type(value).__name__}"
    raise ArgumentError(f"{option.name} cannot be {what}.", f"Write {shown(option)}.", code="no_text")


def _checked(option: Flag, word: Word) -> Any:
    if option.choices and word.text not in option.choices:
        nearest = nearest_name(word.text, option.choices)
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise ArgumentError(
            f"{option.name} cannot be '{word.text}'.{hint}", f"Use {', '.join(option.choices)}.", code="unknown_choice"
        )
    if option.variable and (not word.text.isidentifier() or iskeyword(word.text)):
        taken = ", which is a word of Python itself" if iskeyword(word.text) else ""
        raise ArgumentError(
            f"{option.name} needs the name of a variable, not '{word.text}'{taken}.",
            "Use letters, digits and underscores, and do not begin with a digit."
            if not taken
            else f"Choose another name, for example {word.text}_.",
            code="not_a_variable",
        )
    if option.whole_number:
        try:
            return int(word.text)
        except ValueError:
            raise ArgumentError(
                f"{option.name} must be a whole number.", f"Write {shown(option)}.", code="not_a_number"
            ) from None
    return word


def _set(command: Command, options: dict[str, Any], option: Flag, value: Any) -> None:
    if option.repeatable:
        options.setdefault(option.key, []).append(value)
    elif option.key in options:
        raise ArgumentError(f"{option.name} is given twice.", f"See {command.name} --help.", code="option_twice")
    else:
        options[option.key] = value


def _value(word: Word, variables: Mapping[str, Any]) -> Any:
    """Return the word, or the object if the whole word is ``$name`` or ``{expression}``."""
    text = word.text
    if word.quoted:
        return word
    if text.startswith("$") and text[1:].isidentifier():
        if text[1:] not in variables:
            nearest = nearest_name(text[1:], variables)
            hint = f" Did you mean ${nearest}?" if nearest else ""
            raise ArgumentError(f"There is no variable {text[1:]}.{hint}", "Make it first.", code="no_variable")
        return _plain(variables[text[1:]])
    if text.startswith("{") and text.endswith("}") and len(text) > 2:
        return _plain(_evaluated(text[1:-1], variables))
    return word


def _plain(value: Any) -> Any:
    """Wrap a text from a variable in a quoted word, so that it is read as a name."""
    return Word(value, quoted=True) if isinstance(value, str) else value


def _evaluated(expression: str, variables: Mapping[str, Any]) -> Any:
    try:
        return eval(expression, dict(variables))  # noqa: S307 - the person's own expression, as IPython evaluates it
    except Exception as error:  # noqa: BLE001 - anything may go wrong in somebody's expression
        raise ArgumentError(
            f"The expression in braces cannot be evaluated ({type(error).__name__}).",
            "Run it in a cell by itself to see what is wrong.",
            code="expression",
        ) from None


def _check_count(command: Command, found: list[Any]) -> None:
    several = any(each.several for each in command.positionals)
    if len(found) > len(command.positionals) and not several:
        word = found[len(command.positionals)]
        shown = f"'{word.text}'" if isinstance(word, Word) else f"a {type(word).__name__}"
        raise ArgumentError(
            f"{command.name} does not expect {shown} here.",
            f"If it is part of a name with spaces, quote the whole name; see {command.name} --help.",
            code="too_many_words",
        )
