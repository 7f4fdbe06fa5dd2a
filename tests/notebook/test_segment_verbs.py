"""What ``%ci_segment NAME --VERB`` does with a segment that exists, and the list of all."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contoso import connect, export

import ci_magics as ci
from ci_magics.activation.segments.history import SegmentHistory
from ci_magics.activation.segments.listing import SegmentLine, list_segments
from ci_magics.activation.segments.segment_operations import SegmentUse
from ci_magics.activation.segments.versions import SegmentVersions
from ci_magics.errors import ArgumentError, NotFoundError, SegmentError
from ci_magics.notebook.segment_verbs import VERBS

if TYPE_CHECKING:
    from conftest import Notebook, RunningEmulator


@pytest.fixture
def stored(notebook: Notebook) -> Notebook:
    """A notebook with two segments."""
    notebook.run("%ci_segment 'Big spenders' customers --where 'TotalSpend > 250' --quiet")
    notebook.run("%ci_segment Other customers --quiet")
    return notebook


def line(name: str) -> SegmentLine:
    (found,) = list_segments(name)
    return found


CHANGES: dict[str, tuple[str, Callable[[], bool]]] = {
    "--rename": ("--rename Rich", lambda: list_segments().names() == ["Other", "Rich"] and line("Rich").profiles == 4),
    "--duplicate": ("--duplicate 'Rich too'", lambda: line("Rich too").profiles == line("Big spenders").profiles == 4),
    "--delete": ("--delete", lambda: list_segments().names() == ["Other"]),
    "--undo": ("--undo", lambda: line("Big spenders").profiles == 4),
    "--deactivate": (
        "--deactivate",
        lambda: (line("Big spenders").state, line("Other").state) == ("inactive", "active"),
    ),
    "--activate": ("--activate", lambda: line("Big spenders").state == "active"),
    "--suppress": (
        "--suppress",
        lambda: (line("Big spenders").state, line("Other").state) == ("suppresses", "active"),
    ),
    "--end-suppression": ("--end-suppression", lambda: line("Big spenders").state == "active"),
    "--tag": ("--tag vip --tag=spring --tag 'vip'", lambda: line("Big spenders").tags == ("vip", "spring")),
}
UNDONE = {
    "--activate": "--deactivate",
    "--end-suppression": "--suppress",
    "--undo": "customers --where 'TotalSpend > 350'",
}
LOOKS: dict[str, type] = {"--versions": SegmentVersions, "--history": SegmentHistory, "--usage": SegmentUse}


def test_every_verb_is_tested_here() -> None:
    assert {each.name for each in VERBS} == {*CHANGES, *LOOKS, "--download", "--refresh", "--redo"}


@pytest.mark.parametrize("verb", CHANGES)
def test_a_verb_changes_the_segment_and_shows_it_in_the_list(stored: Notebook, verb: str) -> None:
    words, changed = CHANGES[verb]
    if verb in UNDONE:
        stored.run(f"%ci_segment 'Big spenders' {UNDONE[verb]} --quiet")
        assert not changed()
    shown = stored.run(f"%ci_segment 'Big spenders' {words}")
    assert changed()
    assert set(shown.names()) <= set(list_segments().names())


def test_what_was_undone_can_be_redone(stored: Notebook) -> None:
    stored.run("%ci_segment 'Big spenders' customers --where 'TotalSpend > 350' --quiet")
    stored.run("%ci_segment 'Big spenders' --undo --quiet")
    (shown,) = stored.run("%ci_segment 'Big spenders' --redo")
    assert shown.profiles == line("Big spenders").profiles == 3


def test_a_condition_that_loses_people_is_stopped_unless_it_is_allowed(stored: Notebook) -> None:
    half = "%ci_segment 'Big spenders' customers --where 'TotalSpend > 550'"
    assert stored.fail(half).code == "segment_shrinks"
    assert line("Big spenders").profiles == 4
    stored.run(f"{half} --allow-shrink --quiet")
    assert line("Big spenders").profiles == 1
    none = "%%ci_segment 'Big spenders' {}--quiet\nSELECT * FROM customers WHERE TotalSpend < 0"
    assert stored.fail(none.format("")).code == "segment_empty"
    stored.run(none.format("--allow-empty "))
    assert line("Big spenders").profiles == 0


def test_deleting_says_what_it_did_and_how_to_undo_it(stored: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    stored.run("%ci_segment Other --delete")
    said = capsys.readouterr().out
    assert "Segment 'Other' was deleted: 6 profiles." in said
    assert 'it can be brought back: %ci_segments undo "Other".' in said


@pytest.mark.parametrize("verb", LOOKS)
def test_a_verb_that_looks_changes_nothing(stored: Notebook, verb: str) -> None:
    before = list_segments()
    assert isinstance(stored.run(f"%ci_segment 'Big spenders' {verb}"), LOOKS[verb])
    assert list_segments() == before


def test_tags_replace_those_there_were(stored: Notebook) -> None:
    stored.run("%ci_segment Other --tag a --tag b")
    stored.run("%ci_segment Other --tag c")
    assert line("Other").tags == ("c",)
    stored.run("%ci_segment Other --tag ''")
    assert line("Other").tags == ()
    error = stored.fail("%ci_segment Other " + " ".join(f"--tag t{number}" for number in range(21)))
    assert "at most 20 tags" in error.sentence


def test_a_download_holds_keys_and_is_private(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    stored.variables["path"] = str(path)
    assert stored.run("%ci_segment 'Big spenders' --download $path") == path
    assert path.read_text("utf-8").split() == ["Id", "c2", "c3", "c4", "c5"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_history_counts_each_time_that_the_segment_was_made(stored: Notebook) -> None:
    stored.run("%ci_segment 'Big spenders' customers --where 'TotalSpend > 350' --quiet")
    assert [count for _moment, count in stored.run("%ci_segment 'Big spenders' --history").counts] == [4, 3]
    stored.run("%ci_segment 'Big spenders' --rename Rich --quiet")
    assert len(stored.run("%ci_segment Rich --history").counts) == 2


@pytest.mark.parametrize("verb", [each.name for each in VERBS])
def test_every_verb_needs_a_segment_that_exists(stored: Notebook, verb: str) -> None:
    option = next(each for each in VERBS if each.name == verb)
    words = f"{verb} x" if option.value else verb
    error = stored.fail(f"%ci_segment 'Big spender' {words}")
    assert isinstance(error, NotFoundError)
    assert "Did you mean 'Big spenders'?" in error.sentence
    assert "needs the name of a segment" in stored.fail(f"%ci_segment {words}").sentence


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("--delete", "--rename cannot be combined with --delete."),
        ("customers", "--rename takes the name of one segment and nothing else, and the line also has 'customers'."),
        ("--where 'TotalSpend > 5'", "--rename cannot be combined with --where."),
        ("--rule 'Id = c1'", "--rename cannot be combined with --rule."),
        ("--key Id", "--rename cannot be combined with --key."),
    ],
)
def test_a_verb_stands_alone(stored: Notebook, other: str, says: str) -> None:
    before = list_segments()
    error = stored.fail(f"%ci_segment Other {other} --rename New")
    assert isinstance(error, ArgumentError)
    assert error.sentence == says
    assert list_segments() == before


def test_a_name_that_is_not_quoted_is_quoted_in_the_advice(stored: Notebook) -> None:
    error = stored.fail("%ci_segment Big spenders --delete")
    assert error.sentence.endswith("the line also has 'spenders'.")
    assert error.next_step == 'If it is part of the name, quote the whole name: "Big spenders".'


@pytest.mark.parametrize(
    "words", ["--rename 'Big spenders'", "--duplicate Other", "--rename ' '", f"--rename {'x' * 129}"]
)
def test_a_new_name_must_be_free_and_a_name(stored: Notebook, words: str) -> None:
    assert isinstance(stored.fail(f"%ci_segment Other {words}"), ArgumentError)
    assert list_segments().names() == ["Big spenders", "Other"]


def test_a_segment_of_an_unfinished_run_is_not_deleted(stored: Notebook, emulator: RunningEmulator) -> None:
    assert emulator.audiences() == {}
    connect()

    def stop(_progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(ci.CiError):
        ci.export("Other", to="Contoso EU", progress=stop)
    error = stored.fail("%ci_segment Other --delete")
    assert isinstance(error, SegmentError)
    assert error.next_step.startswith("Finish it first: %ci_runs resume ")
    assert "Other" in list_segments().names()


def test_the_list_says_what_a_segment_is_and_what_it_fills(stored: Notebook, emulator: RunningEmulator) -> None:
    assert emulator.audiences() == {}
    connect()
    export("Other", consent=None)
    stored.run("%ci_segment Some --rule \"'Other' and not 'Big spenders'\" --quiet")
    stored.run("%ci_segment 'Big spenders' --tag '<b>' --quiet")
    found = stored.run("%ci_segment --list")
    frame = found.to_frame().set_index("name")
    assert list(frame.columns) == ["type", "state", "profiles", "tags", "last_made", "fills"]
    assert frame["type"].to_dict() == {"Big spenders": "static", "Other": "static", "Some": "dynamic"}
    assert frame["fills"].to_dict() == {"Big spenders": (), "Other": ("Other",), "Some": ()}
    assert frame["profiles"].to_dict() == {"Big spenders": 4, "Other": 6, "Some": 2}
    assert len(repr(found).splitlines()) == 4
    assert "&lt;b&gt;" in found._repr_html_()
    assert len(found) == 3


def test_an_empty_list_says_how_to_begin(notebook: Notebook) -> None:
    assert repr(notebook.run("%ci_segment --list")) == "No segment yet. Make one: %ci_segment NAME FRAME."


def test_another_segment_takes_over_the_suppression(stored: Notebook) -> None:
    stored.run("%ci_segment 'Big spenders' --suppress --quiet")
    stored.run("%ci_segment Other --suppress --quiet")
    assert (line("Big spenders").state, line("Other").state) == ("active", "suppresses")
    error = stored.fail("%ci_segment 'Big spenders' --end-suppression")
    assert "are not excluded" in error.sentence
    assert line("Other").state == "suppresses"


def test_a_refresh_evaluates_the_definition_again(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\nk1,a@contoso.com\n", "utf-8")
    ci.segment("Files", str(path))
    path.write_text("Id,EMail\nk1,a@contoso.com\nk2,b@contoso.com\n", "utf-8")
    assert stored.run("%ci_segment Files --refresh").rows == 2
    error = stored.fail("%ci_segment Other --refresh")
    assert error.sentence == "The segment 'Other' is static: it reads a frame of a notebook."


def test_rules_follow_a_segment_that_gets_another_name(stored: Notebook) -> None:
    stored.run("""%ci_segment Rest --rule "'Other' and not 'Big spenders'" --quiet""")
    stored.run("""%ci_segment Some customers --rule "'Big spenders' or Id = c1" --quiet""")
    stored.run("%ci_segment 'Big spenders' --rename \"Bo's rich\" --quiet")
    assert stored.run('%ci_segment "Bo\'s rich" --usage').segments == ("Rest", "Some")
    assert stored.run("%ci_segment Rest --refresh --quiet") is None
    assert line("Rest").profiles == line("Other").profiles - 4
    kept = ci.open_workspace().store.segments["Some"].definition["rule"]
    assert ci.Rule.parse(kept).segments == ("Bo's rich",)


def test_a_segment_that_a_query_reads_keeps_its_name(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\nc2,a@contoso.com\n", "utf-8")
    ci.segment("Joined", f"SELECT f.* FROM '{path}' f JOIN Other USING (Id)")
    error = stored.fail("%ci_segment Other --rename Others")
    assert error.sentence == "The query of the segment 'Joined' reads 'Other'."
    assert list_segments().names() == ["Big spenders", "Joined", "Other"]


def test_what_a_dynamic_segment_is_made_of_is_not_deleted(stored: Notebook) -> None:
    stored.run("""%ci_segment Rest --rule "'Other' and not 'Big spenders'" --quiet""")
    error = stored.fail("%ci_segment Other --delete")
    assert error.sentence == "The segment 'Rest' is made of 'Other' whenever it is refreshed."
    stored.run("%ci_segment Rest --delete --quiet")
    stored.run("%ci_segment Other --delete --quiet")
    assert list_segments().names() == ["Big spenders"]


def test_a_frame_may_be_a_path(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\nk1,a@contoso.com\n", "utf-8")
    stored.variables["path"] = str(path)
    assert stored.run("%ci_segment Files $path").rows == 1
    assert stored.run(f"%ci_segment More '{tmp_path}/*.csv'").rows == 1
    assert line("More").type == "dynamic"
