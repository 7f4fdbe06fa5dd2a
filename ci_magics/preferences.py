"""Default behavior of functions: ``ci.options``."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Options:
    """Default behavior of the functions of ci-magics in this process.

    Parameters
    ----------
    verbose
        Whether functions print what happened, such as that a segment was replaced. Magics and the command line always
        do, and a sign-in code is always shown.

    Examples
    --------
    >>> ci.options.verbose = True  # doctest: +SKIP
    """

    verbose: bool = False

    def __setattr__(self, name: str, value: bool) -> None:
        """Set an option; an unknown one is an AttributeError, so that a typo does not go unnoticed."""
        known = [each.name for each in fields(self)]
        if name not in known:
            raise AttributeError(f"There is no option '{name}'; use {', '.join(known)}.")
        object.__setattr__(self, name, value)


options = Options()
