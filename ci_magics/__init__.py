"""Turn a customer DataFrame into a Microsoft Advertising Customer Match audience.

The names below are imported when they are first used, so that loading the extension stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ci_magics.activation.accounts import list_accounts as list_accounts
    from ci_magics.activation.audiences import audiences as audiences
    from ci_magics.activation.comparison import compare_normalizations as compare_normalizations
    from ci_magics.activation.connection_removal import remove_connection as remove_connection
    from ci_magics.activation.connection_verbs import choose_account as choose_account
    from ci_magics.activation.connection_verbs import edit_connection as edit_connection
    from ci_magics.activation.connection_verbs import sign_in_again as sign_in_again
    from ci_magics.activation.connection_verbs import sign_out as sign_out
    from ci_magics.activation.connection_verbs import signed_in_accounts as signed_in_accounts
    from ci_magics.activation.connections import connect as connect
    from ci_magics.activation.consenting import withdraw_consents as withdraw_consents
    from ci_magics.activation.customer_insights.opening import insights as insights
    from ci_magics.activation.differentiating import differentiators as differentiators
    from ci_magics.activation.examination import doctor as doctor
    from ci_magics.activation.export_edits import edit_export as edit_export
    from ci_magics.activation.export_history import export_history as export_history
    from ci_magics.activation.export_history import export_run_details as export_run_details
    from ci_magics.activation.export_history import show_export as show_export
    from ci_magics.activation.export_list import list_exports as list_exports
    from ci_magics.activation.export_removal import remove_export as remove_export
    from ci_magics.activation.export_runs import run_export as run_export
    from ci_magics.activation.export_schedules import schedule_export as schedule_export
    from ci_magics.activation.exports import export as export
    from ci_magics.activation.forgetting import forget as forget
    from ci_magics.activation.overlap import overlap as overlap
    from ci_magics.activation.plan import Plan as Plan
    from ci_magics.activation.previews import preview as preview
    from ci_magics.activation.refreshing import refresh as refresh
    from ci_magics.activation.run import Run as Run
    from ci_magics.activation.saved_exports import detach_export as detach_export
    from ci_magics.activation.saved_exports import duplicate_export as duplicate_export
    from ci_magics.activation.segment_list import list_segments as list_segments
    from ci_magics.activation.segment_verbs import activate_segment as activate_segment
    from ci_magics.activation.segment_verbs import delete_segment as delete_segment
    from ci_magics.activation.segment_verbs import download_keys as download_keys
    from ci_magics.activation.segment_verbs import duplicate_segment as duplicate_segment
    from ci_magics.activation.segment_verbs import end_suppression as end_suppression
    from ci_magics.activation.segment_verbs import rename_segment as rename_segment
    from ci_magics.activation.segment_verbs import segment_history as segment_history
    from ci_magics.activation.segment_verbs import segment_usage as segment_usage
    from ci_magics.activation.segment_verbs import suppress_segment as suppress_segment
    from ci_magics.activation.segment_verbs import tag_segment as tag_segment
    from ci_magics.activation.segments import refresh_segment as refresh_segment
    from ci_magics.activation.segments import segment as segment
    from ci_magics.activation.several_exports import run_exports as run_exports
    from ci_magics.activation.sharing import share_connection as share_connection
    from ci_magics.activation.status import status as status
    from ci_magics.activation.system_schedule import set_system_schedule as set_system_schedule
    from ci_magics.activation.system_schedule import system_schedule as system_schedule
    from ci_magics.errors import CiError as CiError
    from ci_magics.matching.coverage import Coverage as Coverage
    from ci_magics.matching.normalize import normalize as normalize
    from ci_magics.segmentation.quick import quick_segments as quick_segments
    from ci_magics.segmentation.rule_counts import inspect_rules as inspect_rules
    from ci_magics.segmentation.rules import Rule as Rule
    from ci_magics.segmentation.segment import Segment as Segment
    from ci_magics.workspace.export_models import Export as Export
    from ci_magics.workspace.models import Connection as Connection
    from ci_magics.workspace.store import open_workspace as open_workspace

_HOMES = {
    "CiError": "errors",
    "Connection": "workspace.models",
    "Coverage": "matching.coverage",
    "Export": "workspace.export_models",
    "Plan": "activation.plan",
    "Rule": "segmentation.rules",
    "Run": "activation.run",
    "Segment": "segmentation.segment",
    "activate_segment": "activation.segment_verbs",
    "audiences": "activation.audiences",
    "choose_account": "activation.connection_verbs",
    "compare_normalizations": "activation.comparison",
    "connect": "activation.connections",
    "delete_segment": "activation.segment_verbs",
    "detach_export": "activation.saved_exports",
    "differentiators": "activation.differentiating",
    "doctor": "activation.examination",
    "download_keys": "activation.segment_verbs",
    "duplicate_export": "activation.saved_exports",
    "duplicate_segment": "activation.segment_verbs",
    "edit_connection": "activation.connection_verbs",
    "edit_export": "activation.export_edits",
    "end_suppression": "activation.segment_verbs",
    "export": "activation.exports",
    "export_history": "activation.export_history",
    "export_run_details": "activation.export_history",
    "forget": "activation.forgetting",
    "insights": "activation.customer_insights.opening",
    "inspect_rules": "segmentation.rule_counts",
    "list_exports": "activation.export_list",
    "list_accounts": "activation.accounts",
    "list_segments": "activation.segment_list",
    "normalize": "matching.normalize",
    "open_workspace": "workspace.store",
    "overlap": "activation.overlap",
    "preview": "activation.previews",
    "quick_segments": "segmentation.quick",
    "refresh": "activation.refreshing",
    "refresh_segment": "activation.segments",
    "remove_connection": "activation.connection_removal",
    "remove_export": "activation.export_removal",
    "rename_segment": "activation.segment_verbs",
    "run_export": "activation.export_runs",
    "run_exports": "activation.several_exports",
    "schedule_export": "activation.export_schedules",
    "segment": "activation.segments",
    "segment_history": "activation.segment_verbs",
    "segment_usage": "activation.segment_verbs",
    "set_system_schedule": "activation.system_schedule",
    "share_connection": "activation.sharing",
    "show_export": "activation.export_history",
    "sign_in_again": "activation.connection_verbs",
    "sign_out": "activation.connection_verbs",
    "signed_in_accounts": "activation.connection_verbs",
    "status": "activation.status",
    "suppress_segment": "activation.segment_verbs",
    "system_schedule": "activation.system_schedule",
    "tag_segment": "activation.segment_verbs",
    "withdraw_consents": "activation.consenting",
}

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ci_magics' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"ci_magics.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the magics to a notebook: ``%load_ext ci_magics``."""
    from ci_magics.notebook.magics import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Take the magics out again."""
    from ci_magics.notebook.magics import unload

    unload(ipython)
