"""``%ci_config``."""

from __future__ import annotations

from typing import Any

from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.shared_options import QUIET

COMMAND = Command(
    "%ci_config",
    "Show the options, or set one; --sources says where each value comes from.",
    "%ci_config progress=False",
    (Positional("NAME=VALUE", "option and its value", several=True, kind="option"),),
    (Flag("--sources", "show which source decided"), QUIET),
    notes=(
        "An option is set by %ci_config or %config CiMagics.NAME, an environment variable CI_MAGICS_NAME, or\n"
        "[tool.ci-magics] of pyproject.toml: the first of them that has it decides. Where data goes is not an option."
    ),
)


def config(call: Call) -> Any:
    """Show the options, or set one."""
    words = [text_of(each) for each in call.arguments.words]
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if following.startswith("=") or (equals and not (name and value)):
            raise ArgumentError(
                "There are spaces around an equals sign, or nothing on one side of it.",
                "Write NAME=VALUE without spaces, for example short_errors=true.",
                code="value",
            )
        if not equals:
            raise ArgumentError(
                f"'{name}' has no value.", f"Write {name}=VALUE; %ci_config lists the options.", code="value"
            )
        call.settings.set_option(name.strip(), value.strip())
    return call.settings.option_list(sources=call.arguments.switch("sources"))


MAGIC = Magic(COMMAND.name, lambda: COMMAND, config)
