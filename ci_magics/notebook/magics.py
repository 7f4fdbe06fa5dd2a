"""The magics: each reads its line and calls the public function of the same job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool

import ci_magics as ci
from ci_magics.errors import ArgumentError, CiError
from ci_magics.notebook import commands
from ci_magics.notebook.arguments import Arguments, Command, Word, parse
from ci_magics.notebook.display import ProgressLine
from ci_magics.notebook.names import connection_named, frame_named, frames_of, parameters_of, segment_named

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Variables = Mapping[str, Any]
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _documented(command: Command) -> Callable[[_Method], _Method]:
    """Give a magic the help of its command, so that ``%name?`` says what ``--help`` says."""

    def document(method: _Method) -> _Method:
        method.__doc__ = command.help()
        return method

    return document


@magics_class
class CiMagics(Magics):
    """Turn a customer DataFrame into a Microsoft Advertising audience."""

    short_errors = Bool(True, help="Show errors as one sentence instead of a traceback.").tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell=shell, parent=shell)
        self._variables = shell.user_ns

    @no_var_expand
    @needs_local_scope
    @line_magic
    @_documented(commands.CONNECT)
    def ci_connect(self, line: str, local_ns: Variables | None = None) -> Any:
        return self._run(commands.CONNECT, line, local_ns, self._connect)

    @no_var_expand
    @needs_local_scope
    @line_magic
    @_documented(commands.SEGMENT)
    def ci_segment(self, line: str, local_ns: Variables | None = None) -> Any:
        return self._run(commands.SEGMENT, line, local_ns, self._segment)

    @no_var_expand
    @needs_local_scope
    @cell_magic("ci_segment")  # type: ignore[arg-type]  # IPython's own annotation knows only the bare form
    @_documented(commands.SEGMENT_CELL)
    def ci_segment_cell(self, line: str, cell: str, local_ns: Variables | None = None) -> Any:
        def work(arguments: Arguments, variables: Variables) -> Any:
            return self._segment_from_sql(arguments, variables, cell)

        return self._run(commands.SEGMENT_CELL, line, local_ns, work)

    @no_var_expand
    @needs_local_scope
    @line_magic
    @_documented(commands.PREVIEW)
    def ci_preview(self, line: str, local_ns: Variables | None = None) -> Any:
        return self._run(commands.PREVIEW, line, local_ns, self._preview)

    @no_var_expand
    @needs_local_scope
    @line_magic
    @_documented(commands.EXPORT)
    def ci_export(self, line: str, local_ns: Variables | None = None) -> Any:
        return self._run(commands.EXPORT, line, local_ns, self._export)

    @no_var_expand
    @needs_local_scope
    @line_magic
    @_documented(commands.STATUS)
    def ci_status(self, line: str, local_ns: Variables | None = None) -> Any:
        return self._run(commands.STATUS, line, local_ns, self._status)

    def _run(
        self,
        command: Command,
        line: str,
        local_ns: Variables | None,
        work: Callable[[Arguments, Variables], Any],
    ) -> Any:
        variables = {**self._variables, **(local_ns or {})}
        try:
            arguments = parse(command, line, variables)
            if arguments.wants_help:
                print(command.help())  # noqa: T201 - help is output
                return None
            result = work(arguments, variables)
        except CiError as error:
            error.short = self.short_errors
            raise
        except Exception as error:
            if not self.short_errors:
                raise
            raise _unexpected(command, error) from None
        if arguments.given("o"):
            self._variables[arguments.given("o")] = result
        return None if arguments.switch("quiet") else result

    def _connect(self, arguments: Arguments, _variables: Variables) -> Any:
        if not arguments.words:
            return ci.open_workspace().connections
        names = ("environment", "url", "customer_id", "account_id", "flow", "client_id", "tenant")
        return ci.connect(
            _text(arguments.words[0]),
            **{name: arguments.given(name) for name in names},
            agree=arguments.switch("agree"),
            accept_terms=arguments.switch("accept_terms"),
            share=arguments.all("share"),
            withdraw=arguments.switch("withdraw"),
        )

    def _segment(self, arguments: Arguments, variables: Variables) -> Any:
        if not arguments.words:
            return ci.open_workspace().segments
        if len(arguments.words) == 1:
            raise ArgumentError(
                "A segment needs a frame.", "For example: " + commands.SEGMENT.example + ".", code="frame_missing"
            )
        return ci.segment(
            _text(arguments.words[0]),
            frame_named(arguments.words[1], variables),
            email=arguments.given("email"),
            key=arguments.given("key"),
            where=arguments.given("where"),
        )

    def _segment_from_sql(self, arguments: Arguments, variables: Variables, sql: str) -> Any:
        if not arguments.words:
            raise ArgumentError("A segment needs a name.", 'For example: %%ci_segment "Big spenders".', code="no_name")
        return ci.segment(
            _text(arguments.words[0]),
            sql,
            frames=frames_of(sql, variables),
            parameters=parameters_of(sql, variables),
            email=arguments.given("email"),
            key=arguments.given("key"),
        )

    def _preview(self, arguments: Arguments, variables: Variables) -> Any:
        return ci.preview(
            *self._segments(arguments, variables),
            to=connection_named(arguments.options.get("to"), variables),
            normalization=arguments.given("normalization") or "basic",
        )

    def _export(self, arguments: Arguments, variables: Variables) -> Any:
        if not arguments.words and not arguments.options:
            from ci_magics.notebook.forms.export import ExportForm

            return ExportForm()
        if "to" not in arguments.options:
            names = ", ".join(f"'{name}'" for name in ci.open_workspace().connections.names())
            raise ArgumentError(
                "Where to is missing.", f"Name a connection with --to; there are: {names or 'none yet'}.", code="no_to"
            )
        from ci_magics.activation.services import can_ask

        names_of_values = ("email", "customer_id", "account_id", "url", "consent")
        days = arguments.given("membership_days")
        return ci.export(
            *self._segments(arguments, variables),
            to=connection_named(arguments.options["to"], variables),
            **{name: arguments.given(name) for name in names_of_values},
            scope=arguments.given("scope") or "account",
            dry_run=arguments.switch("dry_run"),
            normalization=arguments.given("normalization") or "basic",
            membership_days=-1 if days is None else days,
            ignore_consent=arguments.switch("ignore_consent"),
            allow_mixed=arguments.switch("allow_mixed"),
            progress=ProgressLine(live=can_ask() and not arguments.switch("quiet")),
        )

    def _status(self, arguments: Arguments, _variables: Variables) -> Any:
        return ci.status(*(_text(word) for word in arguments.words))

    def _segments(self, arguments: Arguments, variables: Variables) -> list[Any]:
        workspace = ci.open_workspace()
        return [segment_named(word, workspace, variables) for word in arguments.words]


def load(shell: InteractiveShell) -> None:
    """Register the magics; a second time changes nothing."""
    if CiMagics.__name__ not in shell.magics_manager.registry:
        shell.register_magics(CiMagics(shell))


def unload(shell: InteractiveShell) -> None:
    """Take away everything that `load` has added."""
    instance = shell.magics_manager.registry.pop(CiMagics.__name__, None)
    if instance is None:
        return
    for known in shell.magics_manager.magics.values():
        for name in [name for name, magic in known.items() if getattr(magic, "__self__", None) is instance]:
            del known[name]
    if instance in shell.configurables:
        shell.configurables.remove(instance)


def _text(word: Any) -> str:
    if isinstance(word, Word):
        return word.text
    name = getattr(word, "name", None)
    if isinstance(name, str):
        return name
    raise ArgumentError(f"A {type(word).__name__} is not a name.", "Write the name itself.", code="not_a_name")


def _unexpected(command: Command, error: Exception) -> CiError:
    """Say that something went wrong without the words of another library: they may quote data."""
    return CiError(
        f"{command.name} failed unexpectedly ({type(error).__name__}).",
        "See where with %config CiMagics.short_errors = False, and please report it.",
        code="unexpected",
    )
