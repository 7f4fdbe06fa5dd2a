"""Load, run and unload the magics in a shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool, Enum

from ci_magics.advice import Reader, set_reader
from ci_magics.discreet import UNEXPECTED
from ci_magics.display.output import adapt_streams, write
from ci_magics.errors import ArgumentError, CiError
from ci_magics.grammar.arguments import parse
from ci_magics.notebook.call import Call, Magic
from ci_magics.notebook.completion import add_matcher, remove_matcher
from ci_magics.notebook.old_syntax import reject_old_syntax
from ci_magics.notebook.options import OPTIONS, SET, OptionList, OptionRefused, known_option, outside_options
from ci_magics.notebook.registry import MAGICS
from ci_magics.notebook.stored_names import StoredNames
from ci_magics.operations.declarations import Done
from ci_magics.unquoted import type_of, unquoted

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Variables = Mapping[str, Any]


@magics_class
class CiMagics(Magics):
    """Turn a customer DataFrame into a Microsoft Advertising audience."""

    short_errors = Bool(True, help=OPTIONS["short_errors"].help).tag(config=True)
    progress = Bool(True, help=OPTIONS["progress"].help).tag(config=True)
    normalization = Enum(OPTIONS["normalization"].choices, "basic", help=OPTIONS["normalization"].help).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        outside = outside_options()
        super().__init__(shell=shell, parent=shell)
        in_profile = set(shell.config.get(type(self).__name__, {}))
        self._sources = {name: SET if name in in_profile else source for name, (_value, source) in outside.items()}
        for name in set(outside) - in_profile:
            setattr(self, name, outside[name][0])
        self._variables = shell.user_ns
        self.matcher: Any = None
        self.stored = StoredNames()
        for magic in MAGICS:
            self.magics[magic.kind][magic.name] = _function(self, magic)

    def set_option(self, name: str, value: Any) -> None:
        """Set an option.

        Parameters
        ----------
        name
            The option's name.
        value
            The new value, as text or as the option's own type.

        Raises
        ------
        ArgumentError
            There is no such option, or the value is not allowed.
        """
        setattr(self, name, known_option(name).read(value))
        self._sources[name] = SET

    def option_list(self, *, sources: bool = False) -> OptionList:
        """Return all options with their values."""
        return OptionList({name: getattr(self, name) for name in OPTIONS}, dict(self._sources), sources)

    def update_config(self, config: Any) -> None:
        """Apply ``%config CiMagics.NAME = VALUE``.

        Raises
        ------
        OptionRefused
            There is no such option, or the value is not allowed.
        """
        try:
            for name, value in config.get(type(self).__name__, {}).items():
                self.set_option(name, value)
        except ArgumentError as error:
            raise OptionRefused(error) from None

    def run(self, magic: Magic, line: str, cell: str, local_ns: Variables | None) -> Any:
        """Run a magic.

        Parameters
        ----------
        magic
            The magic.
        line
            The text after the magic's name.
        cell
            The body of a cell magic; empty for a line magic.
        local_ns
            Local variables where the magic is called in a function; they override the notebook's.

        Returns
        -------
        Any
            The result to show; None with ``--quiet`` or ``--help``.

        Raises
        ------
        CiError
            The magic failed. Unexpected errors are wrapped without their text, which may quote data.
        """
        variables = {**self._variables, **(local_ns or {})}
        try:
            chosen = magic.chosen(line)
            reject_old_syntax(magic.title, chosen.rest)
            arguments = parse(chosen.command, chosen.rest, variables)
            if arguments.wants_help:
                write(f"{chosen.command.help()}\n")
                return None
            call = Call(arguments, variables, self, cell, chosen.verb)
            result = magic.work(call)
            if isinstance(result, Done):
                result = result.shown(call.say)
        except CiError as error:
            if error.code == UNEXPECTED and error.__cause__ is not None:
                unexpected = _unexpected(magic.title, error.__cause__)
                unexpected.short = self.short_errors
                raise unexpected from error.__cause__
            error.short = self.short_errors
            raise
        except Exception as error:  # noqa: BLE001 - re-raised without its text, which may quote data
            unexpected = _unexpected(magic.title, error)
            unexpected.short = self.short_errors
            raise unexpected from unquoted(error)
        if arguments.given("o"):
            self._variables[arguments.given("o")] = result
        return None if arguments.switch("quiet") else result


def _function(magics: CiMagics, magic: Magic) -> Callable[..., Any]:
    """Return the function for IPython. ``%name?`` shows the ``--help`` text, which is made when it is asked for."""

    def call(line: str, cell: str = "", local_ns: Variables | None = None) -> Any:
        return magics.run(magic, line, cell, local_ns)

    call.__name__ = magic.name
    call.__doc__ = f"See {magic.title} --help."
    call.getdoc = lambda: magic.command.help()  # type: ignore[attr-defined]  # IPython's hook for docstrings
    return no_var_expand(needs_local_scope(call))


def load(shell: InteractiveShell) -> None:
    """Register the magics; idempotent."""
    set_reader(Reader.NOTEBOOK)
    adapt_streams()  # only a terminal's streams; a kernel's accept every character
    if CiMagics.__name__ not in shell.magics_manager.registry:
        magics = CiMagics(shell)
        shell.register_magics(magics)
        magics.matcher = add_matcher(shell, magics.stored)
        shell.events.register("post_run_cell", magics.stored.look_again)


def unload(shell: InteractiveShell) -> None:
    """Remove everything that `load` added."""
    instance = shell.magics_manager.registry.pop(CiMagics.__name__, None)
    if instance is None:
        return
    set_reader(Reader.PYTHON)
    for kind, ours in instance.magics.items():
        known = shell.magics_manager.magics[kind]
        for name in [name for name, function in ours.items() if known.get(name) is function]:
            del known[name]
    remove_matcher(shell, instance.matcher)
    shell.events.unregister("post_run_cell", instance.stored.look_again)
    instance.stored.end()
    if instance in shell.configurables:
        shell.configurables.remove(instance)
    shell.meta.pop("ci_magics.forms", None)


def _unexpected(title: str, error: BaseException) -> CiError:
    """Return the error for an unexpected failure, without another library's text, which may quote data."""
    return CiError(
        f"{title} failed unexpectedly ({type_of(error)}).",
        "See where with %tb or %config CiMagics.short_errors = False, and please report it.",
        code=UNEXPECTED,
    )
