"""All magics. Those of an operation or a noun are derived from its declaration; the others have a file of their own."""

from __future__ import annotations

from typing import Any

from ci_magics.notebook import config_magic, segment_cell_magic
from ci_magics.notebook.call import Call, Magic
from ci_magics.notebook.names import values_of
from ci_magics.notebook.noun_magic import noun_magic
from ci_magics.notebook.operation_magic import operation_magic
from ci_magics.operations import lines


def _connect_form() -> Any:
    from ci_magics.notebook.forms.connect import ConnectForm
    from ci_magics.notebook.forms.restoring import restored

    return restored(ConnectForm)


def _segment_form() -> Any:
    from ci_magics.notebook.forms.restoring import notebook_variables, restored
    from ci_magics.notebook.forms.segment import SegmentForm

    return restored(SegmentForm, lambda: SegmentForm(variables=notebook_variables()))


def _coverage_form() -> Any:
    from ci_magics.notebook.forms.coverage import CoverageForm
    from ci_magics.notebook.forms.restoring import restored

    return restored(CoverageForm)


def _export_form() -> Any:
    from ci_magics.notebook.forms.export import ExportForm
    from ci_magics.notebook.forms.restoring import restored

    return restored(ExportForm)


def _exports_panel() -> Any:
    from ci_magics.notebook.forms.exports import ExportsForm
    from ci_magics.notebook.forms.restoring import restored

    return restored(ExportsForm)


def _segment(call: Call) -> Any:
    given = call.arguments.given
    parameters = values_of(given("where"), given("rule"), call.variables)

    def carry(path: str, arguments: Any = None, **options: Any) -> Any:
        return call.carry_out(path, arguments, parameters=parameters, **options)

    return lines.segment(call.arguments, carry, show=call.say)


def _export(call: Call) -> Any:
    return lines.export(call.arguments, call.carry_out)


def _doctor(call: Call) -> Any:
    from ci_magics.notebook.front_end import examined, front_end

    return call.carry_out("doctor", front_end=examined(front_end()))


MAGICS: tuple[Magic, ...] = (
    operation_magic("connect", form=_connect_form),
    operation_magic("insights"),
    operation_magic("segment", *lines.SEGMENT, without=("database",), form=_segment_form, work=_segment),
    segment_cell_magic.MAGIC,
    operation_magic("preview", form=_coverage_form),
    operation_magic("export", *lines.EXPORT, form=_export_form, work=_export),
    operation_magic("plan"),
    operation_magic("status"),
    operation_magic("overlap"),
    operation_magic("refresh"),
    operation_magic("doctor", work=_doctor),
    operation_magic("forget"),
    operation_magic("purge"),
    operation_magic("audit"),
    noun_magic("connections"),
    noun_magic("segments"),
    noun_magic("exports", panel=_exports_panel),
    noun_magic("runs"),
    noun_magic("audiences"),
    noun_magic("roles"),
    noun_magic("notifications"),
    noun_magic("emulator"),
    config_magic.MAGIC,
)
