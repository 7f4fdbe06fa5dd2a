"""A line in which a secret is typed, and which does not keep it: neither in the notebook nor in the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Unicode


class SecretEntry(anywidget.AnyWidget):
    """A labeled line for a secret.

    The value of a stock password field is a part of the widget's state, which JupyterLab may save with the notebook.

    Parameters
    ----------
    label, hint
        What is typed, and the hint while nothing is.
    name
        For its class.
    """

    _esm = Path(__file__).with_suffix(".js")

    label = Unicode().tag(sync=True)
    hint = Unicode().tag(sync=True)

    def __init__(self, label: str, name: str, *, hint: str = "") -> None:
        self._secret = ""
        super().__init__(label=label, hint=hint)
        self.add_class(f"ci-{name}")
        self.on_msg(self.hear)

    @property
    def secret(self) -> str:
        """What was typed."""
        return self._secret

    def forget(self) -> None:
        """Forget what was typed, in the page too."""
        self._secret = ""
        self.send({"forget": True})

    def hear(self, _widget: Any, content: Mapping[str, Any], _buffers: Any) -> None:
        """Take what the page sends when somebody has typed."""
        self._secret = str(content.get("secret", "")).strip()
