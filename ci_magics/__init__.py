"""Turn a customer DataFrame into a Microsoft Advertising Customer Match audience.

The names below are imported lazily, on first use, to keep `%load_ext` fast.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

import ci_magics.forking  # noqa: F401 - registers the fork hooks early
from ci_magics.discreet import discreet

__version__ = "0.2.0"

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ci_magics.activation.audiences.audience_list import audiences as audiences
    from ci_magics.activation.audiences.emulator_view import emulator_status as emulator_status
    from ci_magics.activation.audiences.emulator_view import reset_emulator as reset_emulator
    from ci_magics.activation.audiences.emulator_view import stop_emulator as stop_emulator
    from ci_magics.activation.comparison.experiment import compare_normalizations as compare_normalizations
    from ci_magics.activation.connect import connect as connect
    from ci_magics.activation.connect import withdraw_consents as withdraw_consents
    from ci_magics.activation.connections.accounts import list_accounts as list_accounts
    from ci_magics.activation.connections.connection_operations import choose_account as choose_account
    from ci_magics.activation.connections.connection_operations import edit_connection as edit_connection
    from ci_magics.activation.connections.connection_operations import sign_in_again as sign_in_again
    from ci_magics.activation.connections.connection_operations import sign_out as sign_out
    from ci_magics.activation.connections.connection_operations import signed_in_accounts as signed_in_accounts
    from ci_magics.activation.connections.sharing import share_connection as share_connection
    from ci_magics.activation.erasure.forget import forget as forget
    from ci_magics.activation.examination import doctor as doctor
    from ci_magics.activation.exports.batch import run_exports as run_exports
    from ci_magics.activation.exports.connection_removal import remove_connection as remove_connection
    from ci_magics.activation.exports.edits import edit_export as edit_export
    from ci_magics.activation.exports.export import export as export
    from ci_magics.activation.exports.history import export_history as export_history
    from ci_magics.activation.exports.history import export_run_details as export_run_details
    from ci_magics.activation.exports.history import show_export as show_export
    from ci_magics.activation.exports.listing import list_exports as list_exports
    from ci_magics.activation.exports.removal import remove_export as remove_export
    from ci_magics.activation.exports.saved_runs import run_export as run_export
    from ci_magics.activation.exports.saving import detach_export as detach_export
    from ci_magics.activation.exports.saving import duplicate_export as duplicate_export
    from ci_magics.activation.exports.schedule_settings import schedule_export as schedule_export
    from ci_magics.activation.exports.system_schedule import set_system_schedule as set_system_schedule
    from ci_magics.activation.exports.system_schedule import system_schedule as system_schedule
    from ci_magics.activation.plan import Plan as Plan
    from ci_magics.activation.plans.preview import preview as preview
    from ci_magics.activation.refreshes.refresh import refresh as refresh
    from ci_magics.activation.run import Run as Run
    from ci_magics.activation.runs.status import status as status
    from ci_magics.activation.segments.customer_insights.connect import insights as insights
    from ci_magics.activation.segments.differentiator_search import differentiators as differentiators
    from ci_magics.activation.segments.listing import list_segments as list_segments
    from ci_magics.activation.segments.make_segment import refresh_segment as refresh_segment
    from ci_magics.activation.segments.make_segment import segment as segment
    from ci_magics.activation.segments.overlap import overlap as overlap
    from ci_magics.activation.segments.segment_operations import activate_segment as activate_segment
    from ci_magics.activation.segments.segment_operations import delete_segment as delete_segment
    from ci_magics.activation.segments.segment_operations import download_keys as download_keys
    from ci_magics.activation.segments.segment_operations import duplicate_segment as duplicate_segment
    from ci_magics.activation.segments.segment_operations import end_suppression as end_suppression
    from ci_magics.activation.segments.segment_operations import rename_segment as rename_segment
    from ci_magics.activation.segments.segment_operations import segment_history as segment_history
    from ci_magics.activation.segments.segment_operations import segment_usage as segment_usage
    from ci_magics.activation.segments.segment_operations import suppress_segment as suppress_segment
    from ci_magics.activation.segments.segment_operations import tag_segment as tag_segment
    from ci_magics.activation.segments.versions import redo_segment as redo_segment
    from ci_magics.activation.segments.versions import segment_versions as segment_versions
    from ci_magics.activation.segments.versions import undo_segment as undo_segment
    from ci_magics.errors import CiError as CiError
    from ci_magics.matching.coverage import Coverage as Coverage
    from ci_magics.matching.normalize import normalize as normalize
    from ci_magics.segmentation.key_text import text_of_keys as text_of_keys
    from ci_magics.segmentation.quick.segments import quick_segments as quick_segments
    from ci_magics.segmentation.rules.counts import inspect_rules as inspect_rules
    from ci_magics.segmentation.rules.rule import Rule as Rule
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
    "Rule": "segmentation.rules.rule",
    "Run": "activation.run",
    "Segment": "segmentation.segment",
    "activate_segment": "activation.segments.segment_operations",
    "audiences": "activation.audiences.audience_list",
    "choose_account": "activation.connections.connection_operations",
    "compare_normalizations": "activation.comparison.experiment",
    "connect": "activation.connect",
    "delete_segment": "activation.segments.segment_operations",
    "detach_export": "activation.exports.saving",
    "differentiators": "activation.segments.differentiator_search",
    "doctor": "activation.examination",
    "download_keys": "activation.segments.segment_operations",
    "duplicate_export": "activation.exports.saving",
    "duplicate_segment": "activation.segments.segment_operations",
    "edit_connection": "activation.connections.connection_operations",
    "edit_export": "activation.exports.edits",
    "emulator_status": "activation.audiences.emulator_view",
    "end_suppression": "activation.segments.segment_operations",
    "export": "activation.exports.export",
    "export_history": "activation.exports.history",
    "export_run_details": "activation.exports.history",
    "forget": "activation.erasure.forget",
    "insights": "activation.segments.customer_insights.connect",
    "inspect_rules": "segmentation.rules.counts",
    "list_exports": "activation.exports.listing",
    "list_accounts": "activation.connections.accounts",
    "list_segments": "activation.segments.listing",
    "normalize": "matching.normalize",
    "open_workspace": "workspace.store",
    "overlap": "activation.segments.overlap",
    "preview": "activation.plans.preview",
    "quick_segments": "segmentation.quick.segments",
    "text_of_keys": "segmentation.key_text",
    "redo_segment": "activation.segments.versions",
    "refresh": "activation.refreshes.refresh",
    "refresh_segment": "activation.segments.make_segment",
    "remove_connection": "activation.exports.connection_removal",
    "remove_export": "activation.exports.removal",
    "rename_segment": "activation.segments.segment_operations",
    "reset_emulator": "activation.audiences.emulator_view",
    "run_export": "activation.exports.saved_runs",
    "run_exports": "activation.exports.batch",
    "schedule_export": "activation.exports.schedule_settings",
    "segment": "activation.segments.make_segment",
    "segment_history": "activation.segments.segment_operations",
    "segment_usage": "activation.segments.segment_operations",
    "segment_versions": "activation.segments.versions",
    "set_system_schedule": "activation.exports.system_schedule",
    "share_connection": "activation.connections.sharing",
    "show_export": "activation.exports.history",
    "sign_in_again": "activation.connections.connection_operations",
    "sign_out": "activation.connections.connection_operations",
    "signed_in_accounts": "activation.connections.connection_operations",
    "status": "activation.runs.status",
    "stop_emulator": "activation.audiences.emulator_view",
    "suppress_segment": "activation.segments.segment_operations",
    "system_schedule": "activation.exports.system_schedule",
    "tag_segment": "activation.segments.segment_operations",
    "undo_segment": "activation.segments.versions",
    "withdraw_consents": "activation.connect",
}

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension", *_HOMES]


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
