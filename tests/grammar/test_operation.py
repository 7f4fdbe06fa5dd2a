"""What a signature declares, and how a line is read according to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict, Unpack

import pytest

from ci_magics.errors import ArgumentError
from ci_magics.grammar.arguments import parse
from ci_magics.grammar.operation import Operation, Parameter, operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.reading import declared
from ci_magics.grammar.words import Word

COLOR = Option("color of the box", choices={"red": "a red one", "blue": "a blue one"})


class Choices(TypedDict, total=False):
    size: Annotated[Literal["small", "large"], Option("how large it is", default="small")]
    note: Annotated[str | None, Option("what is written on it", value="TEXT")]


@operation(example='"My box" one two --color red', changes=False)
def pack(
    name: Annotated[str, Option("box", kind="segment")],
    *things: Annotated[str, Option("what goes in")],
    color: Annotated[str | None, COLOR] = None,
    many: Annotated[int, Option("how many")] = 3,
    day: Annotated[datetime | None, Option("on which day", value="DAY")] = None,
    label: Annotated[Sequence[str], Option("label on it")] = (),
    sealed: Annotated[bool, Option("seal it")] = False,
    keep: Annotated[bool | None, Option("keep it")] = None,
    word: Annotated[str | None, Option("password", kind="secret")] = None,
    show: Any = None,
    **choices: Unpack[Choices],
) -> None:
    """Pack things in a box.

    There is more to say.
    """


PACK = declared("boxes.pack", pack, globals())


def plain(parameter: Parameter, word: Any) -> Any:
    return "hush" if parameter.secret else word.text if isinstance(word, Word) else word


def given(line: str) -> tuple[list[Any], dict[str, Any]]:
    return PACK.given(parse(PACK.command("%ci_boxes pack"), line, {}), plain)


def test_signature_declares_words_and_options() -> None:
    assert (PACK.verb, PACK.summary) == ("pack", "Pack things in a box.")
    assert [each.name for each in PACK.words] == ["name", "things"]
    assert [(each.name, each.type) for each in PACK.options] == [
        ("color", "text"),
        ("many", "number"),
        ("day", "moment"),
        ("label", "text"),
        ("sealed", "switch"),
        ("keep", "choice of two"),
        ("word", "text"),
        ("size", "text"),
        ("note", "text"),
    ]
    assert (PACK["size"].choices, PACK["size"].default) == (("small", "large"), "small")
    assert PACK["color"].choices == ("red", "blue")
    assert PACK["label"].several
    assert PACK["name"].needed


def test_help_is_generated_from_the_declaration() -> None:
    assert PACK.command("%ci_boxes pack").help().splitlines() == [
        "Pack things in a box.",
        "",
        "%ci_boxes pack NAME [THING]... [OPTION]...",
        "",
        "  NAME                     box",
        "  THING                    what goes in",
        "  --color red|blue         color of the box",
        "  --many N                 how many (3)",
        "  --day DAY                on which day",
        "  --label TEXT             label on it; may be repeated",
        "  --sealed                 seal it",
        "  --keep                   keep it",
        "  --no-keep                the opposite of --keep",
        "  --word                   password; you are asked for it",
        "  --size small|large       how large it is (small)",
        "  --note TEXT              what is written on it",
        "",
        "For example:",
        '  %ci_boxes pack "My box" one two --color red',
    ]


def test_line_gives_only_what_it_contains() -> None:
    assert given("Box") == (["Box"], {})
    words, options = given(
        "Box one two --color red --many 5 --day 2026-11-01 --label a --label b --sealed --no-keep --word --size large"
    )
    assert words == ["Box", "one", "two"]
    assert options == {
        "color": "red",
        "many": 5,
        "day": datetime(2026, 11, 1, tzinfo=UTC),
        "label": ["a", "b"],
        "sealed": True,
        "keep": False,
        "word": "hush",
        "size": "large",
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "pack needs NAME: box."),
        ("Box --keep --no-keep", "--keep and --no-keep cannot be combined."),
        ("Box --color rad", "--color cannot be 'rad'. Did you mean 'red'?"),
        ("Box --day soon", "'soon' is not a day."),
        ("Box --many some", "--many must be a whole number."),
    ],
)
def test_invalid_line_is_refused(line: str, says: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        given(line)
    assert refused.value.sentence == says


def test_parameter_without_an_option_is_only_for_python() -> None:
    assert "show" not in [each.name for each in PACK.parameters]
    assert PACK.without("color").command("x").options[0].name == "--many"
    assert isinstance(PACK, Operation)
    assert PACK.facts.changes is False
