"""An operation, and the requests that it answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from ci_magics.emulator.call import Call
from ci_magics.emulator.replies import Reply
from ci_magics.emulator.state import World

Handler = Callable[[World, Call], Reply]


@dataclass(frozen=True)
class Route:
    """An operation of Microsoft's, its verb and its path."""

    operation: str
    method: str
    path: re.Pattern[str]
    handler: Handler | None  # None: the server takes it itself


def route(operation: str, method: str, path: str, handler: Handler | None) -> Route:
    """Build a route; ``{name}`` stands for one part of the path, ``{name*}`` for all that follows."""
    pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
    return Route(operation, method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + r"\Z"), handler)


def late(module: str, function: str) -> Handler:
    """Return an operation of a module that is slow to import, so that it is not needed to start."""

    def handler(world: World, call: Call) -> Reply:
        reply: Reply = getattr(import_module(f"ci_magics.emulator.{module}"), function)(world, call)
        return reply

    return handler
