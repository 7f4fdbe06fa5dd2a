"""Sentence and next step for each error number of Microsoft Entra.

The numbers are from the page "Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

from ci_magics.advice import NAME, Advice, Do, Opt, advise

Told = tuple[str, str | Advice]

AGAIN = advise("Sign in again: ", Do("connections.sign_in", NAME), ".")
GONE: Told = ("The sign-in is not valid any more.", AGAIN)
DECLINED = ("The sign-in was declined.", "Sign in again and accept what is asked.")
SECOND_FACTOR: Told = ("Microsoft asks for a second proof of who you are.", AGAIN)
NO_CONSENT = (
    "Nobody has allowed this application to use the service yet.",
    "Sign in again and accept what is asked, or ask the tenant's administrator to consent.",
)
LATER = ("Microsoft's sign-in is not available for the moment.", "Run it again in a few minutes.")

_ADMINISTRATOR = "Ask your organization's administrator"
_UNKNOWN_APPLICATION = (
    "The tenant does not know this application.",
    advise("Check the client id (", Opt("client_id"), ") and the tenant (", Opt("tenant"), ") of the connection."),
)
_NO_TENANT = (
    "Microsoft cannot tell which organization you belong to.",
    advise("Name your organization's tenant with ", Opt("tenant"), ": its id, or one of its domains."),
)
_DISABLED_APPLICATION = (
    "This application is turned off in the tenant.",
    f"{_ADMINISTRATOR} to enable it under Enterprise applications, or use another client id.",
)
_NOT_IN_TENANT = (
    "This account does not exist in the tenant of the connection.",
    advise(
        "Sign in with an account of that tenant, check ",
        Opt("tenant"),
        ", or ask the tenant's administrator to invite the account.",
    ),
)
_SECRET = "The application's registration expects a secret, and ci-magics never sends one"  # noqa: S105 - a sentence
_PUBLIC = (
    "Allow public client flows for it in Microsoft Entra, under Authentication (its owner can), "
    "or use another client id."
)
_NOT_PUBLIC = ("This application may not sign in without a secret.", _PUBLIC)
_PASSWORD = (
    "The user name or the password is not right.",
    "Sign in again and type them carefully, or reset the password on Microsoft's page.",
)
_EXPIRED_PASSWORD = (
    "The password of this account has expired or was changed.",
    "Set a new one on Microsoft's page or with your organization's administrator, then sign in again.",
)
_DEVICE = (
    "Your organization lets only its own devices sign in, and this machine is none of them.",
    advise(
        f"{_ADMINISTRATOR} to enroll it, or sign in on a machine that is enrolled with ", Opt("flow", "browser"), "."
    ),
)
_POLICY = (
    "A rule of your organization (Conditional Access) does not allow this sign-in.",
    advise(
        "Use ",
        Opt("flow", "browser"),
        " on a machine that it knows, or ask its administrator which rule applies to this sign-in.",
    ),
)
_RISK = (
    "Microsoft has blocked this sign-in because it looks risky.",
    f"{_ADMINISTRATOR} to look at the sign-in logs of Microsoft Entra and to release the account.",
)
_RULE_OF_TENANTS = (
    "Your organization or the other one does not allow accounts to cross between the two.",
    "Ask the administrators of both about their cross-tenant access, or sign in with an account of the tenant itself.",
)
_PERMISSION = (
    "The application's registration does not ask for the permission that the service needs.",
    "Add it in Microsoft Entra, under API permissions (the application's owner can), then consent again.",
)
_APPROVAL = (
    "An administrator has to approve this application before anybody of your organization can use it.",
    f"{_ADMINISTRATOR} to consent to it for the organization, then sign in again.",
)
_MALFORMED = (
    "Microsoft Entra did not understand the request.",
    "Check the client id and the tenant of the connection; if they are right, report this as a bug of ci-magics.",
)
_ONE_TENANT = (
    "The application cannot be used through the general address of Microsoft's sign-in.",
    advise("Name your tenant with ", Opt("tenant"), ", or open the application to other tenants in Microsoft Entra."),
)
_ENROLL = (
    "Your organization asks for a second proof of who you are, and this account has none registered.",
    "Register one at https://aka.ms/mfasetup, then sign in again.",
)

ADVICE: dict[int, Told] = {
    16000: _NOT_IN_TENANT,
    50001: (
        "The service does not exist for this tenant.",
        "Check the tenant of the connection, or ask its administrator to enable the service.",
    ),
    50005: _DEVICE,
    50011: (
        "The application does not know the address that the browser comes back to.",
        advise(
            "Add http://localhost to its addresses for desktop applications in Microsoft Entra, or use ",
            Opt("flow", "device"),
            ".",
        ),
    ),
    500011: (
        "The service is not set up in this tenant.",
        "Check the tenant of the connection, or ask its administrator to enable the service.",
    ),
    50014: _NOT_IN_TENANT,
    50020: _NOT_IN_TENANT,
    500208: (
        "This kind of account (work or personal) may not sign in to the tenant.",
        advise("Sign in with the other kind of account, or check ", Opt("tenant"), "."),
    ),
    500021: _RULE_OF_TENANTS,
    500022: _RULE_OF_TENANTS,
    500212: _RULE_OF_TENANTS,
    500213: _RULE_OF_TENANTS,
    50033: LATER,
    50034: _NOT_IN_TENANT,
    50053: (
        "This account is locked after too many wrong passwords, or the address that you sign in from is blocked.",
        "Wait some minutes and sign in again; if it stays, ask your organization's administrator to unblock it.",
    ),
    50055: _EXPIRED_PASSWORD,
    50056: _PASSWORD,
    50057: (
        "This account is turned off.",
        f"{_ADMINISTRATOR} to turn it on again, or sign in with another account.",
    ),
    50058: ("You are not signed in at Microsoft any more.", AGAIN),
    50059: _NO_TENANT,
    50064: _PASSWORD,
    50072: _ENROLL,
    50074: SECOND_FACTOR,
    50076: SECOND_FACTOR,
    50078: ("Your second proof of who you are has expired.", AGAIN),
    50079: _ENROLL,
    50085: GONE,
    50087: LATER,
    50088: ("Microsoft can send no more codes by telephone for the moment.", "Sign in again in a few minutes."),
    50089: GONE,
    50097: _DEVICE,
    50105: (
        "This account is not assigned to the application.",
        f"{_ADMINISTRATOR} to assign you to it under Enterprise applications, Users and groups.",
    ),
    50125: ("Microsoft asks you to reset or register your password first.", advise("Do so on its page. ", AGAIN)),
    50126: _PASSWORD,
    50128: _NO_TENANT,
    50129: _DEVICE,
    50131: _POLICY,
    50132: _EXPIRED_PASSWORD,
    50133: _EXPIRED_PASSWORD,
    50135: (
        "Your password must be changed because the account is at risk.",
        advise("Change it on Microsoft's page. ", AGAIN),
    ),
    50144: _EXPIRED_PASSWORD,
    50155: _DEVICE,
    50158: SECOND_FACTOR,
    50173: ("Your sign-ins were ended by you or an administrator, or your password was changed.", AGAIN),
    50187: _DEVICE,
    50194: (
        "The application is registered for one tenant only.",
        advise(
            "Name that tenant with ", Opt("tenant"), ", or open the application to other tenants in Microsoft Entra."
        ),
    ),
    50196: ("Microsoft has seen the same sign-in too often in a short time.", "Wait some minutes and run it again."),
    50197: _NOT_IN_TENANT,
    51004: _NOT_IN_TENANT,
    53000: _DEVICE,
    53001: _DEVICE,
    53002: (
        "Your organization lets only approved applications sign in, and this one is not among them.",
        f"{_ADMINISTRATOR} to approve it, or use another client id.",
    ),
    53003: _POLICY,
    530032: _POLICY,
    530034: _RISK,
    530035: (
        "The security defaults of your organization block this sign-in.",
        advise(
            "Use ", Opt("flow", "browser"), ", or ask your organization's administrator about its security defaults."
        ),
    ),
    530036: (
        "Your organization does not allow sign-ins that began with a code (Conditional Access), nor to renew them.",
        advise(
            "Sign in again with ",
            Opt("flow", "browser"),
            ", or ask its administrator to allow device code flow for you.",
        ),
    ),
    53004: _ENROLL,
    53010: (
        "Your organization lets you register a second proof of who you are only from certain places or devices.",
        "Register it there, then sign in again.",
    ),
    53011: _RISK,
    54005: GONE,
    65001: NO_CONSENT,
    65004: DECLINED,
    65005: _PERMISSION,
    650052: (
        "The service is not enabled in your organization's tenant.",
        "Ask the tenant's administrator to enable it, or sign in with another account.",
    ),
    650054: _PERMISSION,
    650056: _PERMISSION,
    650057: _PERMISSION,
    70000: GONE,
    70001: _DISABLED_APPLICATION,
    700005: GONE,
    70002: (f"{_SECRET}.", _PUBLIC),
    70008: ("The sign-in was not used for too long and has expired.", AGAIN),
    700011: _UNKNOWN_APPLICATION,
    700016: _UNKNOWN_APPLICATION,
    700020: SECOND_FACTOR,
    700082: ("The sign-in was not used for 90 days or longer and has expired.", AGAIN),
    700084: ("The sign-in has reached the end of its life.", AGAIN),
    70012: LATER,
    70043: (
        "Your organization asks to sign in again from time to time (Conditional Access), and the time is over.",
        advise(AGAIN, " For unattended runs ask its administrator for a longer sign-in frequency."),
    ),
    7000112: _DISABLED_APPLICATION,
    7000215: (f"{_SECRET}.", _PUBLIC),
    7000216: _NOT_PUBLIC,
    7000218: _NOT_PUBLIC,
    7000222: (f"{_SECRET}; the one that is registered has expired.", _PUBLIC),
    80001: LATER,
    80002: LATER,
    80012: (
        "Your organization does not allow this account to sign in at this hour.",
        "Sign in at another time, or ask its administrator.",
    ),
    80014: LATER,
    90002: ("There is no such tenant.", advise("Check the tenant of the connection (", Opt("tenant"), ").")),
    90004: _MALFORMED,
    90006: LATER,
    90008: NO_CONSENT,
    9001023: _ONE_TENANT,
    90014: _MALFORMED,
    900144: _MALFORMED,
    90019: _NO_TENANT,
    90023: _NOT_PUBLIC,
    900382: (
        "The tenant belongs to another cloud of Microsoft.",
        "ci-magics signs in to Microsoft's worldwide cloud only: use an account and tenant of that one.",
    ),
    90038: (
        "The tenant belongs to another cloud of Microsoft.",
        "ci-magics signs in to Microsoft's worldwide cloud only: use an account and tenant of that one.",
    ),
    90033: LATER,
    90055: ("Microsoft's sign-in is receiving too many requests of this tenant.", "Run it again in a few minutes."),
    90072: _NOT_IN_TENANT,
    90090: LATER,
    90094: _APPROVAL,
    90095: _APPROVAL,
    90124: _ONE_TENANT,
    90130: _ONE_TENANT,
    1000031: _DISABLED_APPLICATION,
}  # fmt: skip
