"""Read functions from source text without importing their module, which takes seconds: Tab completion must be fast.

Such a function has its signature, its docstring and its decorators, but no body. The names in them are
looked up where the module says they come from: in modules that are loaded, else in their source. Names found in
neither, such as types of other libraries, are unknown types. A test compares every operation with its real function.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Modules that take no time to import.
_LIGHT = (
    "__future__",
    "collections.abc",
    "datetime",
    "enum",
    "pathlib",
    "typing",
    "ci_magics.grammar",
    "ci_magics.workspace.access",
)
_OURS = __name__.partition(".")[0]


class _Unknown(type):
    """Lets `NotLoaded` represent a module too, whose types are unknown."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return cls


class NotLoaded(metaclass=_Unknown):
    """Represents a type of a module that is not loaded."""

    def __class_getitem__(cls, _items: Any) -> type[NotLoaded]:
        return cls


class Names(dict[str, Any]):
    """The names of a module, each evaluated when it is looked up.

    Parameters
    ----------
    module
        The module's full name.
    """

    def __init__(self, module: str) -> None:
        super().__init__(__name__=module)
        self._statements = dict(_named(_tree(module)))

    def __missing__(self, name: str) -> Any:
        statement = self._statements.get(name)
        if statement is None:
            return getattr(builtins, name, NotLoaded)
        self[name] = NotLoaded  # for a recursive name
        self[name] = self._evaluated(name, statement)
        return self[name]

    def _evaluated(self, name: str, statement: ast.stmt) -> Any:
        match statement:
            case ast.ImportFrom():
                original = next(each.name for each in statement.names if (each.asname or each.name) == name)
                return _imported(statement.module or "", original)
            case ast.Import():
                return _module(next(each.name for each in statement.names if (each.asname or each.name) == name))
            case ast.Assign() | ast.AnnAssign() if statement.value is not None:
                return eval(compile(ast.Expression(statement.value), "", "eval"), {}, self)  # noqa: S307 - our own source
            case ast.ClassDef() if any(
                isinstance(each, ast.Name) and each.id == "TypedDict" for each in statement.bases
            ):
                return self.run(statement)
        return NotLoaded

    def run(self, statement: ast.stmt) -> Any:
        """Return the function or class that a statement defines."""
        code = compile(ast.Module([_future(), statement], []), "", "exec")
        scope = _Scope(self)
        exec(code, {"__name__": self["__name__"]}, scope)  # noqa: S102 - our own source
        return scope[statement.name]  # type: ignore[attr-defined]  # a function or a class


class _Scope(dict[str, Any]):
    """The names that a statement defines, on top of those of its module."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: str) -> Any:
        return self._names[name]


def function_in(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a module, without its body.

    Parameters
    ----------
    module
        The module's full name.
    name
        The function; a method with its class, as in ``Segments.rename``.
    """
    found = dict(functions_in(module, name.rpartition(".")[0]))
    return found[name.rpartition(".")[2]]


def functions_in(module: str, owner: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions of a module or of a class in it, without their bodies.

    Parameters
    ----------
    module
        The module's full name.
    owner
        The class; empty for the module itself.
    """
    names, body = names_of(module), _tree(module).body
    if owner:
        body = next(each for each in body if isinstance(each, ast.ClassDef) and each.name == owner).body
    for each in body:
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
            yield each.name, names.run(_without_body(each))


@functools.cache
def names_of(module: str) -> Names:
    """Return the names of a module."""
    return Names(module)


@functools.cache
def _tree(module: str) -> ast.Module:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return ast.parse(Path(spec.origin).read_text("utf-8"))


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the statements at the top of a module that define names, also those for type checkers."""
    for each in [inner for one in tree.body for inner in (one.body if isinstance(one, ast.If) else [one])]:
        match each:
            case ast.Import() | ast.ImportFrom():
                yield from ((alias.asname or alias.name, each) for alias in each.names)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, each
            case ast.ClassDef(name=name):
                yield name, each


def _imported(module: str, name: str) -> Any:
    if module in sys.modules and hasattr(sys.modules[module], name):
        return getattr(sys.modules[module], name)
    if module.startswith(_LIGHT):
        return getattr(importlib.import_module(module), name)
    return names_of(module)[name] if module.startswith(f"{_OURS}.") else NotLoaded


def _module(name: str) -> Any:
    return importlib.import_module(name) if name.startswith(_LIGHT) else sys.modules.get(name, NotLoaded)


def _future() -> ast.stmt:
    return ast.parse("from __future__ import annotations").body[0]


def _without_body(function: ast.FunctionDef) -> ast.FunctionDef:
    """Return a function with its docstring only, and those of its decorators that declare something."""
    declared: list[ast.expr] = [
        each
        for each in function.decorator_list
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "operation"
    ]
    text = ast.get_docstring(function) or ""
    body = ast.Expr(ast.Constant(text))
    copied = ast.FunctionDef(function.name, function.args, [body], declared, None)
    return ast.fix_missing_locations(ast.copy_location(copied, function))
