from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from IPython.utils.capture import capture_output

from ci_magics.errors import ArgumentError, NotFoundError
from ci_magics.matching.coverage import Coverage
from ci_magics.notebook import registry
from ci_magics.segmentation.segment import Segment

if TYPE_CHECKING:
    from conftest import Notebook

MAGICS = [magic.command.name for magic in registry.MAGICS]


def called(magic: str, line: str) -> str:
    return f"{magic} {line}" + ("\nSELECT * FROM customers" if magic.startswith("%%") else "")


def test_every_magic_is_registered(notebook: Notebook) -> None:
    registered = notebook.shell.magics_manager.magics
    ours = [f"%{name}" for name in registered["line"] if name.startswith("ci_")]
    ours += [f"%%{name}" for name in registered["cell"] if name.startswith("ci_")]
    assert sorted(ours) == sorted(MAGICS)


@pytest.mark.parametrize("magic", MAGICS)
def test_help_is_the_docstring_with_an_example(notebook: Notebook, magic: str) -> None:
    with capture_output() as said:
        assert notebook.run(called(magic, "--help")) is None
    found = notebook.shell.object_inspect(magic)
    assert said.stdout.strip() == found["docstring"].strip()
    assert f"For example:\n  {magic}" in said.stdout
    assert said.stderr == ""


@pytest.mark.parametrize("magic", MAGICS)
def test_every_line_of_the_help_fits_the_screen(notebook: Notebook, magic: str) -> None:
    usage = notebook.shell.object_inspect(magic)["docstring"].split("For example:")[0]
    assert max(len(line) for line in usage.splitlines()) <= 110


@pytest.mark.parametrize("magic", MAGICS)
def test_unknown_option_suggests_the_nearest(notebook: Notebook, magic: str) -> None:
    error = notebook.fail(called(magic, "--quite"))
    assert error.sentence == f"{magic} has no option --quite. Did you mean --quiet?"
    assert error.next_step == f"See {magic} --help."


@pytest.mark.parametrize("magic", MAGICS)
def test_error_is_one_line_and_ends_the_cell(notebook: Notebook, magic: str) -> None:
    with capture_output() as said:
        error = notebook.fail(f"reached = False\n{magic} --quite\nreached = True") if magic[1] != "%" else None
        error = error or notebook.fail(called(magic, "--quite"))
    assert isinstance(error, ArgumentError)
    assert error._render_traceback_() == [f"ArgumentError: {error}"]
    assert "\n" not in str(error)
    assert said.stdout.splitlines() == [f"ArgumentError: {error}"]
    assert said.stderr == ""
    assert not notebook.variables.get("reached")


def test_error_stops_the_cells_after_it(notebook: Notebook) -> None:
    assert not notebook.shell.run_cell("%ci_segment A nothing").success
    assert not notebook.shell.run_cell("%ci_status --nonsense").success


def test_segment_is_created_and_returned(notebook: Notebook) -> None:
    segment = notebook.run("made = %ci_segment 'Big spenders' customers --where \"TotalSpend > 250\"\nmade")
    assert isinstance(segment, Segment)
    assert (segment.name, segment.rows, segment.where) == ("Big spenders", 4, "TotalSpend > 250")
    assert notebook.run("%ci_segments").names() == ["Big spenders"]


@pytest.mark.parametrize(
    "line",
    [
        "'Big spenders' customers --where='TotalSpend > 250' --email=EMail --key Id",
        "$name $customers --where $where --email $email --key=$key",
        "{name.strip()} {customers[customers.index >= 0]} --where={where} --email {email} --key {key}",
        '--where "TotalSpend > 250" --key Id "Big spenders" --email EMail customers',
    ],
)
def test_segment_can_be_written_in_many_ways(notebook: Notebook, line: str) -> None:
    notebook.variables.update(name="Big spenders", where="TotalSpend > 250", email="EMail", key="Id")
    segment = notebook.run(f"%ci_segment {line}")
    assert (segment.name, segment.rows, segment.email, segment.key) == ("Big spenders", 4, "EMail", "Id")


def test_magic_in_a_function_sees_local_variables(notebook: Notebook) -> None:
    notebook.run("def make(people):\n    return get_ipython().run_line_magic('ci_segment', 'Local people')")
    assert notebook.run("make(customers.head(2))").rows == 2


def test_quiet_shows_nothing(notebook: Notebook) -> None:
    with capture_output() as said:
        assert notebook.run("%ci_segment A customers --quiet") is None
        assert notebook.run("%ci_segment A customers --quiet --where 'TotalSpend > 300'") is None
    assert said.stdout + said.stderr == ""
    assert notebook.run("%ci_segments").names() == ["A"]


def test_replaced_segment_is_reported(notebook: Notebook) -> None:
    with capture_output() as said:
        notebook.run("first = %ci_segment A customers\nsecond = %ci_segment A customers")
        notebook.run("third = %ci_segment A customers --where 'TotalSpend > 300'")
    assert said.stdout == "The segment 'A' was replaced: 6 profiles before, 3 now.\n"
    assert notebook.run("first.id == second.id, second.id == third.id") == (True, False)


def test_sql_cell_creates_a_segment(notebook: Notebook) -> None:
    notebook.variables["least"] = 250
    sql = "SELECT * FROM Customers -- those with $money, don't ask\nWHERE TotalSpend > $least"
    assert notebook.run(f"%%ci_segment 'Big spenders' --key Id -o big --quiet\n{sql}") is None
    big = notebook.variables["big"]
    assert (big.name, big.rows, big.key, big.where) == ("Big spenders", 4, "Id", sql)


@pytest.mark.parametrize("text", ["x' OR 1 = 1 --", "'; DROP VIEW customers; --"])
def test_variable_is_never_pasted_into_sql(notebook: Notebook, text: str) -> None:
    notebook.variables["wanted"] = text
    assert notebook.run("%%ci_segment S\nSELECT * FROM customers WHERE Id = $wanted").rows == 0


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%ci_segment A custmers", "Did you mean 'customers'?"),
        ("%ci_segment A", "A segment needs a frame, or a rule"),
        ("%ci_segment A customers extra", "does not expect 'extra' here"),
        ("%ci_segment A 'Big", "is not closed"),
        ("%ci_segment A customers --where $codition", "Did you mean $condition?"),
        ("%%ci_segment A\nSELECT * FROM custmers", "There is no frame 'custmers'. Did you mean 'customers'?"),
        ("%%ci_segment A\nSELECT * FROM customers WHERE Id = $condtion", "Did you mean $condition?"),
        ("%%ci_segment\nSELECT * FROM customers", "A segment needs a name."),
        ("%%ci_segment A -o a-b\nSELECT * FROM customers", "name of a variable"),
        ("%ci_preview --normalization both", "Nothing to preview."),
        ("%ci_preview Bigspenders", "Did you mean 'Big spenders'?"),
        ("%ci_preview 'Big spenders' --to customers", "There is no connection 'customers'."),
        ("%ci_preview 'Big spenders' --to $customers", "A DataFrame is not a connection."),
        ("%ci_export 'Big spenders'", "The export needs a connection."),
        ("%ci_export 'Big spenders' --to Nobody", "There is no connection 'Nobody'."),
        ("%ci_status {5}", "This is a int, not a name."),
    ],
)
def test_invalid_cell_is_explained(notebook: Notebook, cell: str, words: str) -> None:
    notebook.variables["condition"] = "true"
    notebook.run("%ci_segment 'Big spenders' customers --quiet")
    error = notebook.fail(cell)
    assert words in error.sentence
    assert error.next_step


def test_frame_must_become_a_segment_first(notebook: Notebook) -> None:
    for word in ("customers", "$customers", "{customers.head()}"):
        error = notebook.fail(f"%ci_export {word} --to x")
        assert "DataFrame" in error.sentence
        assert error.next_step == "Make it a segment first: %ci_segment NAME df."


def test_quoted_text_is_always_a_stored_name(notebook: Notebook) -> None:
    notebook.run("big = %ci_segment 'Big spenders' customers")
    assert isinstance(notebook.run("%ci_preview big"), Coverage)
    assert isinstance(notebook.fail("%ci_preview 'big'"), NotFoundError)


def test_ambiguous_bare_word_is_refused(notebook: Notebook) -> None:
    notebook.run("%ci_segment big customers --quiet")
    notebook.run("big = %ci_segment other customers --where 'TotalSpend > 300'")
    error = notebook.fail("%ci_preview big")
    assert "they differ" in error.sentence
    assert error.next_step == 'Write "big" for the stored one, or $big for the variable.'
    assert notebook.run('%ci_preview "big"').segments[0].rows == 6
    assert notebook.run("%ci_preview $big").segments[0].rows == 3
    assert notebook.run("other = %ci_segment other customers --where 'TotalSpend > 300'\n%ci_preview other")


def test_several_segments_are_previewed_together(notebook: Notebook) -> None:
    notebook.run("%ci_segment 'One more' customers --quiet\ntwo = %ci_segment Two customers")
    assert [each.name for each in notebook.run("%ci_preview 'One more' two").segments] == ["One more", "Two"]


def test_duckdb_relation_is_a_frame(notebook: Notebook) -> None:
    notebook.run("import duckdb\nrelation = duckdb.from_df(customers)")
    assert notebook.run("%ci_segment A relation --where 'TotalSpend > 300'").rows == 3
    assert notebook.run("%%ci_segment B\nFROM relation SEMI JOIN customers USING (Id, EMail)").rows == 5


def test_output_contains_no_address(notebook: Notebook) -> None:
    notebook.variables["customers"] = pd.DataFrame({"EMail": ["jan@contoso.com", "eva@@contoso.com"] * 20})
    with capture_output() as said:
        notebook.run("made = %ci_segment A customers\ncoverage = %ci_preview A")
        notebook.run("print(made, coverage, made._repr_html_(), coverage._repr_mimebundle_())")
    assert "A" in said.stdout
    assert "jan" not in said.stdout
    assert "eva" not in said.stdout


def test_rule_creates_a_segment_and_can_name_another(notebook: Notebook) -> None:
    notebook.run("%ci_segment Some customers --rule \"Id is any of c0, c1 and EMail contains '@'\"")
    made = notebook.run("%ci_segment Others customers --rule \"not 'Some'\"")
    assert isinstance(made, Segment)
    assert (made.rows, made.rule) == (4, "not 'Some'")


def test_syntax_error_in_a_rule_is_located(notebook: Notebook) -> None:
    error = notebook.fail('%ci_segment Some customers --rule "Id equals"')
    assert error.sentence.endswith(".\n\n    Id equals\n             ^\n")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("All --resume 12345678", "A run is resumed as it was planned."),
        ("--resume 12345678 --save Weekly", "A run is resumed as it was planned."),
        ("All --save Weekly --dry-run --to EU", "Saving sends nothing, so there is nothing to try."),
    ],
)
def test_line_exports_saves_or_resumes(notebook: Notebook, line: str, sentence: str) -> None:
    notebook.run("%ci_segment All customers --quiet")
    assert notebook.fail(f"%ci_export {line}").sentence == sentence
