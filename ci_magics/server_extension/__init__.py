"""Jupyter server extension that gives the side panel an overview of the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_magics.advice import Reader, set_reader
from ci_magics.version import __version__ as __version__

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Return the module of the extension, for Jupyter."""
    return [{"module": "ci_magics.server_extension"}]


def _load_jupyter_server_extension(server_app: ServerApp) -> None:
    """Register the handlers; the workspace is read only on request."""
    from jupyter_server.utils import url_path_join

    from ci_magics.server_extension.handlers import OverviewHandler

    set_reader(Reader.NOTEBOOK)
    web_app = server_app.web_app
    path = url_path_join(web_app.settings["base_url"], "ci-magics", "overview")
    web_app.add_handlers(".*$", [(path, OverviewHandler)])  # type: ignore[no-untyped-call]  # tornado's
