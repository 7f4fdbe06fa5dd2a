"""Five ways from a pandas column of addresses to reasons and different hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
from row_by_row import HEX, LEGAL, NULL, STRIP, row_by_row

import ci_magics as ci
from ci_magics.matching.digests import digests_of
from ci_magics.matching.hashes import Hashes, non_null_hashes, unique
from ci_magics.matching.normalize import hashed
from ci_magics.matching.parallel import in_parallel
from ci_magics.matching.text_column import pieces, text_column

ReadPlan = Callable[[], int]
"""Does the work, and returns how many distinct hashes it produced."""

_SQL = """
CREATE OR REPLACE TEMP TABLE judged AS
WITH trimmed AS MATERIALIZED (SELECT lower(trim(EMail, $strip)) AS text FROM emails),
     split AS MATERIALIZED (SELECT text, len(text) - len(replace(text, '@', '')) AS ats FROM trimmed),
     reasoned AS MATERIALIZED (
         SELECT text, CASE
             WHEN text IS NULL OR text IN ('', 'none', 'null', 'nan', '<na>', 'n/a', 'undefined') THEN 'missing'
             WHEN len(text) = 64 AND regexp_full_match(text, '[0-9a-f]{64}') THEN 'hash'
             WHEN ats = 0 THEN 'no_at'
             WHEN ats > 1 THEN 'many_at'
             WHEN contains(text, ' ') THEN 'inner_space'
             WHEN NOT regexp_full_match(text, $legal) THEN 'bad_domain'
         END AS reason FROM split)
SELECT CASE WHEN reason <> 'hash' THEN reason END AS reason,
       CASE WHEN reason IS NULL THEN sha256(text) WHEN reason = 'hash' THEN text END AS hash
FROM reasoned
"""


def load(path: Path, kind: str) -> pd.Series:
    """Return the addresses as a column of ``object``, or of ``str`` as pandas 3 makes it."""
    return pq.read_table(path)["EMail"].to_pandas().astype(object).astype(kind)


def series_apply(path: Path, kind: str) -> ReadPlan:
    """pandas Series.apply and hashlib."""
    emails = load(path, kind)

    def work() -> int:
        judged = emails.apply(row_by_row)
        return len({digest for _reason, digest in judged if digest is not None})

    return work


def python_loop(path: Path, kind: str) -> ReadPlan:
    """Tuned loop in Python."""
    emails = load(path, kind)

    def work() -> int:
        sha256, is_hex, is_legal = hashlib.sha256, HEX.match, LEGAL.match
        reasons: list[str | None] = []
        digests: list[str | None] = []
        for value in emails.tolist():
            digest = None
            if not isinstance(value, str) or (text := value.strip(STRIP).lower()) in NULL:
                reason: str | None = "missing"
            elif is_legal(text):  # nearly all of them
                reason, digest = None, sha256(text.encode()).hexdigest()
            elif len(text) == 64 and is_hex(text):
                reason, digest = None, text
            elif "@" not in text:
                reason = "no_at"
            elif text.count("@") > 1:
                reason = "many_at"
            else:
                reason = "inner_space" if " " in text else "bad_domain"
            reasons.append(reason)
            digests.append(digest)
        return len(set(digests) - {None})

    return work


def duckdb_sql(path: Path, kind: str) -> ReadPlan:
    """DuckDB SQL, each step materialized."""
    frame = load(path, kind).to_frame()

    def work() -> int:
        with duckdb.connect() as database:
            database.execute("SET enable_progress_bar = false")
            database.register("emails", frame)
            database.execute(_SQL, {"strip": STRIP, "legal": LEGAL.pattern.removesuffix(r"\Z")})
            database.execute("SELECT count(DISTINCT hash) FROM judged")
            ((different,),) = database.fetchall()
        return int(different)

    return work


def normalized(path: Path, kind: str) -> ReadPlan:
    """ci.normalize, then unique."""
    emails = load(path, kind)

    def work() -> int:
        table = ci.normalize(emails)
        return len(pl.Series(pl.from_arrow(table["sha256"])).drop_nulls().unique())

    return work


def kernel(path: Path, kind: str) -> ReadPlan:
    """ci-magics, as a segment is counted."""
    emails = load(path, kind)

    def work() -> int:
        done = list(in_parallel(_hashed, pieces(emails)))
        return len(unique(np.concatenate([digests for _reasons, digests in done])))

    return work


def _hashed(piece: Any) -> tuple[pl.DataFrame, Hashes]:
    addresses = hashed(text_column(piece), ("basic",))
    return addresses.columns("reason_basic"), non_null_hashes(digests_of(addresses, "basic"))
