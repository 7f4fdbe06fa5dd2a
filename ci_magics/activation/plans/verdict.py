"""The verdict of a plan: whether the export would go through, and if not, why and what to do."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.plans.guards import Guard
from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import signed
from ci_magics.display.numbers import clean
from ci_magics.errors import CiError, ExportRefusedError

State = Literal["Ready", "Warning", "Blocked"]
READY: State = "Ready"
WARNING: State = "Warning"
BLOCKED: State = "Blocked"
_COLORS = {
    READY: "var(--jp-success-color0, #1a7f37)",
    WARNING: "var(--jp-warn-color0, #9a6700)",
    BLOCKED: "var(--jp-error-color0, #b3261e)",
}


class Finding(BaseModel):
    """The finding of a check.

    Parameters
    ----------
    code
        The short name of the case, or Microsoft's number; the same as in the error that the export raises.
    sentence, next_step
        What was found, and what to do.
    stops
        True if it stops the export or one audience; False for a warning.
    audience
        The audience it is about; empty for the whole export.
    """

    model_config = ConfigDict(frozen=True)

    code: int | str | None
    sentence: str
    next_step: str = ""
    stops: bool = True
    audience: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.next_step}".strip()

    @property
    def mark(self) -> str:
        """The sign in front of it in a list."""
        return "x" if self.stops else "!"

    def refusal(self) -> ExportRefusedError:
        """Return the error that stops the export for this reason."""
        return ExportRefusedError(self.sentence, self.next_step, code=self.code)


class Verdict(Displayable, BaseModel):
    """Whether an export would go through.

    Parameters
    ----------
    state
        ``Ready``: it would be sent as planned. ``Warning``: it would be sent, but read the findings first; some
        audiences may be skipped. ``Blocked``: it would be refused and nothing would be sent.
    findings
        What the checks found. The first one that stops a blocked export is the error that the export would raise.
    not_checked
        What could not be checked because an earlier check failed.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[str, ...] = ()

    @property
    def blocked(self) -> bool:
        """Whether nothing would be sent."""
        return self.state == BLOCKED

    @property
    def reason(self) -> Finding | None:
        """The first finding that stops something."""
        return next((each for each in self.findings if each.stops), None)

    def lines(self) -> list[str]:
        """Return the findings, each with its sign and its fix, then what was not checked; empty if all is well."""
        return self._lines(str)

    def _lines(self, as_shown: Callable[[str], str]) -> list[str]:
        lines = [f"{as_shown(each.mark)} {each}" for each in self.findings]
        return [*lines, f"Not checked yet: {', '.join(self.not_checked)}."] if self.not_checked else lines

    def to_dict(self) -> dict[str, Any]:
        """Return the state and the findings."""
        return self.model_dump(mode="json")

    def __repr__(self) -> str:
        return "\n".join([self.state, *(f"  {line}" for line in self.lines())])

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        lines = "".join(f"<div>{html.escape(clean(line))}</div>" for line in self._lines(signed))
        return f"<div><b style='color:{_COLORS[self.state]}'>{self.state}</b></div>{lines}"


def verdict_of(
    findings: Iterable[Finding], *, audiences: int, stopped: int, not_checked: Iterable[str] = ()
) -> Verdict:
    """Return the verdict that follows from findings.

    Parameters
    ----------
    findings
        The findings, in the order of the checks.
    audiences
        Number of planned audiences.
    stopped
        Number of these that would be skipped; if all are, nothing is sent.
    not_checked
        What could not be checked.
    """
    found = tuple(findings)
    whole_export = any(each.stops and not each.audience for each in found)
    if whole_export or (audiences and stopped == audiences):
        state = BLOCKED
    else:
        state = WARNING if found else READY
    return Verdict(state=state, findings=found, not_checked=tuple(not_checked))


def finding_of(found: CiError | Guard, audience: str = "") -> Finding:
    """Convert an error or a guard to a finding.

    Parameters
    ----------
    found
        The error or guard.
    audience
        The audience it is about; empty for the whole export.
    """
    return Finding(
        code=found.code,
        sentence=found.sentence,
        next_step=str(found.next_step),
        stops=found.stops if isinstance(found, Guard) else True,
        audience=audience,
    )
