"""Reword sentences for forms: replace the options of a magic by the form's fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

_MAGIC = r"%%?ci_\w+(?:[^.;:,]|[.;:,](?=\S))*"  # a complete magic keeps its options
_VALUE = r"""(?P<value> (?:"[^"]*"|'[^']*'|-?[\w./-]*\w))?"""
_OPTION = re.compile(rf"(?P<magic>{_MAGIC})|(?P<leave>[Ll]eave out )?--(?P<name>[a-z][a-z-]*){_VALUE}")
#: Words that can follow an option without being its value.
_JOINING = frozenset(
    {"and", "or", "to", "if", "for", "in", "of", "is", "too", "also", "first", "says", "goes", "while"}
)


def in_words_of_form(sentence: str, fields: Mapping[str, Any]) -> str:
    """Replace the options in a sentence by the form's fields.

    Parameters
    ----------
    sentence
        The text of an error or a notice.
    fields
        The form's fields by the parameter names of the public function; a text replaces the option literally.
    """

    def replaced(found: re.Match[str]) -> str:
        if found["magic"]:
            return found[0]
        field = fields.get(found["name"].replace("-", "_"))
        if isinstance(field, str):
            return field + (found["value"] or "")
        label = str(getattr(field, "description", "") or "")
        if field is None or not label:
            return found[0]
        value = (found["value"] or "").strip()
        if isinstance(field, widgets.Checkbox):
            return f"{found['leave'] or ''}the box '{label}'{found['value'] or ''}"
        if found["leave"]:
            return f"{'Clear' if found['leave'][0] == 'L' else 'clear'} the field '{label}'{found['value'] or ''}"
        if value in _JOINING:
            return f"the field '{label}' {value}"
        if not value or value.isupper():  # an uppercase word such as COLUMN is a placeholder
            return f"the field '{label}'"
        return f"""'{value.strip("'" + '"')}' in the field '{label}'"""

    return _OPTION.sub(replaced, sentence)
