"""The verbs of ``%ci_segment NAME --VERB``, which act on an existing segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Flag
from ci_magics.grammar.words import Word
from ci_magics.notebook.shared_options import ENCODING, SEGMENT_CONSENT
from ci_magics.quoting import magic_word

VERBS = (
    Flag("--rename", "give it another name; its audience stays in step", value="NEW"),
    Flag("--duplicate", "make a second segment of the same profiles", value="NEW"),
    Flag("--delete", "delete it; audiences stay, and --undo brings it back"),
    Flag("--activate", "use it again"),
    Flag("--deactivate", "set it aside: neither refreshed nor exported"),
    Flag("--tag", "its tags, in place of those it had; may be repeated", value="TAG", repeatable=True),
    Flag("--history", "show how many profiles it had, each time it was made"),
    Flag("--versions", "show the versions that are kept"),
    Flag("--undo", "bring back what it was before it was replaced or deleted"),
    Flag("--redo", "bring back what was undone"),
    Flag("--usage", "show what it fills and what is made of it"),
    Flag("--refresh", "evaluate its definition again; takes --allow-..., --encoding and --consent"),
    Flag("--suppress", "exclude its people from every export, in place of any other segment"),
    Flag("--end-suppression", "exclude its people no longer"),
    Flag("--download", "write the keys of its profiles to a CSV file", value="FILE", kind="file"),
)


#: Override the guards that keep a segment from losing its profiles.
ALLOWANCES = (
    Flag("--allow-empty", "go on although nobody would be left in the segment of this name"),
    Flag("--allow-shrink", "go on although less than half of its profiles would be left"),
)


#: A refresh uses these instead of the values in the segment's definition.
OVERRIDES = (*SEGMENT_CONSENT, ENCODING)


def verb_of(arguments: Arguments) -> Flag | None:
    """Return the verb of a line, or None.

    Raises
    ------
    ArgumentError
        There are several verbs, or options that do not go with the verb.
    """
    verbs = [each for each in VERBS if each.key in arguments.options]
    if not verbs:
        return None
    others = [each.name for each in verbs[1:]]
    beside = {"quiet", *(each.key for each in VERBS)}
    beside |= {each.key for each in (*ALLOWANCES, *OVERRIDES)} if verbs[0].key == "refresh" else set()
    others += [f"--{name.replace('_', '-')}" for name in arguments.options if name not in beside]
    if others:
        raise ArgumentError(
            f"{verbs[0].name} cannot be combined with {others[0]}.", "Use one of them in each line.", code="one_verb"
        )
    if len(arguments.words) > 1:
        said = [str(each.text) if isinstance(each, Word) else type(each).__name__ for each in arguments.words]
        raise ArgumentError(
            f"{verbs[0].name} takes the name of one segment and nothing else, and the line also has '{said[1]}'.",
            f"If it is part of the name, quote the whole name: {magic_word(' '.join(said))}.",
            code="one_verb",
        )
    if not arguments.words:
        raise ArgumentError(
            f"{verbs[0].name} needs the name of a segment.", "%ci_segment --list lists them.", code="no_name"
        )
    return verbs[0]


def carry_out(verb: Flag, name: str, arguments: Arguments, say: Callable[[str], None]) -> Any:
    """Carry out a verb and return the result to show.

    Parameters
    ----------
    verb
        The return value of `verb_of`.
    name
        The segment's name.
    arguments
        The parsed line.
    say
        Receives sentences to print.

    Raises
    ------
    CiError
        See `ci_magics.activation.segments.segment_operations`.
    """
    from ci_magics.activation.segments import segment_operations
    from ci_magics.activation.segments import versions as versions
    from ci_magics.activation.segments.listing import list_segments
    from ci_magics.activation.segments.make_segment import refresh_segment

    match verb.key:
        case "history":
            return segment_operations.segment_history(name)
        case "usage":
            return segment_operations.segment_usage(name)
        case "download":
            return segment_operations.download_keys(name, arguments.given("download"))
        case "refresh":
            allow_empty, allow_shrink = arguments.switch("allow_empty"), arguments.switch("allow_shrink")
            return refresh_segment(
                name,
                allow_empty=allow_empty,
                allow_shrink=allow_shrink,
                encoding=arguments.given("encoding"),
                consent=arguments.all("consent"),
                consent_yes=arguments.all("consent_yes"),
                show=say,
            )
        case "delete":
            say(repr(segment_operations.delete_segment(name)))
            return list_segments()
        case "versions":
            return versions.segment_versions(name)
        case "undo":
            return list_segments(versions.undo_segment(name, show=say).name)
        case "redo":
            return list_segments(versions.redo_segment(name, show=say).name)
        case _:
            return list_segments(*_changed(verb.key, name, arguments))


def _changed(verb: str, name: str, arguments: Arguments) -> list[str]:
    """Change a segment and return the names of the segments to show."""
    from ci_magics.activation.segments import segment_operations

    match verb:
        case "rename":
            return [segment_operations.rename_segment(name, arguments.given(verb)).name]
        case "duplicate":
            return [name, segment_operations.duplicate_segment(name, arguments.given(verb)).name]
        case "activate" | "deactivate":
            return [segment_operations.activate_segment(name, active=verb == "activate").name]
        case "tag":
            return [segment_operations.tag_segment(name, arguments.all(verb)).name]
        case "suppress":
            segment_operations.suppress_segment(name)
        case _:
            segment_operations.end_suppression(name)
    return [name]
