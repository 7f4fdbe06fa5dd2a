"""Lines that do more than one operation: what they take besides its options, and which operations they carry out."""

from __future__ import annotations

from typing import Any, Protocol

from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Flag
from ci_magics.grammar.words import Word
from ci_magics.operations.declarations import Done, function_of

_WAYS = ("rest", "csv", "dataverse")
#: What the line of an export takes besides the options of `ci_magics.export`.
EXPORT = (
    Flag("--dry-run", "show the plan and send nothing"),
    Flag("--save", "keep it under this name instead, and send nothing", value="NAME", kind="export"),
    Flag("--run", "with --save: run at once what was saved"),
    Flag("--resume", "finish a run that was interrupted; nothing else is given then", value="RUN", kind="run"),
)
#: What the line of a segment takes besides the options of `ci_magics.segment`.
SEGMENT = (
    Flag("--from-insights", "segment of Customer Insights, instead of a frame", value="NAME", kind="insights segment"),
    Flag("--instance", "instance of Customer Insights (the only one)", value="NAME", kind="instance"),
    Flag("--via", "how its members are read (what suits their number)", value="WAY", choices=_WAYS),
    Flag("--wait", "wait for a refresh of it that is running in Customer Insights"),
)


class Carry(Protocol):
    """Carries out one operation with the arguments of a line."""

    def __call__(self, path: str, arguments: Arguments | None = None, **options: Any) -> Done:
        """Return the operation and its result."""


def export(arguments: Arguments, carry: Carry) -> Done:
    """Export, plan, save, or finish a run, as the line says.

    Parameters
    ----------
    arguments
        The parsed line.
    carry
        Carries out one operation.

    Raises
    ------
    ArgumentError
        Options contradict each other.
    """
    save, resume = arguments.given("save"), arguments.given("resume")
    if resume is not None:
        if arguments.words or set(arguments.options) - {"resume", "quiet", "json"}:
            raise ArgumentError("A run is resumed as it was planned.", "Write only --resume RUN.", code="resume_alone")
        return carry("runs.resume", _words(resume))
    if arguments.switch("dry_run"):
        if save is not None:
            raise ArgumentError(
                "Saving sends nothing, so there is nothing to try.",
                "Leave out --dry-run or --save.",
                code="save_dry_run",
            )
        return carry("plan")
    if save is None:
        return carry("export")
    kept = carry("exports.save", Arguments((Word(save, quoted=True), *arguments.words), arguments.options))
    return carry("exports.run", _words(save)) if arguments.switch("run") else kept


def segment(arguments: Arguments, carry: Carry, **around: Any) -> Done:
    """Make a segment of a frame or a rule, or of a segment of Customer Insights.

    Parameters
    ----------
    arguments
        The parsed line.
    carry
        Carries out one operation.
    around
        More arguments for Customer Insights, such as ``show``.

    Raises
    ------
    ArgumentError
        The line names no frame and no rule, or several sources.
    """
    if "from_insights" in arguments.options:
        return _from_insights(arguments, carry, around)
    if len(arguments.words) == 1 and "rule" not in arguments.options:
        raise ArgumentError(
            "A segment needs a frame, or a rule over earlier segments.", "See --help.", code="frame_missing"
        )
    return carry("segment")


def _from_insights(arguments: Arguments, carry: Carry, around: dict[str, Any]) -> Done:
    """Make a segment of one of Customer Insights; without a name, it keeps its own."""
    if len(arguments.words) > 1:
        raise ArgumentError(
            "Before --from-insights there is room for one name only, that of the new segment.",
            "Leave out the frame; quote a name with blanks.",
            code="insights_condition",
        )
    others = [f"--{name}" for name in ("where", "rule") if name in arguments.options]
    if others:
        raise ArgumentError(
            f"A segment of Customer Insights is taken as it is, so {others[0]} cannot be combined with it.",
            "Make it first, then make another one of it with --rule.",
            code="insights_condition",
        )
    source = function_of("insights")(arguments.given("instance"), **around)
    found = source.segment(arguments.given("from_insights"), via=arguments.given("via"), wait=arguments.switch("wait"))
    name = arguments.words or (Word(found.segment.label, quoted=True),)
    return carry("segment", Arguments(tuple(name), arguments.options), frame=found)


def _words(*texts: str) -> Arguments:
    return Arguments(tuple(Word(each, quoted=True) for each in texts))
