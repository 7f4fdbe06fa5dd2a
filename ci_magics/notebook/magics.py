"""The magics: each reads its line and calls the public function of the same job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool

import ci_magics as ci
from ci_magics.errors import ArgumentError, CiError
from ci_magics.notebook import commands
from ci_magics.notebook.arguments import Arguments, Command, parse
from ci_magics.notebook.display import ProgressLine
from ci_magics.notebook.names import connection_named, frame_named, frames_of, parameters_of, segment_named
from ci_magics.notebook.segment_verbs import carry_out, verb_of
from ci_magics.notebook.words import Word

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
            unexpected = _unexpected(command, error)
            unexpected.short = self.short_errors
            raise unexpected from error
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
        verb = verb_of(arguments)
        if verb is not None:
            return carry_out(verb, _text(arguments.words[0]), arguments)
        if not arguments.words:
            from ci_magics.activation.segment_list import list_segments

            return list_segments()
        if len(arguments.words) == 1 and "rule" not in arguments.options:
            raise ArgumentError(
                "A segment needs a frame, or a rule over earlier segments.",
                "For example: " + commands.SEGMENT.example + ".",
                code="frame_missing",
            )
        return ci.segment(
            _text(arguments.words[0]),
            frame_named(arguments.words[1], variables) if len(arguments.words) > 1 else None,
            email=arguments.given("email"),
            key=arguments.given("key"),
            where=arguments.given("where"),
            rule=arguments.given("rule"),
            show=_sayer(arguments),
        )

    def _segment_from_sql(self, arguments: Arguments, variables: Variables, sql: str) -> Any:
        if not arguments.words:
            raise ArgumentError("A segment needs a name.", 'For example: %%ci_segment "Big spenders".', code="no_name")
        name, database = _text(arguments.words[0]), arguments.given("database")
        # A frame of the segment's own name stays that frame when the cell is run again.
        earlier = [each for each in ci.open_workspace().segments.names() if each != name]
        return ci.segment(
            name,
            sql,
            frames={} if database else frames_of(sql, variables, earlier),
            parameters=parameters_of(sql, variables, in_database=database is not None),
            database=database,
            email=arguments.given("email"),
            key=arguments.given("key"),
            show=_sayer(arguments),
        )

    def _preview(self, arguments: Arguments, variables: Variables) -> Any:
        return ci.preview(
            *self._segments(arguments, variables),
            to=connection_named(arguments.options.get("to"), ci.open_workspace(), variables),
            normalization=arguments.given("normalization") or "basic",
        )

    def _export(self, arguments: Arguments, variables: Variables) -> Any:
        if not arguments.words and not arguments.options:
            from ci_magics.notebook.forms.export import ExportForm

            return ExportForm()
        from ci_magics.activation.services import can_ask

        texts = ("email", "customer_id", "account_id", "url", "consent", "audience", "membership_days", "resume")
        defaults = {"mode": "mirror", "scope": "account", "normalization": "basic"}
        switches = ("dry_run", "ignore_consent", "allow_empty", "allow_shrink", "allow_mixed")
        options: dict[str, Any] = {name: arguments.given(name) for name in texts}
        options |= {name: arguments.given(name) or default for name, default in defaults.items()}
        options |= {name: arguments.switch(name) for name in switches}
        workspace = ci.open_workspace()
        exclude = [segment_named(word, workspace, variables) for word in arguments.options.get("exclude", [])]
        to = arguments.options.get("to")
        return ci.export(
            *self._segments(arguments, variables),
            to=None if to is None else connection_named(to, workspace, variables),
            exclude=exclude,
            **options,
            progress=ProgressLine(live=can_ask() and not arguments.switch("quiet")),
        )

    def _status(self, arguments: Arguments, variables: Variables) -> Any:
        return ci.status(
            *(each if isinstance(each, str) else _text(each) for each in self._segments(arguments, variables))
        )

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


def _sayer(arguments: Arguments) -> Callable[[str], None]:
    return (lambda _sentence: None) if arguments.switch("quiet") else print


def _text(word: Any) -> str:
    if isinstance(word, Word):
        return word.text
    name = getattr(word, "name", None)
    if isinstance(name, str):
        return name
    raise ArgumentError(f"This is a {type(word).__name__}, not a name.", "Write the name itself.", code="not_a_name")


def _unexpected(command: Command, error: Exception) -> CiError:
    """Say that something went wrong without the words of another library: they may quote data."""
    return CiError(
        f"{command.name} failed unexpectedly ({type(error).__name__}).",
        "See where with %tb or %config CiMagics.short_errors = False, and please report it.",
        code="unexpected",
    )
