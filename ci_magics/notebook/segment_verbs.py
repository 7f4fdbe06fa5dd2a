"""What ``%ci_segment NAME --VERB`` does with a segment that exists."""

from __future__ import annotations

from typing import Any

from ci_magics.errors import ArgumentError
from ci_magics.notebook.arguments import Arguments, Option

VERBS = (
    Option("--rename", "give it another name; its audience stays in step", value="NEW"),
    Option("--duplicate", "make a second segment of the same profiles", value="NEW"),
    Option("--delete", "delete it and what is kept of its profiles; audiences stay"),
    Option("--activate", "use it again"),
    Option("--deactivate", "set it aside: neither refreshed nor exported"),
    Option("--tag", "its tags, in place of those it had; may be repeated", value="TAG", repeatable=True),
    Option("--history", "show how many profiles it had, each time it was made"),
    Option("--usage", "show the audiences that it fills"),
    Option("--download", "write the keys of its profiles to a CSV file", value="FILE", kind="file"),
)


def verb_of(arguments: Arguments) -> Option | None:
    """Return the verb of a line, if it has one.

    Raises
    ------
    ArgumentError
        It has several, or options that make a segment beside it.
    """
    verbs = [each for each in VERBS if each.key in arguments.options]
    if not verbs:
        return None
    others = [each.name for each in verbs[1:]]
    others += [f"--{name}" for name in arguments.options if name not in {"quiet", *(each.key for each in VERBS)}]
    others += ["a frame"] if len(arguments.words) > 1 else []
    if others:
        raise ArgumentError(
            f"{verbs[0].name} stands alone, and here is {others[0]} too.",
            "Write one thing in each line.",
            code="one_verb",
        )
    if not arguments.words:
        raise ArgumentError(f"{verbs[0].name} needs the name of a segment.", "%ci_segment lists them.", code="no_name")
    return verbs[0]


def carry_out(verb: Option, name: str, arguments: Arguments) -> Any:
    """Do what a verb says; returns what there is to see.

    Raises
    ------
    CiError
        See `ci_magics.activation.segment_verbs`.
    """
    from ci_magics.activation import segment_verbs as verbs
    from ci_magics.activation.segment_list import list_segments

    value = arguments.given(verb.key)
    match verb.key:
        case "rename":
            return list_segments(verbs.rename_segment(name, value).name)
        case "duplicate":
            return list_segments(name, verbs.duplicate_segment(name, value).name)
        case "delete":
            verbs.delete_segment(name)
            return list_segments()
        case "activate" | "deactivate":
            return list_segments(verbs.set_active(name, active=verb.key == "activate").name)
        case "tag":
            return list_segments(verbs.tag_segment(name, arguments.all("tag")).name)
        case "history":
            return verbs.history(name)
        case "usage":
            return verbs.usage(name)
        case _:
            return verbs.download_keys(name, value)
