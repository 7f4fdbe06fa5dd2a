"""Reject likely mistakes: typographic characters pasted from Word or Outlook, unquoted conditions, braces in quotes.

The error shows the problem and the corrected line. Each of these is valid somewhere else, so nothing is corrected
silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Command, Flag
from ci_magics.grammar.words import Word, is_blank

#: Typographic quotes of all languages, and the straight quotes that replace them.
_DOUBLE = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e\uff02"
_SINGLE = "\u2018\u2019\u201a\u201b\u2039\u203a\u2032\uff07"
_STRAIGHT = str.maketrans({**dict.fromkeys(_DOUBLE, '"'), **dict.fromkeys(_SINGLE, "'")})
#: Dashes that word processors insert in place of two hyphens.
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\uff0d"
_DASHED = re.compile(rf"[-{_DASHES}]*[{_DASHES}][-{_DASHES}]*(?=[A-Za-z])")
_CONDITIONS = ("condition", "rule")
#: The kinds of word in which braces are never meant literally.
_NAMES = ("segment", "frame", "file", "connection", "instance", "audience", "export", "new name")
#: Words that occur in conditions but hardly ever in names or values.
_CONDITION_WORDS = re.compile(
    r"[=<>!]+.*|.*[=<>!]|is|in|not|and|or|like|ilike|between|equals|contains|starts|ends|within|month|&&|\|\|",
    re.IGNORECASE,
)
_IN_BRACES = re.compile(r"\{\s*([A-Za-z_]\w*)[^{}]*\}|\$([A-Za-z_]\w*)")
_BRACED_NAME = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")


def refuse_mistakes(command: Command, line: str, words: Sequence[Word], variables: Mapping[str, Any]) -> None:
    """Reject a line with one of these mistakes.

    Parameters
    ----------
    command
        Declaration of the magic's arguments.
    line
        The text after the magic's name.
    words
        The same text, split.
    variables
        The notebook's variables; braces around one of their names probably mean its value.

    Raises
    ------
    ArgumentError
        The line has a mistake; the message shows it and the corrected line.
    """
    _refuse_typography(command, line, words)
    options = {option.name: option for option in command.options}
    for position, word in enumerate(words):
        name, equals, _value = word.text.partition("=")
        option = None if word.quoted else options.get(name)
        if option is not None and option.kind in _CONDITIONS:
            value = position if equals else position + 1
            _refuse_open_condition(command, line, words, value, option)
    for word, kind in _with_kinds(words, options, command):
        if word.quoted or word.has_quotes:
            _refuse_braces(command, line, word, kind, variables)


def open_quote(command: Command, line: str, error: ArgumentError) -> ArgumentError:
    """Return an error that suggests where an unclosed quote should be closed.

    Parameters
    ----------
    command
        The magic's declaration, for its name.
    line
        The text after the magic's name.
    error
        The error of `split`; returned unchanged if it is about a brace.
    """
    if error.code != "open_quote":
        return error
    if any(each in line for each in _DOUBLE + _SINGLE):
        return _typographic(command, line, next(each for each in line if each in _DOUBLE + _SINGLE))
    position = _unclosed_position(line)
    quote, before = line[position], line[:position]
    if before and not is_blank(before[-1]) and before[-1] != "=":
        start = max((number + 1 for number, letter in enumerate(before) if is_blank(letter)), default=0)
        end = next((number for number in range(position, len(line)) if is_blank(line[number])), len(line))
        other = '"' if quote == "'" else "'"
        fixed = f"{line[:start]}{other}{line[start:end]}{other}{line[end:]}"
        return ArgumentError(
            f"The {quote} inside a word opens a quote that is not closed.",
            f"Put the whole word in quotes: {_shown(command, fixed)}.",
            code="open_quote",
        )
    following = re.search(r"\s+--[A-Za-z]", line[position:])
    end = position + following.start() if following else len(line.rstrip())
    return ArgumentError(
        f"A quote ({quote}) is not closed.",
        f"Close it, for example: {_shown(command, line[:end] + quote + line[end:])}.",
        code="open_quote",
    )


def _unclosed_position(line: str) -> int:
    """Return the position of the unclosed quote."""
    position = 0
    while position < len(line):
        if line[position] in "'\"":
            end = line.find(line[position], position + 1)
            if end < 0:
                return position
            position = end
        position += 1
    return len(line) - 1


def _refuse_typography(command: Command, line: str, words: Sequence[Word]) -> None:
    """Reject typographic quotes around a word or value, and typographic dashes at the start of a word."""
    for word in words:
        written = line[word.start : word.end]
        value = written.partition("=")[2] if written.startswith("--") else ""
        quote = next((each[0] for each in (written, value) if each and each[0] in _DOUBLE + _SINGLE), None)
        if quote is not None:
            raise _typographic(command, line, quote)
        if not word.quoted and _DASHED.match(written):
            raise ArgumentError(
                f"{next(each for each in written if each in _DASHES)} is a typographic dash, as word processors insert "
                "it; an option begins with two hyphens.",
                f"Write {_shown(command, _with_straight_signs(line, words))}.",
                code="typographic_dash",
            )


def _typographic(command: Command, line: str, quote: str) -> ArgumentError:
    return ArgumentError(
        f"{quote} is a typographic quote, as word processors insert it; a magic needs straight ones.",
        f"Write {_shown(command, _with_straight_signs(line, ()))}.",
        code="typographic_quotes",
    )


def _with_straight_signs(line: str, words: Sequence[Word]) -> str:
    """Return a line with straight quotes and hyphens."""
    for word in reversed(words):
        fixed = line[word.start : word.end]
        if not word.quoted:
            fixed = _DASHED.sub("--", fixed, count=1) if _DASHED.match(fixed) else fixed
        line = line[: word.start] + fixed + line[word.end :]
    if any(each in line for each in _DOUBLE + _SINGLE):
        line = re.sub(rf"(^|\s)[-{_DASHES}]*[{_DASHES}][-{_DASHES}]*(?=[A-Za-z])", r"\1--", line)
    return line.translate(_STRAIGHT)


def _refuse_open_condition(command: Command, line: str, words: Sequence[Word], value: int, option: Flag) -> None:
    """Reject a condition of several words without quotes around it."""
    if value >= len(words):
        return
    last = value
    for position in range(value + 1, len(words)):
        word = words[position]
        if not word.quoted and re.match(r"--[A-Za-z]|-[A-Za-z]$", word.text):
            break
        last = position
    rest = words[value + 1 : last + 1]
    if not any(not word.quoted and _CONDITION_WORDS.fullmatch(word.text) for word in rest):
        return
    start = words[value].start
    if line[start:].startswith(option.name):
        start += len(option.name) + 1
    written = line[start : words[last].end]
    if words[value].quoted and "'" not in written:  # the condition begins with a quoted column name
        condition = f"'{written}'"
    else:
        condition = '"' + written.replace('"', "'") + '"'
    fixed = line[:start] + condition + line[words[last].end :]
    raise ArgumentError(
        f"The condition after {option.name} has several words without quotes around them.",
        f"Write {_shown(command, fixed)}.",
        code="condition_not_quoted",
    )


def _with_kinds(words: Sequence[Word], options: Mapping[str, Flag], command: Command) -> Iterator[tuple[Word, str]]:
    """Yield the words that are names or values, with the kind of each."""
    pending: Flag | None = None
    position = 0
    for word in words:
        if pending is not None:
            yield word, _kind(pending)
            pending = None
            continue
        name, equals, _value = word.text.partition("=")
        option = None if word.quoted else options.get(name)
        if option is None:
            kinds = [each.kind for each in command.positionals]
            yield word, kinds[min(position, len(kinds) - 1)] if kinds else "text"
            position += 1
        elif equals:
            yield word, _kind(option)
        elif option.value is not None:
            pending = option


def _kind(option: Flag) -> str:
    return "new name" if option.value == "NEW" else option.kind


def _refuse_braces(command: Command, line: str, word: Word, kind: str, variables: Mapping[str, Any]) -> None:
    """Reject ``{n}`` within quotes if n is a variable, because quoted braces are not evaluated."""
    written = line[word.start : word.end]
    if kind in _CONDITIONS:
        found = next((each for each in _BRACED_NAME.finditer(word.text) if each[1] in variables), None)
        if found is not None:
            fixed = line[: word.start] + _BRACED_NAME.sub(r"$\1", written) + line[word.end :]
            raise ArgumentError(
                f"Braces are not evaluated in a condition, and {found[0]} is a variable of the notebook.",
                f"Write ${found[1]}, which is replaced by its value: {_shown(command, fixed)}.",
                code="braces_in_condition",
            )
        return
    named = next((each for each in _IN_BRACES.finditer(word.text) if (each[1] or each[2]) in variables), None)
    if named is None or kind not in _NAMES:
        return
    text = re.sub(r"\$([A-Za-z_]\w*)", lambda each: f"{{{each[1]}}}" if each[1] in variables else each[0], word.text)
    before, _, name = written.partition("=") if not word.quoted else ("", "", written)
    quote = name[:1] if name[:1] in ("'", '"') else '"'
    value = text.partition("=")[2] if before else text
    evaluated = f"{before}={{f{quote}{value}{quote}}}" if before else f"{{f{quote}{value}{quote}}}"
    raise ArgumentError(
        f"Quoted text stays as it is written, and {named[0]} in it is a variable of the notebook.",
        f"Write {_shown(command, line[: word.start] + evaluated + line[word.end :])}.",
        code="braces_in_quotes",
    )


def _shown(command: Command, line: str) -> str:
    """Return a corrected line with the magic's name."""
    return f"{command.name} {line.strip()}"
