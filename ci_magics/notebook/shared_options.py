"""Options that every magic has."""

from __future__ import annotations

from ci_magics.grammar.command import Flag

QUIET = Flag("--quiet", "show nothing")
