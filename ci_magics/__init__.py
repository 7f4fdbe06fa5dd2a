"""Turn a customer DataFrame into a Microsoft Advertising Customer Match audience.

The names below are imported lazily, on first use, to keep `%load_ext` fast.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

import ci_magics.forking  # noqa: F401 - registers the fork hooks early
from ci_magics.discreet import discreet

if TYPE_CHECKING:  # the same names as in `_HOMES`; a test compares them
    from IPython.core.interactiveshell import InteractiveShell

    from ci_magics.activation.audiences.audience_list import audiences as audiences
    from ci_magics.activation.comparison.experiment import compare_normalizations as compare_normalizations
    from ci_magics.activation.connect import connect as connect
    from ci_magics.activation.erasure.forget import forget as forget
    from ci_magics.activation.examination import doctor as doctor
    from ci_magics.activation.plan import Plan as Plan
    from ci_magics.activation.plans.preview import preview as preview
    from ci_magics.activation.refreshes.refresh import refresh as refresh
    from ci_magics.activation.retention import purge as purge
    from ci_magics.activation.run import Run as Run
    from ci_magics.activation.runs.status import status as status
    from ci_magics.activation.segments.customer_insights.connect import insights as insights
    from ci_magics.activation.segments.differentiators import differentiators as differentiators
    from ci_magics.activation.segments.make_segment import segment as segment
    from ci_magics.activation.segments.overlap import overlap as overlap
    from ci_magics.errors import AccessError as AccessError
    from ci_magics.errors import ArgumentError as ArgumentError
    from ci_magics.errors import CiError as CiError
    from ci_magics.errors import ConnectionSetupError as ConnectionSetupError
    from ci_magics.errors import ConsentError as ConsentError
    from ci_magics.errors import ExportRefusedError as ExportRefusedError
    from ci_magics.errors import ExportStoppedError as ExportStoppedError
    from ci_magics.errors import NotFoundError as NotFoundError
    from ci_magics.errors import OutcomeUnknownError as OutcomeUnknownError
    from ci_magics.errors import SegmentError as SegmentError
    from ci_magics.errors import ServiceError as ServiceError
    from ci_magics.errors import SignInError as SignInError
    from ci_magics.errors import SignInUnreachableError as SignInUnreachableError
    from ci_magics.errors import UnreachableError as UnreachableError
    from ci_magics.errors import WorkspaceError as WorkspaceError
    from ci_magics.matching.coverage import Coverage as Coverage
    from ci_magics.matching.normalize import normalize as normalize
    from ci_magics.operations.connections import connections as connections
    from ci_magics.operations.emulator import emulator as emulator
    from ci_magics.operations.exporting import export as export
    from ci_magics.operations.exporting import plan as plan
    from ci_magics.operations.exports import exports as exports
    from ci_magics.operations.notifications import notifications as notifications
    from ci_magics.operations.roles import roles as roles
    from ci_magics.operations.runs import runs as runs
    from ci_magics.operations.segments import segments as segments
    from ci_magics.operations.workspaces import audit as audit
    from ci_magics.operations.workspaces import open_workspace as open_workspace
    from ci_magics.preferences import options as options
    from ci_magics.segmentation.key_text import text_of_keys as text_of_keys
    from ci_magics.segmentation.quick.segments import quick_segments as quick_segments
    from ci_magics.segmentation.rules.counts import inspect_rules as inspect_rules
    from ci_magics.segmentation.rules.rule import Rule as Rule
    from ci_magics.segmentation.segment import Segment as Segment
    from ci_magics.version import __version__ as __version__
    from ci_magics.workspace.export_models import Export as Export
    from ci_magics.workspace.models import Connection as Connection

#: The public names by the module that has them.
_NAMES = {
    "activation.audiences.audience_list": "audiences",
    "activation.comparison.experiment": "compare_normalizations",
    "activation.connect": "connect",
    "activation.erasure.forget": "forget",
    "activation.examination": "doctor",
    "activation.plan": "Plan",
    "activation.plans.preview": "preview",
    "activation.refreshes.refresh": "refresh",
    "activation.retention": "purge",
    "activation.run": "Run",
    "activation.runs.status": "status",
    "activation.segments.customer_insights.connect": "insights",
    "activation.segments.differentiators": "differentiators",
    "activation.segments.overlap": "overlap",
    "activation.segments.make_segment": "segment",
    "errors": "AccessError ArgumentError CiError ConnectionSetupError ConsentError ExportRefusedError "
    "ExportStoppedError NotFoundError OutcomeUnknownError SegmentError ServiceError SignInError "
    "SignInUnreachableError UnreachableError WorkspaceError",
    "matching.coverage": "Coverage",
    "matching.normalize": "normalize",
    "operations.connections": "connections",
    "operations.emulator": "emulator",
    "operations.exporting": "export plan",
    "operations.exports": "exports",
    "operations.notifications": "notifications",
    "operations.roles": "roles",
    "operations.runs": "runs",
    "operations.segments": "segments",
    "operations.workspaces": "audit open_workspace",
    "preferences": "options",
    "segmentation.key_text": "text_of_keys",
    "segmentation.quick.segments": "quick_segments",
    "segmentation.rules.counts": "inspect_rules",
    "segmentation.rules.rule": "Rule",
    "segmentation.segment": "Segment",
    "version": "__version__",
    "workspace.export_models": "Export",
    "workspace.models": "Connection",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = ["load_ipython_extension", "unload_ipython_extension", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ci_magics' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"ci_magics.{_HOMES[name]}"), name)
    if inspect.isfunction(value):
        value = discreet(value)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the magics to a notebook: ``%load_ext ci_magics``."""
    from ci_magics.notebook.magics import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Remove the magics from a notebook: ``%unload_ext ci_magics``."""
    from ci_magics.notebook.magics import unload

    unload(ipython)
