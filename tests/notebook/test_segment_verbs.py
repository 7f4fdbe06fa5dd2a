"""The verbs of ``%ci_segments VERB NAME`` for an existing segment, and the list of segments."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contoso import connect, export
from magic_lines import magic

import ci_magics as ci
from ci_magics.activation.segments.history import SegmentHistory
from ci_magics.activation.segments.listing import SegmentLine
from ci_magics.activation.segments.segment_operations import SegmentUse
from ci_magics.activation.segments.versions import SegmentVersions
from ci_magics.errors import ArgumentError, NotFoundError, SegmentError

if TYPE_CHECKING:
    from conftest import Notebook, RunningEmulator


@pytest.fixture
def stored(notebook: Notebook) -> Notebook:
    """Return a notebook with two segments."""
    notebook.run("%ci_segment 'Big spenders' customers --where 'TotalSpend > 250' --quiet")
    notebook.run("%ci_segment Other customers --quiet")
    return notebook


def line(name: str) -> SegmentLine:
    (found,) = ci.segments.overview(name)
    return found


CHANGES: dict[str, tuple[str, Callable[[], bool]]] = {
    "rename": ("Rich", lambda: ci.segments.overview().names() == ["Other", "Rich"] and line("Rich").profiles == 4),
    "duplicate": ("'Rich too'", lambda: line("Rich too").profiles == line("Big spenders").profiles == 4),
    "delete": ("", lambda: ci.segments.overview().names() == ["Other"]),
    "undo": ("", lambda: line("Big spenders").profiles == 4),
    "deactivate": ("", lambda: (line("Big spenders").state, line("Other").state) == ("inactive", "active")),
    "activate": ("", lambda: line("Big spenders").state == "active"),
    "suppress": ("", lambda: (line("Big spenders").state, line("Other").state) == ("suppresses", "active")),
    "end-suppression": ("", lambda: line("Big spenders").state == "active"),
    "tag": ("vip spring 'vip'", lambda: line("Big spenders").tags == ("vip", "spring")),
}
UNDONE = {
    "activate": "%ci_segments deactivate 'Big spenders'",
    "end-suppression": "%ci_segments suppress 'Big spenders'",
    "undo": "%ci_segment 'Big spenders' customers --where 'TotalSpend > 350'",
}
LOOKS: dict[str, type] = {"versions": SegmentVersions, "history": SegmentHistory, "usage": SegmentUse}
VERBS = tuple(magic("%ci_segments").verbs())


def test_every_verb_is_tested_here() -> None:
    assert set(VERBS) == {*CHANGES, *LOOKS, "download", "refresh", "redo"}


@pytest.mark.parametrize("verb", CHANGES)
def test_verb_changes_the_segment_and_shows_the_result(stored: Notebook, verb: str) -> None:
    words, changed = CHANGES[verb]
    if verb in UNDONE:
        stored.run(f"{UNDONE[verb]} --quiet")
        assert not changed()
    shown = stored.run(f"%ci_segments {verb} 'Big spenders' {words}")
    assert changed()
    if verb != "delete":
        assert len(shown) == 1
        assert set(shown.names()) <= set(ci.segments.overview().names())


def test_undone_change_can_be_redone(stored: Notebook) -> None:
    stored.run("%ci_segment 'Big spenders' customers --where 'TotalSpend > 350' --quiet")
    stored.run("%ci_segments undo 'Big spenders' --quiet")
    (shown,) = stored.run("%ci_segments redo 'Big spenders'")
    assert shown.profiles == line("Big spenders").profiles == 3


def test_condition_that_loses_people_is_stopped_unless_allowed(stored: Notebook) -> None:
    half = "%ci_segment 'Big spenders' customers --where 'TotalSpend > 550'"
    assert stored.fail(half).code == "segment_shrinks"
    assert line("Big spenders").profiles == 4
    stored.run(f"{half} --allow-shrink --quiet")
    assert line("Big spenders").profiles == 1
    none = "%%ci_segment 'Big spenders' {}--quiet\nSELECT * FROM customers WHERE TotalSpend < 0"
    assert stored.fail(none.format("")).code == "segment_empty"
    stored.run(none.format("--allow-empty "))
    assert line("Big spenders").profiles == 0


def test_delete_says_what_it_did_and_how_to_undo_it(stored: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    stored.run("%ci_segments delete Other")
    said = capsys.readouterr().out
    assert "Segment 'Other' was deleted: 6 profiles." in said
    assert 'you can restore it: %ci_segments undo "Other".' in said


@pytest.mark.parametrize("verb", LOOKS)
def test_read_only_verb_changes_nothing(stored: Notebook, verb: str) -> None:
    before = ci.segments.overview()
    assert isinstance(stored.run(f"%ci_segments {verb} 'Big spenders'"), LOOKS[verb])
    assert ci.segments.overview() == before


def test_tags_replace_the_existing_tags(stored: Notebook) -> None:
    stored.run("%ci_segments tag Other a b")
    stored.run("%ci_segments tag Other c")
    assert line("Other").tags == ("c",)
    stored.run("%ci_segments tag Other ''")
    assert line("Other").tags == ()
    error = stored.fail("%ci_segments tag Other " + " ".join(f"t{number}" for number in range(21)))
    assert "at most 20 tags" in error.sentence


def test_download_contains_keys_and_is_private(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    stored.variables["path"] = str(path)
    assert stored.run("%ci_segments download 'Big spenders' $path") == path
    assert path.read_text("utf-8").split() == ["Id", "c2", "c3", "c4", "c5"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_history_counts_each_evaluation(stored: Notebook) -> None:
    stored.run("%ci_segment 'Big spenders' customers --where 'TotalSpend > 350' --quiet")
    assert [count for _moment, count in stored.run("%ci_segments history 'Big spenders'").counts] == [4, 3]
    stored.run("%ci_segments rename 'Big spenders' Rich --quiet")
    assert len(stored.run("%ci_segments history Rich").counts) == 2


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_needs_an_existing_segment(stored: Notebook, verb: str) -> None:
    needed = [each for each in magic("%ci_segments").verbs()[verb].positionals if each.needed]
    words = " ".join(["x"] * (len(needed) - 1))
    error = stored.fail(f"%ci_segments {verb} 'Big spender' {words}")
    assert isinstance(error, NotFoundError)
    assert "Did you mean 'Big spenders'?" in error.sentence
    assert f"{verb} needs NAME" in stored.fail(f"%ci_segments {verb}").sentence


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("Third", "%ci_segments rename does not expect 'Third' here."),
        ("--where 'TotalSpend > 5'", "%ci_segments rename has no option --where."),
        ("--allow-shrink", "%ci_segments rename has no option --allow-shrink."),
    ],
)
def test_verb_refuses_other_options(stored: Notebook, other: str, says: str) -> None:
    before = ci.segments.overview()
    error = stored.fail(f"%ci_segments rename Other New {other}")
    assert isinstance(error, ArgumentError)
    assert error.sentence == says
    assert ci.segments.overview() == before


@pytest.mark.parametrize(
    ("line", "now"),
    [
        ("%ci_segment Other --rename New", "%ci_segments rename Other New"),
        ('%ci_segment "Big spenders" --rename="Rich ones"', '%ci_segments rename "Big spenders" "Rich ones"'),
        ("%ci_segment Other --tag spring", "%ci_segments tag Other spring"),
        ("%ci_segment Other --undo", "%ci_segments undo Other"),
        ("%ci_segment --undo", "%ci_segments undo NAME"),
        ("%ci_segment --list", "%ci_segments"),
        ("%ci_connect EU --rename Europe", "%ci_connections edit EU --rename Europe"),
        ("%ci_connect EU --edit --account-id 112", "%ci_connections edit EU"),
        ("%ci_connect EU --withdraw", "%ci_connections withdraw-consents EU"),
        ("%ci_connect --insights Contoso", "%ci_insights Contoso"),
    ],
)
def test_earlier_syntax_is_answered_with_the_new_one(stored: Notebook, line: str, now: str) -> None:
    before = ci.segments.overview()
    error = stored.fail(line)
    assert error.code == "verb_now"
    assert error.next_step == f"Write {now}."
    assert ci.segments.overview() == before


@pytest.mark.parametrize(
    "line", ["rename Other 'Big spenders'", "duplicate Other Other", "rename Other ' '", f"rename Other {'x' * 129}"]
)
def test_new_name_must_be_free_and_valid(stored: Notebook, line: str) -> None:
    assert isinstance(stored.fail(f"%ci_segments {line}"), ArgumentError)
    assert ci.segments.overview().names() == ["Big spenders", "Other"]


def test_segment_of_an_unfinished_run_cannot_be_deleted(stored: Notebook, emulator: RunningEmulator) -> None:
    assert emulator.audiences() == {}
    connect()

    def stop(_progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(ci.CiError):
        ci.export("Other", to="Contoso EU", progress=stop)
    error = stored.fail("%ci_segments delete Other")
    assert isinstance(error, SegmentError)
    assert error.next_step.startswith("Finish it first: %ci_runs resume ")
    assert "Other" in ci.segments.overview().names()


def test_list_shows_segments_and_the_audiences_they_fill(stored: Notebook, emulator: RunningEmulator) -> None:
    assert emulator.audiences() == {}
    connect()
    export("Other", consent=None)
    stored.run("%ci_segment Some --rule \"'Other' and not 'Big spenders'\" --quiet")
    stored.run("%ci_segments tag 'Big spenders' '<b>' --quiet")
    found = stored.run("%ci_segments")
    frame = found.to_frame().set_index("name")
    assert list(frame.columns) == ["type", "state", "profiles", "tags", "last_made", "fills"]
    assert frame["type"].to_dict() == {"Big spenders": "static", "Other": "static", "Some": "dynamic"}
    assert frame["fills"].to_dict() == {"Big spenders": (), "Other": ("Other",), "Some": ()}
    assert frame["profiles"].to_dict() == {"Big spenders": 4, "Other": 6, "Some": 2}
    assert len(repr(found).splitlines()) == 4
    assert "&lt;b&gt;" in found._repr_html_()
    assert len(found) == 3


def test_empty_list_says_how_to_start(notebook: Notebook) -> None:
    assert repr(notebook.run("%ci_segments")) == "No segment yet. Make one: %ci_segment NAME FRAME."


def test_another_segment_takes_over_the_suppression(stored: Notebook) -> None:
    stored.run("%ci_segments suppress 'Big spenders' --quiet")
    stored.run("%ci_segments suppress Other --quiet")
    assert (line("Big spenders").state, line("Other").state) == ("active", "suppresses")
    error = stored.fail("%ci_segments end-suppression 'Big spenders'")
    assert "are not excluded" in error.sentence
    assert line("Other").state == "suppresses"


def test_refresh_evaluates_the_definition_again(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\nk1,a@contoso.com\n", "utf-8")
    ci.segment("Files", str(path))
    path.write_text("Id,EMail\nk1,a@contoso.com\nk2,b@contoso.com\n", "utf-8")
    assert line("Files").profiles == 1
    assert stored.run("%ci_segments refresh Files").to_frame()["profiles"].to_list() == [2]
    error = stored.fail("%ci_segments refresh Other")
    assert error.sentence == "The segment 'Other' is static: it reads a frame of a notebook."


def test_rules_follow_a_renamed_segment(stored: Notebook) -> None:
    stored.run("""%ci_segment Rest --rule "'Other' and not 'Big spenders'" --quiet""")
    stored.run("""%ci_segment Some customers --rule "'Big spenders' or Id = c1" --quiet""")
    stored.run("%ci_segments rename 'Big spenders' \"Bo's rich\" --quiet")
    assert stored.run('%ci_segments usage "Bo\'s rich"').segments == ("Rest", "Some")
    assert stored.run("%ci_segments refresh Rest --quiet") is None
    assert line("Rest").profiles == line("Other").profiles - 4
    kept = ci.open_workspace().store.segments["Some"].definition["rule"]
    assert ci.Rule.parse(kept).segments == ("Bo's rich",)


def test_segment_that_a_query_reads_cannot_be_renamed(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\nc2,a@contoso.com\n", "utf-8")
    ci.segment("Joined", f"SELECT f.* FROM '{path}' f JOIN Other USING (Id)")
    error = stored.fail("%ci_segments rename Other Others")
    assert error.sentence == "The query of the segment 'Joined' reads 'Other'."
    assert ci.segments.overview().names() == ["Big spenders", "Joined", "Other"]


def test_source_of_a_dynamic_segment_cannot_be_deleted(stored: Notebook) -> None:
    stored.run("""%ci_segment Rest --rule "'Other' and not 'Big spenders'" --quiet""")
    error = stored.fail("%ci_segments delete Other")
    assert error.sentence == "The segment 'Rest' is made from 'Other' whenever it is refreshed."
    stored.run("%ci_segments delete Rest --quiet")
    stored.run("%ci_segments delete Other --quiet")
    assert ci.segments.overview().names() == ["Big spenders"]


def test_frame_can_be_a_path(stored: Notebook, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\nk1,a@contoso.com\n", "utf-8")
    stored.variables["path"] = str(path)
    assert stored.run("%ci_segment Files $path").rows == 1
    assert stored.run(f"%ci_segment More '{tmp_path}/*.csv'").rows == 1
    assert line("More").type == "dynamic"
