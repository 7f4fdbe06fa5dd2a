"""``ci.plan`` and ``ci.export``: what an export would do, and the export itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Unpack

from ci_magics.activation.exports.export import export_segments, plan_export
from ci_magics.activation.plan import Plan
from ci_magics.activation.plans.export_options import ExportKeywords
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.display.output import announce
from ci_magics.grammar.keywords import takes
from ci_magics.grammar.operation import operation
from ci_magics.grammar.shared import CONNECTION, SEGMENT
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import WorkspaceLike, store_of


@takes(ExportKeywords)
@operation(
    Verb.PLAN_EXPORT,
    example='"Big spenders" --to "Contoso EU" --dry-run\n"Big spenders" --to "Contoso EU"',
    changes=False,
)
def plan(
    *segments: Annotated[Segment | str, SEGMENT],
    to: Annotated[Connection | str | None, CONNECTION] = None,
    show: Callable[[str], None] = announce,
    workspace: WorkspaceLike | None = None,
    **options: Unpack[ExportKeywords],
) -> Plan:
    """Return what an export would do, and send nothing.

    The plan makes every check of the export, and its ``verdict`` says whether the export would succeed. Without both
    consents it sends no request to Microsoft. `Plan.apply` carries it out.

    Parameters
    ----------
    segments, to, show, workspace
        As in `ci_magics.export`.
    options
        See `ExportKeywords`.

    Raises
    ------
    ArgumentError
        An option is not valid, or there is no segment or no connection.
    NotFoundError
        A segment or the connection does not exist.
    """
    return plan_export(store_of(workspace), segments, to, options, show)


@takes(ExportKeywords)
@operation(Verb.RUN_EXPORT, example='"Big spenders" --to "Contoso EU" --dry-run\n"Big spenders" --to "Contoso EU"')
def export(
    *segments: Annotated[Segment | str, SEGMENT],
    to: Annotated[Connection | str | None, CONNECTION] = None,
    progress: Reporter = silent,
    show: Callable[[str], None] = announce,
    workspace: WorkspaceLike | None = None,
    **options: Unpack[ExportKeywords],
) -> Run:
    """Send segments to Microsoft Advertising, each to the audience of the same name.

    A new audience is created and filled. For an audience that was filled from this workspace before, only the changes
    are sent. An interrupted run on the same audience is finished first. `ci_magics.plan` shows what would be sent, and
    ``ci.exports.save`` saves the same for later.

    Parameters
    ----------
    segments
        Segments or their names.
    to
        Connection or its name.
    progress
        Called with the progress of the run; silent by default.
    show
        Called with each message for the user, such as a sign-in code.
    workspace
        Workspace to use; None opens the default one.
    options
        See `ExportKeywords`.

    Raises
    ------
    ArgumentError
        An option is not valid, or there is no segment or no connection.
    ExportRefusedError
        A guard stopped the export; nothing was sent.
    ConsentError
        A consent is missing; nothing was sent.
    ExportStoppedError
        The user stopped the export; the error says how to finish it.
    ServiceError
        Microsoft returned an error; the message has the code and the TrackingId.
    """
    return export_segments(store_of(workspace), segments, to, options, progress=progress, show=show)
