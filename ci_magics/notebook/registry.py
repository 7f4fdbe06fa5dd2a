"""All magics. To add one, write a file with a ``MAGIC`` and list it here; help, completion and tests follow."""

from __future__ import annotations

from ci_magics.notebook import (
    audiences_magic,
    config_magic,
    connect_magic,
    doctor_magic,
    export_magic,
    exports_magic,
    preview_magic,
    segment_cell_magic,
    segment_magic,
    status_magic,
)
from ci_magics.notebook.call import Magic

MAGICS: tuple[Magic, ...] = (
    connect_magic.MAGIC,
    segment_magic.MAGIC,
    segment_cell_magic.MAGIC,
    preview_magic.MAGIC,
    export_magic.MAGIC,
    exports_magic.MAGIC,
    status_magic.MAGIC,
    audiences_magic.MAGIC,
    config_magic.MAGIC,
    doctor_magic.MAGIC,
)
