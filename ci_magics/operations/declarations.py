"""All operations by their names in Python: what a line of the notebook or of a terminal can do, and how it is done."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ci_magics.discreet import discreet
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.grammar.command import Arguments, Command, Flag, Positional
from ci_magics.grammar.operation import Operation, Resolve
from ci_magics.grammar.reading import operation_of, operations_of


@dataclass(frozen=True)
class Noun:
    """A collection with verbs.

    Parameters
    ----------
    name
        Its name in Python, and in a line.
    module, collection
        The module and the class that have its verbs.
    summary
        What a line with the noun alone does.
    of
        What the collection belongs to, such as a connection; its name is then the first word after the verb, and may
        be left out where there is only one.
    """

    name: str
    module: str
    collection: str
    summary: str
    of: str = ""

    def default(self) -> Any:
        """Return the public collection, which uses the default workspace; `ci_magics.audiences` for audiences."""
        found = getattr(importlib.import_module(f"ci_magics.{self.module}"), self.name)
        return discreet(found) if inspect.isfunction(found) else found

    def verbs(self) -> dict[str, Operation]:
        """Return its operations by their verbs."""
        return operations_of(self.name, f"ci_magics.{self.module}", self.collection)

    def command(self, title: str, *options: Flag) -> Command:
        """Return the declaration of a line without a verb: it lists, and its help names the verbs.

        Parameters
        ----------
        title
            How the line begins, such as ``%ci_segments``.
        options
            The options of the line.
        """
        verbs = self.verbs()
        word = Positional(
            "VERB", "what to do; without it, list them", several=True, kind=self.of or "text", choices=tuple(verbs)
        )
        width = max(map(len, verbs))
        lines = [f"  {name:<{width}}  {each.summary}" for name, each in verbs.items()]
        examples = [f"{title} {name} {each.facts.example}" for name, each in verbs.items() if each.facts.example]
        notes = "\n".join([f"{title} VERB --help says more about a verb:", *lines])
        words = (word,)
        return Command(title, self.summary, "\n".join([title, *examples[:3]]), words, options, notes)

    def commands(self, title: str, *options: Flag) -> dict[str, Command]:
        """Return the declarations of the lines with a verb, by their verbs.

        Parameters
        ----------
        title
            How the lines begin.
        options
            Options that every line has.
        """
        found = {verb: each.command(f"{title} {verb}", *options) for verb, each in self.verbs().items()}
        return {verb: replace(each, positionals=(*self._owner(), *each.positionals)) for verb, each in found.items()}

    def _owner(self) -> tuple[Positional, ...]:
        if not self.of:
            return ()
        return (Positional(self.of.upper(), "whose; may be left out where there is only one", kind=self.of),)

    def owner_of(self, path: str, arguments: Arguments) -> tuple[Any, Arguments]:
        """Return the word that names what the collection belongs to, and the arguments without it.

        Parameters
        ----------
        path
            The operation; empty for a line without a verb.
        arguments
            The parsed line.
        """
        needed = len([each for each in declaration(path).words if each.needed]) if path else 0
        if not self.of or len(arguments.words) <= needed:
            return None, arguments
        return arguments.words[0], replace(arguments, words=arguments.words[1:])

    def listed(self, words: Sequence[str], of: Any, title: str) -> Any:
        """Return the table of the noun, or what is known about one object.

        Parameters
        ----------
        words
            The words of a line without a verb: nothing, or a name.
        of
            The collection, if the noun has several.
        title
            How the line begins.

        Raises
        ------
        ArgumentError
            The word is neither a verb nor a name.
        """
        found = self.default() if of is None else of
        if not words:
            return _table(found)
        verbs, names = self.verbs(), found.names() if hasattr(found, "names") else []
        if words[0] in names and "show" in verbs:
            return found.show(words[0])
        if words[0] in names and _takes_names(found):
            return found.overview(words[0])
        nearest = nearest_name(words[0], [*verbs, *names])
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise ArgumentError(
            f"{title} does not know '{words[0]}'.{hint}", f"Use {', '.join(verbs)}.", code="unknown_verb"
        )


NOUNS: Mapping[str, Noun] = {
    each.name: each
    for each in (
        Noun("connections", "operations.connections", "Connections", "List the connections, or change one."),
        Noun("segments", "operations.segments", "Segments", "List the segments, or do something with one."),
        Noun("exports", "operations.exports", "Exports", "List the saved exports; run, change or schedule them."),
        Noun("runs", "operations.runs", "Runs", "List the runs, or finish one that was interrupted."),
        Noun(
            "audiences",
            "activation.audiences.audience_list",
            "AudienceList",
            "List the Customer Match lists of an account; rename, empty or delete one.",
            of="connection",
        ),
        Noun("roles", "operations.roles", "Roles", "List who is what in the workspace; give or take a role."),
        Noun(
            "notifications",
            "operations.notifications",
            "Notifications",
            "Show who is told when an export fails, or choose it.",
        ),
        Noun("emulator", "operations.emulator", "Emulator", "Show the emulator of the workspace, stop it or reset it."),
    )
}
#: The types of objects that a table has lines of.
_OBJECTS = ("Segment", "Export", "UserRole")
#: The operations that return sentences.
_SENTENCES = ("exports.remove", "notifications.test")
#: What to say of an operation that returns whether it did something.
_SAID = {"emulator.stop": ("The emulator of this workspace has stopped.", "The emulator did not run.")}
#: The operations that show the object that they return instead of its line in a table.
_SHOWN_ALONE = ("exports.save",)
#: The operations without a noun, and the modules that define them.
FUNCTIONS: Mapping[str, str] = {
    "audit": "operations.workspaces",
    "connect": "activation.connect",
    "doctor": "activation.examination",
    "export": "operations.exporting",
    "forget": "activation.erasure.forget",
    "insights": "activation.segments.customer_insights.connect",
    "overlap": "activation.segments.overlap",
    "plan": "operations.exporting",
    "preview": "activation.plans.preview",
    "purge": "activation.retention",
    "refresh": "activation.refreshes.refresh",
    "segment": "activation.segments.make_segment",
    "status": "activation.runs.status",
}


@functools.cache
def declaration(path: str) -> Operation:
    """Return the declaration of an operation.

    Parameters
    ----------
    path
        Its name in Python: ``export`` or ``segments.rename``.
    """
    noun, _, name = path.rpartition(".")
    if noun:
        return operation_of(path, f"ci_magics.{NOUNS[noun].module}", f"{NOUNS[noun].collection}.{name}")
    return operation_of(path, f"ci_magics.{FUNCTIONS[name]}", name)


@dataclass(frozen=True)
class Done:
    """An operation that was carried out.

    Parameters
    ----------
    path
        Its name in Python, or a noun that was listed.
    result
        What it returned.
    of
        The collection, if its noun has several.
    """

    path: str
    result: Any
    of: Any = None

    def shown(self, show: Callable[[str], None]) -> Any:
        """Return what to show: the result, or the table of the objects that it changed.

        Parameters
        ----------
        show
            Receives sentences to print beside it.
        """
        noun = self.path.rpartition(".")[0]
        result = self.result
        if isinstance(result, bool):
            done, nothing = _SAID.get(self.path, ("Done.", "There was nothing to do."))
            return done if result else nothing
        if not noun or self.path in _SHOWN_ALONE:
            return result
        collection = NOUNS[noun].default() if self.of is None else self.of
        objects = result if isinstance(result, list) else [result]
        if result is None:
            return _table(collection)
        if self.path in _SENTENCES:
            for sentence in objects:
                show(sentence)
            return _table(collection)
        if self.path == "exports.edit":
            return collection.show(result.name)
        if not objects or any(type(each).__name__ not in _OBJECTS for each in objects):
            return result
        return collection.overview(*(each.name for each in objects)) if _takes_names(collection) else _table(collection)


def carry_out(
    operation: Operation, arguments: Arguments, resolve: Resolve, around: Mapping[str, Any], of: Any = None
) -> Done:
    """Carry out an operation as a line says.

    Parameters
    ----------
    operation
        The operation.
    arguments
        The parsed line.
    resolve
        Turns a word into the value that a parameter takes.
    around
        What is handed to every operation that takes it, such as ``show`` and ``progress``.
    of
        The collection, if its noun has several.

    Returns
    -------
    Done
        The operation and its result.
    """
    words, options = operation.given(arguments, resolve)
    function = function_of(operation.path, of)
    taken = {*inspect.signature(function).parameters, *(each.name for each in operation.options)}
    beside = {name: value for name, value in around.items() if name in taken}
    return Done(operation.path, function(*words, **options, **beside), of)


def function_of(path: str, of: Any = None) -> Callable[..., Any]:
    """Return the public function or method of an operation.

    Parameters
    ----------
    path
        Its name in Python.
    of
        The collection; by default, the one of the default workspace.
    """
    noun, _, name = path.rpartition(".")
    function: Callable[..., Any]
    if noun:
        function = getattr(NOUNS[noun].default() if of is None else of, name)
    else:
        function = discreet(getattr(importlib.import_module(f"ci_magics.{FUNCTIONS[name]}"), name))
    return function


def _table(collection: Any) -> Any:
    """Return what a collection holds now, as a table."""
    return collection.overview() if hasattr(collection, "overview") else collection


def _takes_names(collection: Any) -> bool:
    """Return whether the table of a collection can be made of some of its objects."""
    return "names" in inspect.signature(getattr(collection, "overview", lambda: None)).parameters
