"""Only listed parts of a database address are stored, so that secrets of every driver are left out."""

from __future__ import annotations

import string
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from ci_magics.kept_address import has_own_creator, kept_address, kept_url

SECRET = "s3cr3tzq7"
WITH_SECRETS = {
    "password": f"postgresql://reader:{SECRET}@db/shop",
    "user": f"postgresql://{SECRET}@db/shop",
    "token as user": f"databricks://token:{SECRET}@db?http_path=/sql/1.0/warehouses/abc",
    "password in the query": f"postgresql://db/shop?password={SECRET}",
    "passwd": f"mysql+mysqldb://db/shop?passwd={SECRET}",
    "token": f"clickhouse://db/shop?token={SECRET}",
    "access token": f"trino://db/hive?access_token={SECRET}",
    "odbc_connect": "mssql+pyodbc:///?odbc_connect=" + quote_plus(f"DRIVER=x;SERVER=db;UID=me;PWD={SECRET}"),
    "private key": f"snowflake://db/shop?private_key={SECRET}",
    "passphrase": f"snowflake://db/shop?private_key_passphrase={SECRET}",
    "sslpassword": f"postgresql://db/shop?sslpassword={SECRET}&sslmode=require",
    "sslkey": f"postgresql://db/shop?sslkey={SECRET}",
    "options": f"postgresql://db/shop?options=-c%20my.secret%3D{SECRET}",
    "unheard of": f"newdb://db/shop?whatever={SECRET}",
    "a harmless name": f"postgresql://db/shop?sslmode={SECRET}",
    "capitals": f"postgresql://db/shop?PassWord={SECRET}",
    "application name": f"postgresql://db/shop?application_name={SECRET}",
    "motherduck": f"duckdb:///md:shop?motherduck_token={SECRET}",
    "motherduck in the name": f"duckdb:///md:shop%3Fmotherduck_token%3D{SECRET}",
    "credentials path": f"bigquery://project/data?credentials_base64={SECRET}",
    "a description as host": f"oracle+oracledb://(DESCRIPTION=(PASSWORD={SECRET}))",
    "database": f"postgresql://db/shop;password={SECRET}",
    "sqlite key": f"sqlite:///shop.db?key={SECRET}",
    "sqlcipher": f"sqlite+pysqlcipher://:{SECRET}@/shop.db?cipher=aes-256-cfb",
    "driver": f"postgresql+{SECRET}=1://db/shop",
    "several": f"postgresql://db/shop?password=a&password={SECRET}",
    "no address": f"Server=db;Password={SECRET}",
    "an address as user": f"postgresql://{SECRET}%40contoso.com@db/shop",
    "an address as database": f"postgresql://db/{SECRET}@contoso.com",
}
WHOLE = [
    "postgresql://db.contoso.com/shop",
    "postgresql+psycopg://db.contoso.com:5433/shop?sslmode=verify-full",
    "postgresql:///shop?host=/var/run/postgresql",
    "mysql+pymysql://10.0.0.7:3306/shop?charset=utf8mb4",
    "mssql+pyodbc://db/shop?driver=ODBC+Driver+18+for+SQL+Server&Encrypt=yes&TrustServerCertificate=no",
    "snowflake://account/shop/public?warehouse=small",
    "sqlite:///relative.db",
    "sqlite:////srv/year=2026/a b.db",
    "duckdb:///shop.duckdb",
    "duckdb:///md:shop",
    "databricks://db:443?catalog=main&http_path=%2Fsql%2F1.0%2Fwarehouses%2Fabc&schema=crm",
    "postgresql://[::1]/shop",
]


@pytest.mark.parametrize("where", WITH_SECRETS)
def test_secret_is_left_out(where: str) -> None:
    assert SECRET not in kept_address(WITH_SECRETS[where])
    assert SECRET not in repr(kept_url(WITH_SECRETS[where]))


@pytest.mark.parametrize("address", WHOLE)
def test_address_without_secrets_is_stored_unchanged(address: str) -> None:
    assert make_url(kept_address(address)) == make_url(address)


@pytest.mark.parametrize("address", [*WITH_SECRETS.values(), *WHOLE])
def test_stored_address_is_unchanged_when_stored_again(address: str) -> None:
    assert kept_address(kept_address(address)) == kept_address(address)


words = st.text(string.ascii_letters + string.digits + "%=;&:@/?+ ", max_size=20)


@given(name=st.text(string.ascii_letters + "_", min_size=1, max_size=20), before=words, after=words)
def test_parameter_cannot_contain_a_secret(name: str, before: str, after: str) -> None:
    free_text = {"warehouse", "schema", "catalog", "host", "unix_socket", "http_path"}  # names, which are stored
    if name.lower() in free_text:
        return
    address = f"postgresql://db/shop?{name}={quote_plus(before + SECRET + after)}"
    assert SECRET not in kept_address(address)


def test_engines_are_stored_by_address_and_creators_not_at_all() -> None:
    engine = create_engine(f"sqlite:///shop.db?key={SECRET}")
    assert kept_address(engine) == "sqlite:///shop.db"
    assert not has_own_creator(engine)
    assert has_own_creator(create_engine("sqlite://", creator=lambda: None))
    assert not has_own_creator("sqlite://")
