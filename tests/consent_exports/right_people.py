"""Who may be sent of each export in this folder, written by hand: it shares no code with ci-magics."""

import csv
import hashlib
import sqlite3
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq

EXPORTS = Path(__file__).parent / "exports"
#: For each export its e-mail column, and the values (in lower case) that its consent columns must have, so that a
#: person can be sent; ANY is any value except none.
ANY = {"any value"}
NONE = {""}
RIGHT = {
    "shopify.csv": ("Email", {"Accepts Email Marketing": {"yes"}}),
    "klaviyo.csv": ("Email", {"Email Marketing Consent": {"subscribed"}}),
    "hubspot.csv": (
        "Email",
        {"Unsubscribed from all email": {"", "false"}, "Opted out of email: One to One": {"", "false"}},
    ),
    "mailchimp.csv": ("Email Address", {"Email Marketing Status": {"subscribed"}}),
    "salesforce.csv": ("Email", {"Email Opt Out": {"0"}}),
    "salesforce_data_loader.csv": ("EMAIL", {"HASOPTEDOUTOFEMAIL": {"false"}}),
    "marketo.csv": ("Email Address", {"Unsubscribed": {"0"}, "Marketing Suspended": {"0"}, "Black Listed": {"0"}}),
    "pardot.csv": ("Email", {"Opted Out": {"0"}, "Do Not Email": {"0"}}),
    "woocommerce.csv": ("user_email", {"newsletter_opt_in": {"1"}}),
    "magento.csv": ("subscriber_email", {"subscriber_status": {"1"}}),
    "braze.csv": ("email", {"email_subscribe": {"opted_in", "subscribed"}}),
    "dynamics_view.xlsx": ("Email", {"Do not allow Bulk Emails": {"allow"}, "Do not allow Emails": {"allow"}}),
    "dataverse_contacts.parquet": ("emailaddress1", {"donotbulkemail": {"", "false"}, "donotemail": {"", "false"}}),
    "shop_database.sql": ("email", {"accepts_marketing": {"1"}}),
    "deutscher_shop.csv": ("E-Mail", {"Newsletter (ja/nein)": {"ja"}}),
    "deutsches_crm.csv": (
        "E-Mail-Adresse",
        {"Einwilligung E-Mail-Werbung": {"erteilt"}, "Widerruf der Einwilligung am": NONE, "Werbesperre": {"nein"}},
    ),
    "boutique_francaise.csv": ("Adresse e-mail", {"Accepte de recevoir la newsletter": {"oui"}, "Désinscrit le": NONE}),
    "nederlandse_winkel.csv": ("E-mailadres", {"Toestemming e-mail": {"ja"}, "Uitgeschreven op": NONE}),
    "tienda_espanola.csv": (
        "Correo electrónico",
        {"Acepta publicidad": {"sí", "si"}, "Fecha de baja newsletter": NONE},
    ),
    "opt_in_dates.csv": ("email", {"opt_in_date": ANY, "unsubscribed_at": {"", "0000-00-00 00:00:00"}}),
}


def rows_of(name: str) -> list[dict]:
    """Return the rows of an export as this script reads them."""
    path = EXPORTS / name
    if path.suffix == ".xlsx":
        head, *rest = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        return [dict(zip(head, row, strict=True)) for row in rest]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".sql":
        database = sqlite3.connect(":memory:")
        database.executescript(path.read_text("utf-8"))
        cursor = database.execute("SELECT * FROM customers")
        return [dict(zip([each[0] for each in cursor.description], row, strict=True)) for row in cursor]
    text = path.read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.splitlines()[0] else ","))


def right_hashes(name: str) -> set[str]:
    """Return the SHA-256 of the addresses that can be sent."""
    email, wanted = RIGHT[name]
    said = [{column: _said(value) for column, value in row.items()} for row in rows_of(name)]
    return {
        hashlib.sha256(row[email].encode()).hexdigest()
        for row in said
        if all(row[column] in values or (values is ANY and row[column]) for column, values in wanted.items())
    }


def _said(value: object) -> str:
    return "" if value is None else str(value).strip().lower()
