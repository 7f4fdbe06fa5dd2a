"""Names from which customers are generated."""

from __future__ import annotations

MALE = ("Aaron", "Björn", "Carlos", "Daan", "Emil", "Finn", "George", "Hugo", "Ivan", "José", "Karl", "Luca", "Milan")
FEMALE = ("Ada", "Bianca", "Chloé", "Dora", "Elif", "Freja", "Grace", "Hanna", "Inés", "Julia", "Käthe", "Lieke", "Zoë")
LAST = (
    "Andersen",
    "Bakker",
    "Costa",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Hughes",
    "Ivanov",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Novak",
    "O'Neil",
    "Petit",
    "Rossi",
    "Schäfer",
    "van den Berg",
    "Weiß",
)
CITIES = ("Amsterdam", "Berlin", "Chicago", "Dublin", "Eindhoven", "Kraków", "Lyon", "Madrid", "Porto", "Zürich")
STREETS = ("Birch Lane", "Canal Street", "Garden Road", "Harbor Way", "Market Square", "Mill Lane", "Station Road")
#: Reserved for documentation (RFC 2606), or Microsoft's fictitious companies.
DOMAINS = ("contoso.com", "fabrikam.com", "mail.example.com", "northwindtraders.com", "post.example.org")
_SPELLED = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "é": "e",
        "ë": "e",
        "í": "i",
        "á": "a",
        "ó": "o",
        " ": "",
        "'": "",
    }
)


def in_addresses(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names in the form that e-mail addresses use."""
    return tuple(name.lower().translate(_SPELLED) for name in names)
