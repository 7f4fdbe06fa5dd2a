"""The words of consents, in English, German, French, Dutch and Spanish, folded by `consent.columns.fold`.

They come from the headers of customer exports of Shopify, Klaviyo, HubSpot, Mailchimp, Salesforce (Sales and
Marketing Cloud), Account Engagement (Pardot), Marketo, WooCommerce, Magento, Braze and Dynamics 365, and
from CRM tables in the four other languages. docs/consent.md lists them.
"""

from __future__ import annotations


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


#: Enough by themselves: somebody agreed.
AGREEING = _set(
    "optin optedin consent consents consented doubleoptin resubscribed subscribe subscribed einwilligung",
    "einwilligungen eingewilligt einverstandnis einverstandniserklarung einverstanden zustimmung zugestimmt",
    "werbeeinwilligung consentement consentements consenti toestemming consentimiento consentimientos",
)
#: Enough by themselves: somebody refused.
REFUSING = _set(
    "optout optedout unsub unsubs unsubscribe unsubscribed unsubscribes unsubscription blacklisted blacklist",
    "blocklisted blocklist suppressed donotcontact nomail noemail nomarketing nonewsletter hardbounced abgemeldet",
    "abmeldung abmelde abbestellt werbesperre mailsperre emailsperre kontaktsperre newslettersperre robinson",
    "robinsonliste werbewiderspruch desinscrit desinscrite desinscription desabonne desabonnee desabonnement",
    "uitgeschreven uitschrijving afgemeld afmelding dadodebaja desuscrito desuscrita desuscripcion",
)
#: Negate what follows.
NEGATIONS = _set(
    "not never non nicht kein keine keinen ne pas niet geen nunca",
)
#: Refuse if all words of the header are known and it has a subject, or together with a word that agrees.
WEAKLY_REFUSING = _set(
    "donot suspended blocked block suppress refused refuses denied declined rejected objection objected objects",
    "withdrawn withdrawal withdrew revoked revocation bounced cleaned clean stop widerruf widerrufen widerspruch",
    "widersprochen sperre gesperrt ausgetragen austragung refus refuse refusee opposition oppose bezwaar opgezegd",
    "baja bajas cancelado rechazado rechaza oposicion revocado",
)
#: Agree if all words of the header are known and it has a subject.
WEAK = _set(
    "accept accepts accepted accepting agree agrees agreed allow allows allowed permission permissions permit",
    "permits permitted receive receives wants want wish wishes subscriber subscribers subscription subscriptions",
    "newsletter newsletters mailinglist send contactable marketable approved approves approval signup erlaubt",
    "erlaubnis gestattet erwunscht gewunscht empfanger bezieher abonnent abonnenten abonniert abo angemeldet",
    "anmeldung bezieht erhalt accepte accepter accord autorise autorisation inscription inscrit inscrite",
    "abonnement abonne abonnee recevoir souhaite toegestaan mag gemaild inschrijving aanmelding aangemeld",
    "ingeschreven ontvangen ontvangt wil akkoord acepta aceptado aceptacion aceptar autoriza autorizacion permiso",
    "permite recibir recibe suscripcion suscriptor suscrito suscrita envio",
)
#: Subjects that make a weak word count.
SUBJECTS = _set(
    "email emails emailing emailings mail mails newsletter newsletters marketing market advertising advertisement",
    "promotions promotional promotion promo offers mailinglist mailing mailings contacted commercial bulk",
    "communications communication mm solicit werbung werbe werbemail werbemails angebote kontakt kontaktaufnahme",
    "kontaktieren mailen publicite publicitaire pub offres lettre infolettre courriel courriels contacter",
    "nieuwsbrief nieuwsbrieven reclame aanbiedingen gemaild boletin boletines correo correos publicidad ofertas",
    "promociones comercial comerciales",
)
#: Complete headers, without fillers, that are a consent although their words alone are not enough.
WHOLE = _set(
    "newsletter newsletters newsletteranmeldung newsletterempfanger mailinglist emailinglist subscriber",
    "subscriberstatus subscriberstate subscriptionstatus subscriptionstate emailmarketing emailmarketingstatus",
    "emailmarketingstate marketingemail marketingemails marketingpermission emailwerbung werbungperemail",
    "infolettre nieuwsbrief nieuwsbrieven boletin confirmtime cleantime marketingpreference marketingpreferences",
    "marketable contactable emailable suscrito suscrita",
)
#: Channels: e-mail, and all others.
EMAIL = _set(
    "email emails emailing emailings mail mails mailing mailings mailinglist newsletter newsletters infolettre",
    "nieuwsbrief nieuwsbrieven boletin boletines courriel courriels correo correos gemaild mailen noemail nomail",
    "nonewsletter mailsperre emailsperre newslettersperre werbemail werbemails",
)
OTHER_CHANNELS = _set(
    "sms mms phone phones telephone telephones tel call calls calling mobile cell fax faxes post postal",
    "directmail postalmail whatsapp push voice print rcs line letter letters viber wechat messenger telefon",
    "telefonisch anruf anrufe brief briefe briefpost postalisch telefonwerbung postwerbung handy telephonique",
    "appel appels courrier courriers portable telefoon bellen gebeld brieven belmeniet telefono telefonico",
    "llamada llamadas movil correopostal carta",
)
#: With these words, "mail" is not e-mail.
POST = _set(
    "post postal directmail postalmail brief briefpost postalisch letter letters correopostal",
)
#: A header with one of these is about something else.
OTHER_SUBJECTS = _set(
    "ip ipaddress source sources reason reasons method methods url urls link token tokens id ids guid uuid text",
    "texte version versions language locale form forms count counts total number rate title campaign campaigns",
    "level levels type types region channel channels agent device page plan price tier renewal products expiry",
    "expires expiration until cookie cookies photo photos image images parental guardian informed medical",
    "treatment recording recorded key hash notes note comment comments description updated changed modified",
    "quelle grund herkunft sprache bis gultig anzahl motif raison langue jusqu nombre bron reden taal tot aantal",
    "fuente motivo idioma hasta numero origen",
)
#: The same for these, unless the header also names marketing or e-mail.
AGREEMENTS = _set(
    "terms conditions tos agb privacy policy datenschutz datenschutzerklarung cgv cgu confidentialite voorwaarden",
    "privacybeleid terminos condiciones privacidad",
)
#: The values are times.
DATES = _set(
    "date dates datetime at on time timestamp since day when datum am seit zeitpunkt zeit le depuis heure op",
    "sinds tijd fecha desde dia hora ts",
)
#: Without meaning.
FILLERS = _set(
    "a an the is are was has have had been to of for from in out by via and or my our your customer customers",
    "contact contacts user lead leads person profile member members account crm all global globally any general",
    "explicit double single confirmed current flag yn y n yes no ja nein oui si nee ne w x value field status",
    "state hs msdyn new cr primary website web online list lists do does did be will may can sent sending active",
    "enabled gdpr dsgvo rgpd avg lgpd ccpa rodo legal custom c materials material based informations information",
    "zu zum zur fur von vom per und der die das des im auf kunde kunden kundin hat ist wurde de la le les du pour",
    "par au aux et un une client clients recu est ete plus l d het een voor van aan en heeft wordt worden naar",
    "klant klanten met te el los las del para por al una es ha sido cliente clientes dado",
)
#: Words that mean something only together.
PHRASES: dict[tuple[str, ...], str] = {
    ("opt", "in"): "optin",
    ("opts", "in"): "optin",
    ("opted", "in"): "optedin",
    ("opting", "in"): "optin",
    ("opt", "ins"): "optin",
    ("opt", "out"): "optout",
    ("opts", "out"): "optout",
    ("opted", "out"): "optedout",
    ("opting", "out"): "optout",
    ("opt", "outs"): "optout",
    ("sign", "up"): "signup",
    ("black", "listed"): "blacklisted",
    ("black", "list"): "blacklist",
    ("block", "listed"): "blocklisted",
    ("un", "subscribed"): "unsubscribed",
    ("un", "subscribe"): "unsubscribe",
    ("e", "mail"): "email",
    ("e", "mails"): "emails",
    ("e", "mailing"): "emailing",
    ("news", "letter"): "newsletter",
    ("mailing", "list"): "mailinglist",
    ("direct", "mail"): "directmail",
    ("postal", "mail"): "postalmail",
    ("snail", "mail"): "postalmail",
    ("post", "mail"): "postalmail",
    ("bulk", "postal", "mail"): "postalmail",
    ("correo", "postal"): "correopostal",
    ("correo", "electronico"): "correo",
    ("text", "message"): "sms",
    ("text", "messages"): "sms",
    ("text", "messaging"): "sms",
    ("do", "not"): "donot",
    ("does", "not"): "donot",
    ("did", "not"): "donot",
    ("don", "t"): "donot",
    ("doesn", "t"): "donot",
    ("no", "longer"): "not",
    ("ne", "pas"): "donot",
    ("ne", "souhaite", "pas"): "donot",
    ("ne", "veut", "pas"): "donot",
    ("no", "email"): "noemail",
    ("no", "emails"): "noemail",
    ("no", "mail"): "nomail",
    ("no", "mails"): "nomail",
    ("no", "marketing"): "nomarketing",
    ("no", "newsletter"): "nonewsletter",
    ("no", "consent"): "optout",
    ("no", "contact"): "donotcontact",
    ("no", "enviar"): "donotcontact",
    ("no", "contactar"): "donotcontact",
    ("no", "desea"): "donotcontact",
    ("no", "quiere"): "donotcontact",
    ("no", "acepta"): "donotcontact",
    ("no", "molestar"): "donotcontact",
    ("liste", "robinson"): "robinson",
    ("dado", "de", "baja"): "dadodebaja",
    ("dada", "de", "baja"): "dadodebaja",
    ("mag", "gemaild", "worden"): "optin",
    ("hard", "bounced"): "hardbounced",
    ("user", "agent"): "agent",
}
#: Headers whose values may be those of a subscription.
STATUS = frozenset(
    (
        "status",
        "state",
        "member status",
        "list status",
        "contact status",
        "customer status",
        "email status",
        "mail status",
    )
)
#: Magento stores 1 (subscribed), 2 (not active), 3 (unsubscribed), 4 (not confirmed) in this column.
MAGENTO_CODED = _set(
    "subscriberstatus",
)

_SINGLE = _set(
    "opt opted opting opts ins outs un e do does did don t news direct snail sign up electronico longer black",
    "listed veut enviar contactar desea quiere molestar liste dado dada hard text message messages messaging",
    "mailing list contact worden",
)
ALL = (
    AGREEING | REFUSING | WEAKLY_REFUSING | NEGATIONS | WEAK | AGREEMENTS | SUBJECTS | EMAIL | OTHER_CHANNELS
    | OTHER_SUBJECTS | DATES | FILLERS | _SINGLE | frozenset(PHRASES.values())
)  # fmt: skip
#: Parts of compounds: no single letter except that of `email`, and no word short enough to occur by chance.
PARTS = frozenset(
    each
    for each in ALL
    if len(each) > 2 or each in ("in", "of", "do", "to", "is", "by", "no", "at", "on", "id", "ip", "mm", "un")
)
