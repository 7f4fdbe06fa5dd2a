"""Tokenize a query as each database does: words, names, texts, comments and ``$name`` parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["word", "name", "text", "number", "parameter", "sign"]


@dataclass(frozen=True)
class Lexis:
    """The lexical rules that differ between databases.

    Parameters
    ----------
    backslash
        A backslash in a text escapes the next character.
    dollar
        ``$tag$ ... $tag$`` is a text.
    nested
        Comments can be nested.
    hash_comment
        ``#`` begins a comment.
    blank_after_dashes
        ``--`` begins a comment only before a blank.
    executed_comment
        ``/*! ... */`` is not a comment: the database runs it.
    brackets
        ``[name]`` is a name.
    backticks
        A name can be written between backticks.
    double_is_text
        ``"..."`` is a text, not a name.
    """

    backslash: bool = False
    dollar: bool = False
    nested: bool = False
    hash_comment: bool = False
    blank_after_dashes: bool = False
    executed_comment: bool = False
    brackets: bool = False
    backticks: bool = False
    double_is_text: bool = False


_MYSQL = Lexis(
    backslash=True,
    hash_comment=True,
    blank_after_dashes=True,
    executed_comment=True,
    backticks=True,
    double_is_text=True,
)
_POSTGRESQL = Lexis(dollar=True, nested=True)
_LEXIS = {
    "postgresql": _POSTGRESQL,
    "cockroachdb": _POSTGRESQL,
    "redshift": _POSTGRESQL,
    "duckdb": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": Lexis(brackets=True, backticks=True),
    "mssql": Lexis(brackets=True, nested=True),
    "snowflake": Lexis(backslash=True, dollar=True),
    "bigquery": Lexis(backslash=True, hash_comment=True, backticks=True, double_is_text=True),
    "databricks": Lexis(backslash=True, backticks=True, double_is_text=True),
    "hive": Lexis(backslash=True, backticks=True, double_is_text=True),
    "clickhouse": Lexis(backslash=True, backticks=True),
}


@dataclass(frozen=True)
class Token:
    """A part of a query.

    Parameters
    ----------
    kind
        ``name`` is a quoted name, ``word`` any other name or a keyword.
    text
        The content: a name without quotes, a parameter without ``$``, a text without quotes.
    start, end
        Its position in the query.
    """

    kind: Kind
    text: str
    start: int
    end: int

    def says(self, *words: str) -> bool:
        """Return whether it is one of some keywords, given in lower case."""
        return self.kind == "word" and self.text.lower() in words


def lexis_of(dialect: str, sql_mode: str = "") -> Lexis:
    """Return the lexical rules of a database.

    Parameters
    ----------
    dialect
        SQLAlchemy's name for the database.
    sql_mode
        MySQL's setting of that name, which defines the meaning of backslashes and double quotes.
    """
    found = _LEXIS.get(dialect, Lexis())
    if "NO_BACKSLASH_ESCAPES" in sql_mode:
        found = replace(found, backslash=False)
    if "ANSI_QUOTES" in sql_mode:
        found = replace(found, double_is_text=False)
    return found


def tokens(sql: str, lexis: Lexis) -> list[Token]:
    """Return the tokens of a query, without blanks and comments.

    Parameters
    ----------
    sql
        The query.
    lexis
        The lexical rules of its database.
    """
    return list(_Reader(sql, lexis))


def parameters(parts: Sequence[Token]) -> list[str]:
    """Return the names of ``$name`` parameters in a query, in order and without duplicates."""
    return list(dict.fromkeys(part.text for part in parts if part.kind == "parameter"))


def rewritten(sql: str, parts: Sequence[Token], parameter: Callable[[str], str], *, percent: str = "%") -> str:
    """Return a query with its parameters in a driver's syntax.

    Parameters
    ----------
    sql, parts
        The query and its tokens.
    parameter
        Returns the replacement for ``$name``.
    percent
        The replacement for a percent sign; drivers with ``%`` parameters need it doubled.
    """
    pieces, position = [], 0
    for part in parts:
        if part.kind == "parameter":
            pieces += [sql[position : part.start].replace("%", percent), parameter(part.text)]
            position = part.end
    return "".join([*pieces, sql[position:].replace("%", percent)])


_BLANKS = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d][\w$]*")
_NUMBER = re.compile(r"\d[\w.]*")
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_ESCAPE_PREFIX = ("e",)
_VERSION = re.compile(r"M?!\d*")


class _Reader:
    """Split a query into tokens."""

    def __init__(self, sql: str, lexis: Lexis) -> None:
        self.sql, self.lexis, self.at = sql, lexis, 0
        self.executed = 0  # open executed comments, whose end is not a token

    def __iter__(self) -> Iterator[Token]:
        while self.at < len(self.sql):
            start = self.at
            if not self._skipped() and (token := self._token(start)) is not None:
                yield token

    def _skipped(self) -> bool:
        """Skip blanks or a comment, if one begins here; returns whether it did."""
        sql, at, lexis = self.sql, self.at, self.lexis
        if found := _BLANKS.match(sql, at):
            self.at = found.end()
        elif (sql.startswith("--", at) and self._is_dash_comment()) or (lexis.hash_comment and sql[at] == "#"):
            end = re.compile(r"[\r\n]" if not lexis.executed_comment else r"\n").search(sql, at)
            self.at = end.end() if end else len(sql)
        elif sql.startswith("/*", at):
            self._comment()
        elif self.executed and sql.startswith("*/", at):
            self.executed -= 1
            self.at += 2
        else:
            return False
        return True

    def _is_dash_comment(self) -> bool:
        behind = self.sql[self.at + 2 : self.at + 3]
        return not self.lexis.blank_after_dashes or not behind or behind.isspace() or ord(behind) < 32

    def _comment(self) -> None:
        if self.lexis.executed_comment and (version := _VERSION.match(self.sql, self.at + 2)):
            self.executed += 1
            self.at = version.end()
            return
        depth, self.at = 1, self.at + 2
        for found in re.compile(r"/\*|\*/").finditer(self.sql, self.at):
            if found.group() == "*/":
                depth -= 1
            elif self.lexis.nested:
                depth += 1
            if depth == 0:
                self.at = found.end()
                return
        self.at = len(self.sql)

    def _token(self, start: int) -> Token | None:
        sign = self.sql[start]
        if sign == "'":
            return self._quoted("text", "'", backslash=self.lexis.backslash)
        if sign == '"':
            text = self.lexis.double_is_text
            return self._quoted("text" if text else "name", '"', backslash=text and self.lexis.backslash)
        if (sign == "`" and self.lexis.backticks) or (sign == "[" and self.lexis.brackets):
            return self._quoted("name", "`" if sign == "`" else "]", backslash=False)
        if sign == "$":
            return self._dollar(start)
        return self._plain(start)

    def _dollar(self, start: int) -> Token:
        if self.lexis.dollar and (tag := _DOLLAR.match(self.sql, start)):
            end = self.sql.find(tag.group(), tag.end())
            text = self.sql[tag.end() : end if end >= 0 else len(self.sql)]
            self.at = end + len(tag.group()) if end >= 0 else len(self.sql)
            return Token("text", text, start, self.at)
        if found := _PARAMETER.match(self.sql, start):
            self.at = found.end()
            return Token("parameter", found.group(1), start, self.at)
        self.at = start + 1
        return Token("sign", "$", start, self.at)

    def _plain(self, start: int) -> Token:
        for kind, shape in (("word", _WORD), ("number", _NUMBER)):
            if found := shape.match(self.sql, start):
                self.at = found.end()
                behind = self.sql[self.at : self.at + 1]
                if kind == "word" and behind == "'" and found.group().lower() in _ESCAPE_PREFIX and self.lexis.dollar:
                    return self._quoted("text", "'", backslash=True)
                if kind == "word" and found.group().lower() == "u" and self.sql.startswith('&"', self.at):
                    self.at += 1
                    return self._unicode_name()
                return Token("word" if kind == "word" else "number", found.group(), start, self.at)
        self.at = start + 1
        return Token("sign", self.sql[start], start, self.at)

    def _unicode_name(self) -> Token:
        r"""Return a name such as ``U&"d\0061t"``, which can contain character codes."""
        quoted = self._quoted("name", '"', backslash=False)
        shown = re.sub(
            r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))",
            lambda found: chr(min(int(found.group(1) or found.group(2), 16), 0x10FFFF)),
            quoted.text,
        )
        return replace(quoted, text=shown)

    def _quoted(self, kind: Kind, closing: str, *, backslash: bool) -> Token:
        """Read the content of quotes; a doubled quote is a literal one."""
        start, self.at = self.at, self.at + 1
        pieces: list[str] = []
        while self.at < len(self.sql):
            sign = self.sql[self.at]
            if backslash and sign == "\\":
                pieces.append(self.sql[self.at + 1 : self.at + 2])
                self.at += 2
            elif sign != closing:
                pieces.append(sign)
                self.at += 1
            elif self.sql.startswith(closing * 2, self.at):
                pieces.append(closing)
                self.at += 2
            else:
                self.at += 1
                break
        self.at = min(self.at, len(self.sql))
        return Token(kind, "".join(pieces), start, self.at)
