"""The configuration of a saved export as a document: what to send and how. It has no address, hash, or secret."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.quoting import magic_word
from ci_magics.workspace.export_models import Export


class ExportDocument(BaseModel):
    """What a saved export sends each time it runs.

    Parameters
    ----------
    segments
        Segment names. Each segment goes to the audience of the same name.
    email
        Expected address column, as a safety check. None accepts the column that each segment was made with.
    order
        How to send: mode, normalization, overridden guards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: tuple[str, ...]
    email: str | None = None
    order: ExportOptions = ExportOptions()


def document_of(export: Export) -> ExportDocument:
    """Return the configuration of a saved export."""
    return ExportDocument.model_validate(export.document)


def as_magic(export: Export) -> str:
    """Return the notebook line that saves the same export."""
    document = document_of(export)
    words = [*map(magic_word, document.segments), "--to", magic_word(export.connection_name or "CONNECTION")]
    words += ["--save", magic_word(export.name)]
    words += ["--email", magic_word(document.email)] if document.email else []
    changed = document.order.model_dump(exclude_defaults=True)
    for name, value in changed.items():
        words += _option(f"--{name.replace('_', '-')}", value)
    return " ".join(["%ci_export", *words])


def _option(option: str, value: object) -> list[str]:
    if value is True:
        return [option]
    if isinstance(value, tuple | list):
        return [word for each in value for word in (option, magic_word(str(each)))]
    text = str(value).lower() if option == "--scope" else str(value)
    return [option, magic_word(text)]
