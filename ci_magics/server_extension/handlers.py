"""HTTP handlers for the side panel, behind Jupyter's authentication, authorization, and origin checks."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from ci_magics.errors import CiError, without_addresses
from ci_magics.server_extension.overview import overview
from ci_magics.workspace.store import open_workspace

_UNAVAILABLE = 503


class OverviewHandler(APIHandler):
    """``GET ci-magics/overview``: exports and runs of the workspace, read-only."""

    auth_resource = "ci-magics"
    _track_activity = False  # an open panel must not keep an idle server running

    @authenticated
    @authorized
    async def get(self) -> None:
        """Respond with `Overview` as JSON, or with an error sentence if the workspace cannot be read."""
        self.check_xsrf_cookie()  # Jupyter checks it only for requests that change something
        try:
            body = await asyncio.to_thread(_read)
        except CiError as error:
            self.set_status(_UNAVAILABLE)
            body = {"message": str(error)}
        await self.finish(body)


def _read() -> dict[str, Any]:
    """Read the workspace; called in a thread, because a database may be slow."""
    document: dict[str, Any] = _masked(asdict(overview(open_workspace())))
    return document


def _masked(value: Any) -> Any:
    """Replace addresses in a document: on a JupyterHub, user names often are addresses."""
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value
