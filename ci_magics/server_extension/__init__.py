"""A small Jupyter server extension: tells the side panel what is going on in the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_magics import __version__ as __version__

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter where the extension is."""
    return [{"module": "ci_magics.server_extension"}]


def _load_jupyter_server_extension(server_app: ServerApp) -> None:
    """Add the handlers; nothing is read before somebody asks."""
    from jupyter_server.utils import url_path_join

    from ci_magics.server_extension.handlers import OverviewHandler

    web_app = server_app.web_app
    path = url_path_join(web_app.settings["base_url"], "ci-magics", "overview")
    web_app.add_handlers(".*$", [(path, OverviewHandler)])  # type: ignore[no-untyped-call]  # tornado's
