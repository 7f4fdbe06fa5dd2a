"""The fields of a segment except its rule: name, source, columns, and static or dynamic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.fields import dropdown, entry, field_of, offer, show
from ci_magics.notebook.forms.picker import Picker
from ci_magics.notebook.forms.segment_source import SegmentSource, frames_to_choose, size_of
from ci_magics.operations.declarations import declaration
from ci_magics.segmentation.consent.columns import consent_columns
from ci_magics.segmentation.sources.files import USUAL_ENCODINGS, Encoded, is_query
from ci_magics.segmentation.sources.streams import is_path

FILES = "(files)"
SEGMENTS = "(earlier segments)"
INSIGHTS = "(Customer Insights)"
_FOUND = ""


class SegmentFields:
    """The name, the source and the columns of a segment.

    Parameters
    ----------
    variables
        A live view of the notebook's variables.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables
        self._opened: tuple[Any, str | None, SegmentSource] | None = None
        segment = declaration("segment")
        self.name = field_of(segment["name"], "name")
        self.source = dropdown("Source", [], "source")
        self.path = entry("Files", "path", hint="customers.parquet, or customers-*.csv")
        self.path.continuous_update = False
        self.encoding = field_of(segment["encoding"], "encoding")
        self.encoding.options = ("utf-8", *USUAL_ENCODINGS)
        self.encoding.continuous_update = False
        self.instance = dropdown("Instance", [], "instance")
        self.there = dropdown("Segment there", [], "there")
        self.email = dropdown(segment["email"].label, [], "email")
        self.key = dropdown(segment["key"].label, [], "key")
        self.consent = dropdown(segment["consent"].label, [], "consent")
        self.consent_yes = Picker(segment["consent_yes"].label, "consent-yes", empty="All values are understood.")
        self.keep = dropdown("Keep it", [], "keep")
        self.note = widgets.HTML()

    def fields(self) -> dict[str, Any]:
        """Return the fields by name. Set them in order: earlier ones affect the choices of later ones."""
        return {
            "name": self.name,
            "source": self.source,
            "path": self.path,
            "encoding": self.encoding,
            "instance": self.instance,
            "from_insights": self.there,
            "email": self.email,
            "key": self.key,
            "consent": self.consent,
            "consent_yes": self.consent_yes,
            "keep": self.keep,
        }

    def offer_sources(self, *, earlier: bool, instances: Sequence[str] = ()) -> None:
        """Offer the notebook's frames and files, and earlier segments and Customer Insights if there are any.

        Parameters
        ----------
        earlier
            Whether there are earlier segments.
        instances
            The names of the known Customer Insights instances.
        """
        frames = frames_to_choose(self.variables)
        choices = [(_frame_label(name, frame), name) for name, frame in frames.items()]
        choices += [("files: CSV, Parquet or Excel", FILES)]
        choices += [("earlier segments alone", SEGMENTS)] if earlier else []
        choices += [("a segment of Customer Insights", INSIGHTS)] if instances else []
        offer(self.source, choices)
        offer(self.instance, [(each, each) for each in instances])

    def open(self) -> SegmentSource | None:
        """Return the chosen source; None for earlier segments alone, or before files are named.

        Raises
        ------
        SegmentError
            It cannot be read.
        """
        frame = self.frame()
        if frame is None:
            return None
        encoding = self._encoding()
        if self._opened is None or self._opened[0] is not frame or self._opened[1] != encoding:
            self._opened = (frame, encoding, SegmentSource(frame if encoding is None else Encoded(frame, encoding)))
        return self._opened[2]

    def frame(self) -> Any:
        """Return the chosen frame or path; None for earlier segments alone.

        Raises
        ------
        ArgumentError
            The typed text is not a path of files.
        """
        if self.source.value == FILES:
            path = self.path.value.strip()
            if path and not is_path(path):
                raise _not_a_path(path)
            return self._same(path) if path else None
        return self.variables.get(self.source.value) if self.source.value not in (SEGMENTS, INSIGHTS) else None

    def _same(self, path: str) -> str:
        """Return the same string object as when the path was opened, so that `open` does not open it again."""
        opened = self._opened[0] if self._opened else None
        return opened if isinstance(opened, str) and opened == path else path

    def _encoding(self) -> str | None:
        """Return the encoding chosen for files."""
        return (self.encoding.value.strip() or None) if self.source.value == FILES else None

    def source_changed(self, source: SegmentSource | None) -> None:
        """Offer the columns of a source, and whether its segment can be static or dynamic."""
        for each in (self.path, self.encoding):
            show(each, self.source.value == FILES)
        for each in (self.instance, self.there):
            show(each, self.source.value == INSIGHTS)
        columns = source.columns if source else []
        known = source.email if source else None
        others = [(column, column) for column in columns if column != known]
        offer(
            self.email, [(f"{known} (found by its name)", known), *others] if known else [("choose one", None), *others]
        )
        keys = source.keys if source else []
        found = f"found by its name: {keys[0]}, if unique" if keys else "none: profiles are known by their row"
        offer(self.key, [(found, _FOUND), *((column, column) for column in columns)])
        for field in (self.email, self.key):
            show(field, source is not None)
        self._offer_consent(source)
        self._offer_routes()

    def _offer_consent(self, source: SegmentSource | None) -> None:
        """Offer the possible consent columns, starting with those found by name."""
        columns = source.columns if source else []
        named = [each.name for each in consent_columns(columns)]
        found = f"found by name: {', '.join(named)}" if named else "no column says who agreed"
        others = [each for each in columns if each not in (self.email.value, self.key.value)]
        offer(self.consent, [(found, _FOUND), *((each, each) for each in dict.fromkeys([*named, *others]))])
        show(self.consent, source is not None)
        self.consent_changed(source)

    def consent_changed(self, source: SegmentSource | None) -> None:
        """Offer the values of the consent column that the built-in rule does not know, if they are few."""
        named = [each.name for each in consent_columns(source.columns)] if source else []
        chosen = [self.consent.value] if self.consent.value else named
        values = [each for column in chosen for each in (source.consent_values(column) if source else [])]
        self.consent_yes.options = [(each, each) for each in dict.fromkeys(values)]
        show(self.consent_yes, bool(values))

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the public function except name, frame and rule."""
        return {
            "email": self.email.value if self.source.value not in (SEGMENTS, INSIGHTS) else None,
            "key": self.key.value or None,
            "consent": self.consent.value or None if self.source.value not in (SEGMENTS, INSIGHTS) else None,
            "consent_yes": list(self.consent_yes.value),
            "encoding": self._encoding(),
            "static": self.keep.value == "static" and self.source.value in (FILES, SEGMENTS),
        }

    def _offer_routes(self) -> None:
        snapshot = ("static: as it is now", "static")
        if self.source.value in (FILES, SEGMENTS):
            had_choice = len(self.keep.options) > 1
            offer(self.keep, [("dynamic: evaluated again at each refresh", "dynamic"), snapshot])
            self.keep.value = self.keep.value if had_choice else "dynamic"
        elif self.source.value == INSIGHTS:
            offer(self.keep, [("dynamic: read again at each refresh", "dynamic")])
        else:  # the frame exists only while the notebook runs
            offer(self.keep, [("static: it reads a frame of this notebook", "static")])


def _frame_label(name: str, frame: Any) -> str:
    rows = size_of(frame)
    return name if rows is None else f"{name} ({pluralize(rows, 'row')})"


def _not_a_path(typed: str) -> ArgumentError:
    """Return the error for a text that is not a path of files, which says what the text looks like."""
    example = "For example customers-*.parquet."
    if is_query(typed):
        return ArgumentError(
            "This looks like a query, and the field takes the name of files.",
            'Write the query in a cell below %%ci_segment "NAME".',
            code="not_a_path",
        )
    if "://" in typed:
        return ArgumentError(
            "This is an address, and the field takes files on this machine.",
            "Copy the file here, or read it into a frame in a cell.",
            code="not_a_path",
        )
    if Path(typed).expanduser().is_dir():
        return ArgumentError("This is a folder.", f"Name the files in it. {example}", code="not_a_path")
    return ArgumentError(
        "The name does not end as that of a file that ci-magics reads: CSV, JSON Lines, Parquet or Excel.",
        example,
        code="not_a_path",
    )
