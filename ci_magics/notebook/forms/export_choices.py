"""The fields of an export: their choices, and the arguments that follow from them."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

import ci_magics as ci
from ci_magics.activation.connections.services import open_services
from ci_magics.activation.plan import Plan
from ci_magics.activation.segments.consents import consent_of
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError
from ci_magics.grammar.operation import Parameter
from ci_magics.notebook.forms.code_text import Code, code_of
from ci_magics.notebook.forms.fields import column, dropdown, field_of, nothing_chosen, offer, show
from ci_magics.notebook.forms.picker import Picker
from ci_magics.operations.declarations import declaration
from ci_magics.operations.exports import Exports
from ci_magics.workspace.access import nothing_shared
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

EVERYBODY = ""
AS_CHOSEN = "(as chosen)"
#: The choice that ignores consent.
ALL_PROFILES = "All profiles, those who refused too"
#: Options with a field of their own, or that the form does without.
_OTHERWISE = {
    *("email", "url", "customer_id", "account_id", "to"),
    *("consent", "consent_yes", "ignore_consent", "mode", "exclude"),
}


class ExportChoices:
    """The fields of an export.

    Parameters
    ----------
    workspace
        Holds segments and connections.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        export = declaration("export")
        self.connection = dropdown(export["to"].label, [], "connection")
        self.segments = Picker("Segments", "segments", empty="There is no segment yet.")
        self.email = widgets.HTML()
        self.consent = dropdown(export["consent"].label, [], "consent")
        self.exclude = Picker(export["exclude"].label, "exclude", empty="There is no other segment.", most=5)
        self.mode = field_of(export["mode"], "mode")
        self.options_shown = {
            each.name: field_of(each, each.name.replace("_", "-"))
            for each in export.options
            if each.name not in _OTHERWISE
        }
        self.audience = self.options_shown["audience"]
        self.more = column(*self.options_shown.values(), self.exclude, name="more")

    def fields(self) -> dict[str, Any]:
        """Return the fields by the parameter names of the public function; earlier ones affect later ones."""
        return {
            "connection": self.connection,
            "segments": self.segments,
            "consent": self.consent,
            "mode": self.mode,
            **self.options_shown,
            "exclude": self.exclude,
        }

    def refresh(self) -> None:
        """Reload segments and connections."""
        records = [each for each in self._workspace.segments if not each.suppresses]
        offer(self.connection, [(_connection_label(each), each.name) for each in self._workspace.connections])
        self.segments.options = [(_segment_label(each), each.name) for each in records]
        self.exclude.options = [(f"Leave out {_segment_label(each)}", each.name) for each in records]
        self.segments_changed()

    def segments_changed(self) -> None:
        """Offer consent choices if the consents of the segments are undecided; the safest choice comes first."""
        records = self._chosen()
        known = [consent_of(each) for each in records]
        undecided = [each for each in known if each.known and (each.refused + each.unknown or not each.consented)]
        common = [each for each in (known[0].columns if known else ()) if all(each in one.columns for one in known)]
        asked = list(dict.fromkeys(value for each in known for value in each.asked))
        choices: list[tuple[str, Any]] = []
        if undecided and common:
            choices += [(f"Only profiles whose {common[0]} is '{each}'", f"={each}") for each in asked]
            choices += [(f"Only profiles that agreed by {each}", each) for each in ([] if asked else common)]
        elif undecided and all(each.decided for each in undecided):
            choices += [("Only profiles that agreed, as chosen for their sources", AS_CHOSEN)]
        choices += [(ALL_PROFILES, EVERYBODY)] if undecided else []
        offer(self.consent, choices)
        show(self.consent, bool(choices))
        emails = sorted({each.definition["email"] for each in records})
        self.email.value = f"<small>E-mail column: {_escaped(', '.join(emails))}</small>" if emails else ""

    def options(self) -> dict[str, Any]:
        """Return the arguments of the public function except segments and connection; defaults are None.

        Raises
        ------
        ArgumentError
            A typed value is not valid.
        """
        consent = self.consent.value or ""
        explained = consent.startswith("=")
        column = None if explained or consent == AS_CHOSEN else consent or None
        export = declaration("export")
        fields = {"mode": self.mode, **self.options_shown}
        return {
            **{name: _value(export[name], field.value) for name, field in fields.items()},
            "consent": column,
            "consent_yes": [consent[1:]] if explained else [],
            "ignore_consent": consent == EVERYBODY and bool(self.consent.options),
            "exclude": list(self.exclude.value),
        }

    def arguments(self) -> dict[str, Any]:
        """Return `options` without those that are not given."""
        return {name: value for name, value in self.options().items() if value not in (None, False, [])}

    def require(self) -> None:
        """Require segments and a connection.

        Raises
        ------
        ArgumentError
            Segments or the connection are not chosen yet.
        """
        if not self.connection.options and len(self._workspace.all_connections):
            raise nothing_shared()
        if not self.connection.value:
            raise nothing_chosen("connection", self.connection.options, "Make one with the form %ci_connect.")
        if not self.segments.value:
            raise nothing_chosen("segment", self.segments.options, "Make one with the form %ci_segment.")

    def plan(self, show: Callable[[str], None]) -> Plan:
        """Return the plan of the export; sends nothing."""
        return ci.plan(*self.segments.value, **self._arguments(show), workspace=self._workspace)

    def save(self, name: str, show: Callable[[str], None]) -> Export:
        """Save the export; sends nothing.

        Parameters
        ----------
        name
            The export's name.
        show
            Receives sentences to show.
        """
        return Exports(self._workspace).save(name, *self.segments.value, **self._arguments(show))

    def look_up_audiences(self, show: Callable[[str], None]) -> list[str]:
        """Offer the account's Customer Match lists and return their names."""
        connection = self._workspace.connections[self.connection.value or ""]
        services = open_services(self._workspace, connection, show=show)
        names = [each.name for each in services.advertising.audiences()]
        self.audience.options = tuple(names)
        return names

    def code(self, *, save: str | None = None) -> Code:
        """Return the export, or the saving of it if ``save`` is a name, as a magic and as a Python call."""
        options, names = {"to": self.connection.value, **self.options()}, self.segments.value
        if save is not None:
            return code_of("exports.save", [save, *names], options)
        return code_of("export", names, options)

    def _arguments(self, show: Callable[[str], None]) -> dict[str, Any]:
        return {"to": self.connection.value, "show": show, **self.arguments()}

    def _chosen(self) -> list[SegmentRecord]:
        found = [self._workspace.segments.get(name) for name in self.segments.value]
        return [each for each in found if each is not None]


def _segment_label(record: SegmentRecord) -> str:
    aside = "" if record.active else ", inactive"
    return f"{record.name} ({pluralize(record.rows, 'profile')}{aside})"


def _connection_label(connection: Any) -> str:
    return f"{connection.name}: {connection.environment}, {connection.account_name or connection.account_id}"


def _value(parameter: Parameter, typed: Any) -> Any:
    """Return the value of a field; None for the default."""
    value = typed.strip() if isinstance(typed, str) else typed
    if value in ("", parameter.default):
        return None
    return _number(parameter, value) if parameter.type == "number" else value


def _number(parameter: Parameter, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(
            f"{parameter.label} is not a whole number.",
            f"Use {parameter.option.help}, or nothing.",
            code=parameter.name,
        ) from None


def _escaped(text: str) -> str:
    return html.escape(text)
