from __future__ import annotations

import ast
from pathlib import Path

import ci_magics

PACKAGE = Path(ci_magics.__file__).parent
#: What every layer can import: `display`, and the modules next to `errors`.
ROOT = {"display", *(path.stem for path in PACKAGE.glob("*.py"))} - {"__init__", "sample"}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.startswith("ci_magics")}


def test_emulator_shares_no_code_with_the_client() -> None:
    names = {name for path in (PACKAGE / "emulation").rglob("*.py") for name in imported(path)}
    assert names
    assert all(name.startswith("ci_magics.emulation") for name in names)


def test_client_shares_no_code_with_the_emulator() -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if "emulation" not in path.parts]
    assert len(paths) > 20
    assert not [path.name for path in paths for name in imported(path) if name.startswith("ci_magics.emulation")]


def test_lower_layers_do_not_import_higher_ones() -> None:
    allowed = {
        "segmentation": {"segmentation"},
        "workspace": {"workspace"},
        "microsoft": {"microsoft"},
        "matching": {"matching", "segmentation"},
        "activation": {"activation", "grammar", "matching", "segmentation", "workspace", "microsoft"},
    }
    for layer, may in allowed.items():
        for path in (PACKAGE / layer).rglob("*.py"):
            for name in imported(path) - {"ci_magics"}:
                assert name.split(".")[1] in may | ROOT, f"{path.name} imports {name}"


def test_shared_modules_import_no_layer() -> None:
    paths = [PACKAGE / f"{name}.py" for name in ROOT - {"display"}] + list((PACKAGE / "display").rglob("*.py"))
    assert not [
        f"{path.name} imports {name}" for path in paths for name in imported(path) if name.split(".")[1] not in ROOT
    ]
