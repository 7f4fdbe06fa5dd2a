"""The pictures of coverage: what they say, what they never say, and that they are legible in any theme."""

from __future__ import annotations

import base64
import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.display.html_table import table
from ci_magics.display.numbers import Share, format_count
from ci_magics.matching.comparison import Row, draw_comparison
from ci_magics.matching.drawing import PANEL, Picture, as_image, cut, stacked
from ci_magics.matching.expected import Expected
from ci_magics.matching.funnel import Bar, Changes, draw_funnel, funnel_text
from ci_magics.matching.overlap import draw_overlap

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile("[0-9]+(?:,[0-9]{3})*(?:\\.[0-9])?%?")
IMAGE = re.compile(r'<img alt="[^"<>]*" width="\d+" style="[^"<>]*" src="data:image/svg\+xml;base64,[\w+/=]+">')
NAMES = [
    "Big spenders",
    "Lapsed",
    "<b>&\"'</b>",
    "A name that is much too long to be shown anywhere as it is",
    "客" * 60,
]


def bars(*counts: int) -> list[Bar]:
    labels = ("Profiles", "With e-mail", "Valid", "Sendable")
    return [Bar(label, count) for label, count in zip(labels, counts, strict=True)]


def funnel(name: str = "Big spenders", whole: int = 50_000_000) -> Picture:
    counts = (whole, whole * 97 // 100, whole * 93 // 100, whole * 92 // 100)
    return draw_funnel(
        name,
        bars(*counts),
        Expected(whole * 5 // 10, whole * 6 // 10, 3),
        Changes(unchanged=whole * 8 // 10, new=whole // 10, gone=whole // 9),
    )


def comparison(names: list[str], whole: int = 50_000_000) -> Picture:
    return draw_comparison([Row(name, bars(whole, whole, whole, whole * 9 // 10)) for name in names])


def overlap(names: list[str], size: int = 50_000_000) -> Picture:
    return draw_overlap([(name, size) for name in names], dict.fromkeys(combinations(names, 2), size // 3))


def every_picture() -> list[Picture]:
    several = [f"{name} {number}" for number, name in enumerate([*NAMES, *NAMES[:3]])]
    pictures = [funnel(name, whole) for name in NAMES for whole in (0, 1, 3_074, 50_000_000)]
    pictures += [comparison(several), overlap(several), overlap(several[:2]), overlap(several[:2], 0)]
    return [*pictures, stacked(pictures[-2:])]


def parsed(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg)  # noqa: S314 - our own picture


def texts(picture: Picture) -> list[ElementTree.Element]:
    return list(parsed(picture).iter(f"{SVG}text"))


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def is_inside(text: ElementTree.Element, cell: ElementTree.Element) -> bool:
    def inside(axis: str, size: str) -> bool:
        start = float(cell.get(axis, 0))
        return start < float(text.get(axis, 0)) < start + float(cell.get(size, 0))

    return inside("x", "width") and inside("y", "height")


def test_every_number_in_a_picture_is_in_its_alt_text() -> None:
    for picture in (funnel(), comparison(["Big spenders", "Lapsed"]), overlap(["Big spenders", "Lapsed"])):
        lost = [each.text or "" for each in texts(picture) if (each.text or "").startswith("\u2212")]
        shown = " ".join(each.text or "" for each in texts(picture) if each.text not in lost)
        numbers = set(NUMBER.findall(shown)) - {"1", "2"}  # the numbers of the segments
        assert len(numbers) >= 3
        assert numbers - set(NUMBER.findall(picture.alt)) == set()


def test_alt_text_of_a_funnel() -> None:
    picture = draw_funnel("Big", bars(3_074, 2_977, 2_873, 2_856), Expected(1_428, 1_799, 3), Changes(2_600, 256, 41))
    assert picture.alt == (
        "Coverage of Big: profiles 3,074 (100.0%), with e-mail 2,977 (96.8%), valid 2,873 (93.5%), "
        "sendable 2,856 (92.9%). Expected match: 1,428 (46.5%) to 1,799 (58.5%), from 3 earlier audiences. "
        "Against the audience: unchanged 2,600 (91.0%), new 256 (9.0%), gone 41 (1.6%)."
    )
    losses = [each.text for each in texts(picture) if (each.text or "").startswith("\u2212")]
    assert losses == ["\u221297", "\u2212104", "\u221217"]


def test_alt_text_of_an_overlap() -> None:
    picture = draw_overlap([("a", 200), ("b", 50), ("c", 0)], {("a", "b"): 50, ("a", "c"): 0, ("b", "c"): 0})
    assert "'a' sends 200, 'b' sends 50, 'c' sends 0" in picture.alt
    assert "'a' and 'b' share 50 hashes (25.0% of 'a' and 100.0% of 'b')" in picture.alt
    assert "'a' and 'c' share no hash" in picture.alt


def test_overlap_matrix_shows_eight_segments_and_mentions_the_others() -> None:
    names = [f"s{number}" for number in range(12)]
    picture = overlap(names)
    shown = [each.text for each in texts(picture)]
    assert shown.count("8 s7") == 2
    assert "9 s8" not in shown
    assert "The first 8 of 12 segments." in picture.svg
    assert "'s8'" not in picture.alt


def test_every_text_is_legible_on_the_panel_of_the_picture() -> None:
    for picture in every_picture():
        root = parsed(picture)
        for drawing in [root, *root.findall(f"{SVG}svg")]:
            shapes = [each for each in drawing if each.tag == f"{SVG}rect"]
            if not shapes:
                continue
            first = shapes[0]
            assert first.get("fill") == PANEL
            assert float(first.get("width", 0)) == float(drawing.get("width", 0)) - 1
            assert float(first.get("height", 0)) == float(drawing.get("height", 0)) - 1
        for each in texts(picture):
            assert contrast(each.get("fill", ""), PANEL) >= 4.5


def test_numbers_are_legible_on_the_darkest_cell() -> None:
    picture = draw_overlap([("a", 10), ("b", 10)], {("a", "b"): 10})
    cells = list(parsed(picture).iter(f"{SVG}rect"))[1:]
    on_cells = [(each, cell) for each in texts(picture) for cell in cells if is_inside(each, cell)]
    assert len(on_cells) == 8
    assert all(contrast(each.get("fill", ""), cell.get("fill", "")) >= 4.5 for each, cell in on_cells)


def test_shapes_are_inside_the_picture() -> None:
    for picture in every_picture()[:-1]:
        for each in parsed(picture).iter(f"{SVG}rect"):
            left, top = float(each.get("x", 0)), float(each.get("y", 0))
            assert left >= 0
            assert left + float(each.get("width", 0)) <= picture.width
            assert top + float(each.get("height", 0)) <= picture.height
        assert all(float(each.get("y", 0)) < picture.height for each in texts(picture))


def test_long_names_are_shortened() -> None:
    shown = [each.text or "" for each in texts(funnel("x" * 500))] + [
        each.text or "" for each in texts(overlap(["x" * 500, "y"]))
    ]
    cuts = [each for each in shown if each.endswith("…")]
    assert len(cuts) == 3
    assert max(map(len, cuts)) < 90
    assert cut("Big spenders", 400) == "Big spenders"
    assert len(cut("客" * 60, 130)) < len(cut("x" * 60, 130)) < len(cut("i" * 60, 130))


@given(st.lists(st.text(max_size=30), min_size=2, max_size=3, unique=True))
def test_any_segment_name_makes_a_valid_picture(names: list[str]) -> None:
    for picture in (funnel(names[0]), comparison(names), overlap(names), stacked([comparison(names), overlap(names)])):
        root = parsed(picture)
        image = as_image(picture)
        assert IMAGE.fullmatch(image)
        data = base64.b64decode(image.split("base64,")[1].split('"')[0])
        assert data.decode() == picture.svg
        assert {each.tag for each in root.iter()} <= {f"{SVG}{tag}" for tag in ("svg", "title", "rect", "text", "path")}


@pytest.mark.parametrize(
    ("count", "whole", "percent"),
    [
        (0, 10, "0.0%"),
        (10, 10, "100.0%"),
        (1, 50_000_000, "<0.1%"),
        (49_999_999, 50_000_000, ">99.9%"),
        (2_856, 3_074, "92.9%"),
        (0, 0, ""),
    ],
)
def test_share_never_rounds_to_zero_or_all(count: int, whole: int, percent: str) -> None:
    assert Share(count, whole).percent == percent


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_share_is_shown_next_to_its_count(one: int, other: int) -> None:
    share = Share(min(one, other), max(one, other))
    assert str(share).startswith(format_count(share.count))
    assert str(share).endswith("%)") == bool(share.whole)


def test_bar_has_limited_length_and_is_visible_if_not_zero() -> None:
    lines = funnel_text(bars(50_000_000, 50_000_000, 1, 0)).splitlines()
    assert [line.count("#") for line in lines] == [20, 20, 2, 0]
    assert funnel_text(bars(0, 0, 0, 0)).count("%") == 0


def test_table_aligns_and_escapes_and_sets_no_color() -> None:
    rows: list[list[Any]] = [["<b>", Share(1, 3), 1_000, "x"], ["c", None, 2, "y"]]
    shown = table(["What", "Share", "Number", "Note"], rows, caption="<i>")
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert re.findall("text-align:(left|right)", shown)[1:5] == ["left", "right", "right", "left"]
    assert "1,000" in shown
    assert "(33.3%)" in shown
    assert not re.search(r"(?<![\w-])(?:background-)?color:", shown)
