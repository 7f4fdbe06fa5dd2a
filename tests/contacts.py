"""Invented contacts with the columns of Microsoft's public sample for Customer Insights."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import polars_hash as plh

OCCUPATIONS = (
    "Accountant",
    "Baker",
    "Clerk",
    "Driver",
    "Engineer",
    "Farmer",
    "Guide",
    "Hairdresser",
    "Nurse",
    "Painter",
)
PLACES = (("NL", "Utrecht", "UT"), ("DE", "Hamburg", "HH"), ("US", "Seattle", "WA"), ("US", "Boston", "MA"))
NAMES = ("Abbie", "Bo", "Carla", "Daan", "Emma")


def contacts(count: int, start: int = 0) -> pl.DataFrame:
    """Return contacts by number; all have a valid, lower-case and unique address, as in the sample."""
    number = np.arange(start, start + count)
    place = number % len(PLACES)
    first = np.array(NAMES)[number % len(NAMES)]
    random = np.random.default_rng(start + 1)
    names = pl.Series("FirstName", first)
    numbers = pl.Series("n", number)
    return (
        pl.DataFrame([names, numbers])
        .with_columns(
            CustomerId=plh.concat_str(pl.lit("contact"), pl.col("n")).chash.sha2_256().str.slice(0, 32),
            LastName=pl.format("Contoso{}", pl.col("n") % 997),
            DateOfBirth=dt.date(1940, 1, 1) + pl.duration(days=pl.col("n") * 7919 % 23_000),
            Gender=pl.when(pl.col("n") % 2 == 0).then(pl.lit("F")).otherwise(pl.lit("M")),
            EMail=pl.format("person{}@contoso.com", pl.col("n")),
            Telephone=pl.format("+1 555 {}", pl.col("n")),
            PostCode=pl.format("{}", pl.col("n") % 9000 + 1000),
            StreetAddress=pl.format("Street {}", pl.col("n") % 4999),
            City=pl.Series([each[1] for each in PLACES]).gather(place),
            State=pl.Series([each[2] for each in PLACES]).gather(place),
            Country=pl.Series([each[0] for each in PLACES]).gather(place),
            CreatedOn=dt.datetime.fromisoformat("2020-01-01") + pl.duration(minutes=pl.col("n") % 1_500_000),
            Income=pl.Series(random.lognormal(10.8, 0.5, count).round(-2)).cast(pl.Int64),
            Occupation=pl.Series(OCCUPATIONS).gather(random.integers(0, 10, count)),
            CustomerSatisfaction=pl.Series(random.integers(1, 6, count)),
            ContactId=pl.format("CNTID_{}", pl.col("n")),
            CreditCard=pl.when(pl.col("n") % 3 == 0).then(pl.lit("Visa")).otherwise(pl.lit("none")),
        )
        .with_columns(FullName=pl.format("{} {}", pl.col("FirstName"), pl.col("LastName")))
        .drop("n")
    )
