"""Reject lines in an old syntax, with an option in place of a verb, and show the new line."""

from __future__ import annotations

from ci_magics.errors import ArgumentError
from ci_magics.grammar.words import Word, split_unfinished
from ci_magics.quoting import magic_word

#: The old options of a magic, and the verbs that replace them. The value of an option is now a word.
_VERBS = {
    "%ci_segment": {
        "--rename": "%ci_segments rename",
        "--duplicate": "%ci_segments duplicate",
        "--delete": "%ci_segments delete",
        "--activate": "%ci_segments activate",
        "--deactivate": "%ci_segments deactivate",
        "--tag": "%ci_segments tag",
        "--history": "%ci_segments history",
        "--versions": "%ci_segments versions",
        "--undo": "%ci_segments undo",
        "--redo": "%ci_segments redo",
        "--usage": "%ci_segments usage",
        "--refresh": "%ci_segments refresh",
        "--suppress": "%ci_segments suppress",
        "--end-suppression": "%ci_segments end-suppression",
        "--download": "%ci_segments download",
        "--list": "%ci_segments",
    },
    "%ci_connect": {
        "--edit": "%ci_connections edit",
        "--rename": "%ci_connections edit",
        "--sign-in": "%ci_connections sign-in",
        "--sign-out": "%ci_connections sign-out",
        "--accounts": "%ci_connections accounts",
        "--account": "%ci_connections choose-account",
        "--remove": "%ci_connections remove",
        "--withdraw": "%ci_connections withdraw-consents",
        "--insights": "%ci_insights",
        "--list": "%ci_connections",
    },
}
_WITH_VALUE = ("--rename", "--duplicate", "--tag", "--download", "--account", "--insights")


def reject_old_syntax(title: str, line: str) -> None:
    """Reject a line in an old syntax, and show the line to write instead.

    Parameters
    ----------
    title
        The magic's name with percent signs.
    line
        The text after the name.

    Raises
    ------
    ArgumentError
        The line has an option that is now a verb.
    """
    verbs = _VERBS.get(title, {})
    words, _ = split_unfinished(f"{line} ")
    for place, word in enumerate(words):
        verb = None if word.quoted else verbs.get(word.text.partition("=")[0])
        if verb is not None:
            raise ArgumentError(
                f"{word.text.partition('=')[0]} is now a verb of {verb.partition(' ')[0]}.",
                f"Write {_new_line(verb, words, place)}.",
                code="verb_now",
            )


def _new_line(verb: str, words: list[Word], place: int) -> str:
    names = [each.text for each in words[:place] if each.quoted or not each.text.startswith("-")]
    option, equals, value = words[place].text.partition("=")
    values = [value] if equals else [each.text for each in words[place + 1 : place + 2] if option in _WITH_VALUE]
    named = [*names[:1], *([] if option == "--rename" and verb.endswith("edit") else values)]
    written = [verb, *map(magic_word, named)]
    if option == "--rename" and verb.endswith("edit"):
        written += ["--rename", *map(magic_word, values)]
    return " ".join(written) if names or " " not in verb else f"{verb} NAME"
