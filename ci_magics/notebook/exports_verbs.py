"""The verbs of ``%ci_exports`` and ``ci-magics exports``; each calls the public function of the same job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ci_magics as ci
from ci_magics.display.numbers import counted_in_words
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.grammar.command import Arguments
from ci_magics.notebook.call import text_of
from ci_magics.notebook.exports_command import COMMAND, EDITS, TIMES
from ci_magics.quoting import magic_word

if TYPE_CHECKING:
    from ci_magics.activation.progress import Reporter

_OF_VERB = {
    "schedule": {*(each.key for each in TIMES), "system", "on", "off", "keep", "replace"},
    "show": {"status", "since", "last", "details"},
    "edit": {each.key for each in EDITS},
    "remove": {"keep_ledger"},
}


@dataclass(frozen=True)
class VerbCall:
    """One call of a verb.

    Parameters
    ----------
    verb
        Empty to list the exports.
    names
        The exports.
    arguments
        The options of the line.
    progress
        Receives progress reports.
    show
        Receives sentences to print.
    """

    verb: str
    names: tuple[str, ...]
    arguments: Arguments
    progress: Reporter
    show: Callable[[str], None]


def carry_out(arguments: Arguments, progress: Reporter, show: Callable[[str], None]) -> Any:
    """Carry out a line and return the result to show.

    Parameters
    ----------
    arguments
        The parsed line: a verb, names and options.
    progress
        Receives progress reports.
    show
        Receives sentences to print.

    Raises
    ------
    ArgumentError
        The verb is unknown, lacks a name, or has options of another verb.
    CiError
        See the functions of `ci_magics`.
    """
    verb, names = _verb_and_names(tuple(text_of(each) for each in arguments.words))
    _require_options(verb, arguments)
    return _VERBS[verb](VerbCall(verb, names, arguments, progress, show))


def _verb_and_names(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the verb of a line and the names after it; a name alone means ``show``."""
    if not words:
        return "", ()
    if words[0] in _VERBS:
        return words[0], words[1:]
    names = ci.exports.names()
    if words[0] in names:
        return "show", words
    nearest = nearest_name(words[0], [*_VERBS, *names])
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(
        f"{COMMAND.name} does not know '{words[0]}'.{hint}",
        f"Use {', '.join(each for each in _VERBS if each)}.",
        code="unknown_verb",
    )


def _require_options(verb: str, arguments: Arguments) -> None:
    for name in arguments.options:
        homes = [each for each, options in _OF_VERB.items() if name in options]
        if homes and verb not in homes:
            raise ArgumentError(
                f"--{name.replace('_', '-')} belongs to {COMMAND.name} {homes[0]}.",
                f"See {COMMAND.name} --help.",
                code="option_of_another_verb",
            )


def _list(_errand: VerbCall) -> Any:
    return ci.exports.overview()


def _run(errand: VerbCall) -> Any:
    _require_name(errand)
    return ci.exports.run(*errand.names, progress=errand.progress, show=errand.show)


def _run_all(errand: VerbCall) -> Any:
    if errand.names:
        named = " ".join(map(magic_word, errand.names))
        raise ArgumentError(
            "run-all runs every active export, so it takes no name.",
            f"To run only those that you name, write {COMMAND.name} run {named}.",
            code="no_name",
        )
    return ci.exports.run_all(progress=errand.progress, show=errand.show)


def _show(errand: VerbCall) -> Any:
    arguments = errand.arguments
    if arguments.given("details"):
        return ci.exports.run_details(arguments.given("details"))
    filters = {name: arguments.given(name) for name in ("status", "last") if arguments.given(name) is not None}
    since = arguments.given("since")
    if len(errand.names) == 1 and not filters and since is None:
        return ci.exports.show(errand.names[0])
    return ci.exports.history(*errand.names, **filters, since=_moment(since) if since else None)


def _duplicate(errand: VerbCall) -> Any:
    if len(errand.names) != 2:
        raise ArgumentError(
            f"duplicate needs two names, and the line has {len(errand.names)}: the export and the name of the copy.",
            f"Write {COMMAND.name} duplicate NAME NEW; quote names with blanks.",
            code="no_name",
        )
    ci.exports.duplicate(*errand.names)
    return ci.exports.overview(*errand.names)


def _edit(errand: VerbCall) -> Any:
    _require_name(errand, only_one=True)
    arguments = errand.arguments
    choices: dict[str, Any] = {
        each.key: arguments.switch(each.key) if each.value is None else arguments.given(each.key)
        for each in EDITS
        if each.key in arguments.options and not each.repeatable
    }
    if "exclude" in arguments.options:
        choices["exclude"] = arguments.all("exclude")
    if "consent_yes" in arguments.options:
        choices["consent_yes"] = arguments.all("consent_yes")
    edited = ci.exports.edit(
        errand.names[0], segments=arguments.all("segment"), without=arguments.all("without"), **choices
    )
    return ci.exports.show(edited.name)


def _detach(errand: VerbCall) -> Any:
    _require_name(errand)
    ci.exports.detach(*errand.names)
    return ci.exports.overview(*errand.names)


def _remove(errand: VerbCall) -> Any:
    _require_name(errand)
    forgotten = ci.exports.remove(*errand.names, keep_ledger=errand.arguments.switch("keep_ledger"))
    for sentence in forgotten:
        errand.show(sentence)
    return ci.exports.overview()


def _schedule(errand: VerbCall) -> Any:
    arguments = errand.arguments
    times = {
        "at": arguments.all("at"),
        "weekly": arguments.all("weekly"),
        "time_zone": arguments.given("time_zone"),
    }
    active = _on_or_off(arguments)
    if errand.names:
        keep = _one_of(arguments, "keep", "replace")
        follow = arguments.switch("system")
        said: list[str] = []  # not shown: the list has the same sentences
        ci.exports.schedule(*errand.names, **times, follow_system=follow, active=active, keep=keep, show=said.append)
        return ci.exports.overview(*errand.names)
    if not any(times.values()) and active is None:
        return ci.exports.system_schedule()
    return ci.exports.system_schedule(**times, active=active is not False, show=errand.show)


_VERBS: Mapping[str, Callable[[VerbCall], Any]] = {
    "": _list,
    "run": _run,
    "run-all": _run_all,
    "show": _show,
    "duplicate": _duplicate,
    "edit": _edit,
    "detach": _detach,
    "remove": _remove,
    "schedule": _schedule,
}


def _on_or_off(arguments: Arguments) -> bool | None:
    return _one_of(arguments, "on", "off")


def _one_of(arguments: Arguments, yes: str, no: str) -> bool | None:
    """Return True or False for two mutually exclusive switches, or None if neither is given."""
    if arguments.switch(yes) and arguments.switch(no):
        raise ArgumentError(f"--{yes} and --{no} cannot be combined.", "Choose one.", code="two_ways")
    return True if arguments.switch(yes) else False if arguments.switch(no) else None


def _require_name(errand: VerbCall, *, only_one: bool = False) -> None:
    if not errand.names:
        raise ArgumentError(
            f"{errand.verb} needs the name of an export.", f"{COMMAND.name} lists them.", code="no_name"
        )
    if only_one and len(errand.names) > 1:
        raise ArgumentError(
            f"{errand.verb} takes one export, and the line has {counted_in_words(len(errand.names), 'name')}.",
            "Name one export in each line; quote a name with blanks.",
            code="too_many_words",
        )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(
            f"'{text}' is not a day.", "Write it as 2026-11-01, or 2026-11-01T06:00.", code="not_a_day"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
