"""A field for a secret that stores it neither in the notebook nor in the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Unicode


class SecretEntry(anywidget.AnyWidget):
    """A labeled field for a secret.

    The value of a stock password field is part of the widget's state, which JupyterLab may save with the notebook.

    Parameters
    ----------
    label
        The visible label.
    name
        The field's name, for its CSS class.
    hint
        The placeholder of an empty field.
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
        """The typed secret."""
        return self._secret

    def forget(self) -> None:
        """Forget the secret, also in the page."""
        self._secret = ""
        self.send({"forget": True})

    def hear(self, _widget: Any, content: Mapping[str, Any], _buffers: Any) -> None:
        """Receive the typed secret from the page.

        Parameters
        ----------
        _widget
            This widget; unused.
        content
            The message; ``secret`` is the typed text.
        _buffers
            Binary data; unused.
        """
        self._secret = str(content.get("secret", "")).strip()
