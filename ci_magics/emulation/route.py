"""Routes: operations and the requests that they answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from ci_magics.emulation.call import Call
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

#: Answers a request. It takes the emulator's state and the request; every handler has these two parameters.
Handler = Callable[[World, Call], Reply]


@dataclass(frozen=True)
class Route:
    """An operation of Microsoft's services, with its HTTP method and path."""

    operation: str
    method: str
    path: re.Pattern[str]
    handler: Handler | None  # None: handled by the server itself


def route(operation: str, method: str, path: str, handler: Handler | None) -> Route:
    """Build a route.

    Parameters
    ----------
    operation
        The operation's name.
    method
        The HTTP method.
    path
        A pattern; ``{name}`` matches one path segment, ``{name*}`` the rest of the path.
    handler
        Answers the request; None if the server does so itself.
    """
    pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
    return Route(operation, method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + r"\Z"), handler)


def late(module: str, function: str) -> Handler:
    """Return a handler that imports its module on first use, for a fast start.

    Parameters
    ----------
    module
        The module, relative to the emulator.
    function
        The handler's name in it.
    """

    def handler(world: World, call: Call) -> Reply:
        reply: Reply = getattr(import_module(f"ci_magics.emulation.{module}"), function)(world, call)
        return reply

    return handler
