"""Rules of the repository: who imports whom, what is public, and what no file may contain."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import ci_magics
from ci_magics import errors

PACKAGE = Path(ci_magics.__file__).parent
ROOT = PACKAGE.parent
PARTS = {
    "activation", "cli", "emulation", "grammar", "matching", "microsoft", "notebook", "operations", "sample",
    "segmentation", "server_extension", "display", "workspace",
}  # fmt: skip
LOWEST = ("segmentation", "workspace", "microsoft")
FORBIDDEN = {
    **{part: PARTS - {part, "display"} for part in LOWEST},
    "display": PARTS - {"display"},
    "grammar": PARTS - {"grammar", "display"},
    "matching": PARTS - {"matching", "segmentation", "display"},
    "activation": {"operations", "notebook", "cli", "emulation", "server_extension"},
    "operations": {"notebook", "cli", "emulation", "server_extension"},
    "notebook": {"cli", "emulation", "server_extension"},
    "server_extension": {"notebook", "cli", "emulation"},
    "cli": {"emulation", "notebook"},
    "sample": PARTS - {"sample"},
    "errors": PARTS,
}
MOMENTS = {
    *("datetime.now", "datetime.datetime.now", "dt.datetime.now", "datetime.utcnow", "datetime.today"),
    *("date.today", "datetime.date.today", "dt.date.today", "time.time", "time.monotonic", "time.perf_counter"),
}
#: Imports that are allowed inside functions or for type checkers, with reasons. All others are at the top.
LAZY_FRONT_ENDS = ("__init__.py", "notebook/", "cli/", "server_extension/")  # they start before anything is needed
LAZY_LIBRARIES = {
    **dict.fromkeys(("pandas", "pyspark", "py4j", "polars", "polars_hash", "sqlglot", "alembic"), "takes long to load"),
    **dict.fromkeys(("python_calamine", "openpyxl", "nbclient", "nbformat"), "takes long to load, and few need it"),
    **dict.fromkeys(("adbc_driver_postgresql", "keyring", "msal_extensions"), "may be missing, or fail while loading"),
    "resource": "missing on Windows",
    "_typeshed": "exists for type checkers only",
}
LAZY_MODULES = {
    # imported module: the folder or file that imports it, and why
    "ci_magics.emulation.hashes": ("emulation/", "NumPy takes as long to load as the rest of the emulator"),
    "ci_magics.emulation.advertising.ingest": ("emulation/advertising/bulk.py", "loads PyArrow in the background"),
    "ci_magics.emulation.invented.selection": ("emulation/insights/", "loads Polars in the background"),
    "ci_magics.segmentation.sources.frames": ("matching/distributed.py", "executors match Arrow data without it"),
}
# Composed here, so that this file does not contain them.
NEVER = {
    "a path of somebody's machine": [f"/{folder}/" for folder in ("ro" + "ot", "wo" + "rk", "ho" + "me", "Us" + "ers")],
    "a package index": ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "index" + "-url"],
}


def modules() -> list[str]:
    names = [each.name for each in pkgutil.walk_packages([str(PACKAGE)], "ci_magics.")]
    return [name for name in names if not name.endswith(".__main__")]  # it starts a server


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of all imports of a file, including those inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def lazily_imported(path: Path) -> Iterator[str]:
    """Yield the full names of imports inside functions, or for type checkers only."""
    for outer in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test)
        ):
            for node in ast.walk(outer):
                if isinstance(node, ast.Import):
                    yield from (each.name for each in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield from (f"{node.module}.{each.name}" for each in node.names)


def file_graph() -> dict[str, set[str]]:
    """Return all files of the package, by module name, and the files that each of them imports anywhere.

    Exports of the package are left out, because names are imported from the files.
    """
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    names = {name.removesuffix(".__init__"): path for name, path in paths.items()}

    def file_of(name: str) -> str:
        while name and name not in names:
            name = name.rpartition(".")[0]
        return name

    return {name: {file_of(each) for each in imported(path)} - {"", name} for name, path in names.items()}


def contents_of(folder: Path, files: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the content of a folder of the package, and what each file or folder in it imports from the others."""
    before = ".".join(("ci_magics", *folder.relative_to(PACKAGE).parts, ""))
    needed: dict[str, set[str]] = {}
    for name, others in files.items():
        if name.startswith(before):
            room = name.removeprefix(before).split(".")[0]
            found = {each.removeprefix(before).split(".")[0] for each in others if each.startswith(before)}
            needed.setdefault(room, set()).update(found - {room})
    return needed


def parts_imported(path: Path) -> set[str]:
    names = [name.split(".") for name in imported(path)]
    return {name[1] for name in names if name[0] == "ci_magics" and len(name) > 1}


def sources(part: str) -> list[Path]:
    file = PACKAGE / f"{part}.py"
    return [file] if file.exists() else sorted((PACKAGE / part).rglob("*.py"))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def shell_lines(heading: str) -> list[str]:
    """Return the lines of the first code block under a heading of the README."""
    section = (ROOT / "README.md").read_text("utf-8").split(f"\n## {heading}\n")[1]
    block = re.search(r"```sh\n(.*?)\n```", section.split("\n## ")[0], re.DOTALL)
    assert block is not None
    return block.group(1).splitlines()


def test_every_module_can_be_imported_and_hides_no_public_name() -> None:
    before = {name: getattr(ci_magics, name) for name in ci_magics.__all__}
    assert len(modules()) > 40
    for name in modules():
        importlib.import_module(name)
    assert {name: getattr(ci_magics, name) for name in ci_magics.__all__} == before
    assert not [name for name, value in before.items() if isinstance(value, ModuleType)]


def test_no_module_has_the_name_of_a_public_function() -> None:
    top = {each.name for each in pkgutil.iter_modules([str(PACKAGE)])}
    assert top >= PARTS
    assert top & set(ci_magics.__all__) == set()


def test_public_names_come_from_where_they_are_defined() -> None:
    for name in set(ci_magics.__all__) - {"__version__"}:
        value = getattr(ci_magics, name)
        named = hasattr(value, "__name__")  # a collection is an object
        assert (value.__name__ if named else type(value).__name__) == (name if named else name.capitalize())
        assert value.__module__.split(".")[0] == "ci_magics"
        assert value.__doc__, name
    assert set(dir(ci_magics)) == set(ci_magics.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ci_magics.nothing  # noqa: B018 - looking it up is the test


def test_type_checkers_see_the_public_names() -> None:
    (seen,) = (node for node in ast.parse(Path(ci_magics.__file__).read_text("utf-8")).body if isinstance(node, ast.If))
    imports = [node for node in seen.body if isinstance(node, ast.ImportFrom)]
    homes = {each.name: str(node.module).removeprefix("ci_magics.") for node in imports for each in node.names}
    assert homes.pop("InteractiveShell").startswith("IPython")
    assert homes == ci_magics._HOMES  # noqa: SLF001 - the names as they are loaded


def test_every_public_error_is_exported() -> None:
    defined = {
        name for name, each in vars(errors).items() if isinstance(each, type) and each.__module__ == errors.__name__
    }
    assert len(defined) > 10
    assert defined <= set(ci_magics.__all__)


@pytest.mark.parametrize("part", sorted(FORBIDDEN))
def test_imports_follow_the_layers(part: str) -> None:
    assert sources(part)
    found = {path.name: parts_imported(path) & FORBIDDEN[part] for path in sources(part)}
    assert {name: parts for name, parts in found.items() if parts} == {}


def test_no_import_circles_between_files() -> None:
    files = file_graph()
    assert len(files) > 400
    # The root is left out: it names the whole package for its users, and the notebook and the command line use it so.
    assert {name.split(".")[1] for name, others in files.items() if "ci_magics" in others} <= {"notebook", "cli"}
    below = {name: others - {"ci_magics"} for name, others in files.items() if name != "ci_magics"}
    TopologicalSorter(below).prepare()  # raises an error that names the files of a circle


def test_no_import_circles_between_folders() -> None:
    files = file_graph()
    folders = [each.parent for each in PACKAGE.rglob("__init__.py")]
    assert len(folders) > 20
    for folder in folders:
        TopologicalSorter(contents_of(folder, files)).prepare()


def test_imports_are_at_the_top_unless_a_reason_is_declared() -> None:
    used: set[str] = set()
    undeclared = []
    for path in PACKAGE.rglob("*.py"):
        file = str(path.relative_to(PACKAGE))
        if file.startswith(LAZY_FRONT_ENDS):
            continue
        for name in lazily_imported(path):
            known = next((each for each in (*LAZY_LIBRARIES, *LAZY_MODULES) if f"{name}.".startswith(f"{each}.")), None)
            if known is None or (known in LAZY_MODULES and not file.startswith(LAZY_MODULES[known][0])):
                undeclared.append((file, name))
            else:
                used.add(known)
    assert undeclared == []
    assert used == {*LAZY_LIBRARIES, *LAZY_MODULES}


def test_emulator_imports_only_itself() -> None:
    assert len(sources("emulation")) > 5
    assert {part for path in sources("emulation") for part in parts_imported(path)} == {"emulation"}


def test_emulator_is_started_in_two_places_only() -> None:
    naming = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "emulation" not in path.relative_to(PACKAGE).parts and '"ci_magics.emulation"' in path.read_text("utf-8")
    }
    assert naming == {"activation/connections/emulator_process.py", "cli/emulator.py"}


def test_only_the_clock_module_reads_the_time() -> None:
    doors = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "emulation" not in path.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in MOMENTS
    }
    assert doors == {"clock.py"}


@pytest.mark.parametrize("what", NEVER)
def test_no_file_contains(what: str) -> None:
    files = tracked()
    assert len(files) > 50
    assert [
        (str(file.relative_to(ROOT)), text)
        for file in files
        for text in NEVER[what]
        if text.encode() in file.read_bytes()
    ] == []


def test_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize(("heading", "does"), [("Try it", "ci-magics notebook notebooks/"), ("Test it", "-m pytest")])
def test_readme_section_starts_with_one_line_of_shell(heading: str, does: str) -> None:
    line = shell_lines(heading)[0]
    assert line.startswith("python3 -m venv .venv && ")
    assert does in line
    assert not line.endswith("\\")
    subprocess.run(["bash", "-n", "-c", line], check=True)  # noqa: S607 - only its grammar is read


def test_files_named_in_the_readme_exist() -> None:
    words = " ".join(shell_lines("Try it")).split()
    notebooks = {word for word in words if word.endswith(".ipynb")}
    assert notebooks
    assert all((ROOT / name).is_file() for name in notebooks)


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_files_named_in_the_documentation_exist(page: str) -> None:
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*/[a-z_]+\.py)`", (ROOT / page).read_text("utf-8"))
    assert len(named) > 5
    assert [name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()] == []
