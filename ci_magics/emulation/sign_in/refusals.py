"""The Microsoft Entra errors that tests and demonstrations can request, by code.

Names are those of the page "Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

from ci_magics.emulation.replies import Reply
from ci_magics.emulation.sign_in.replies import refuse
from ci_magics.emulation.state import World

_GRANT = {
    50011: "InvalidReplyTo",
    50020: "UserUnauthorized",
    50034: "UserAccountNotFound",
    50053: "IdsLocked",
    50055: "InvalidPasswordExpiredPassword",
    50056: "InvalidPassword",
    50057: "UserDisabled",
    50089: "FlowTokenExpired",
    50105: "EntitlementGrantsNotFound",
    50126: "InvalidUserNameOrPassword",
    50132: "SsoArtifactInvalidOrExpired",
    50133: "SsoArtifactRevoked",
    50173: "FreshTokenNeeded",
    50196: "LoopDetected",
    51004: "UserAccountNotInDirectory",
    53000: "DeviceNotCompliant",
    53001: "DeviceNotDomainJoined",
    53002: "ApplicationUsedIsNotAnApprovedApp",
    53003: "BlockedByConditionalAccess",
    530032: "BlockedByConditionalAccessOnSecurityPolicy",
    530034: "DelegatedAdminBlockedDueToSuspiciousActivity",
    530035: "BlockedBySecurityDefaults",
    530036: "BlockedByAuthenticationFlows",
    53011: "UserBlockedDueToRisk",
    65001: "DelegationDoesNotExist",
    70000: "InvalidGrant",
    70008: "ExpiredOrRevokedGrant",
    700082: "ExpiredOrRevokedGrantInactiveToken",
    700084: "ExpiredOrRevokedGrantSinglePageApp",
    70043: "BadTokenDueToSignInFrequency",
    90094: "AdminConsentRequired",
    90095: "AdminConsentRequiredRequestAccess",
}
_INTERACTION = {
    50058: "UserInformationNotProvided",
    50072: "UserStrongAuthEnrollmentRequiredInterrupt",
    50074: "UserStrongAuthClientAuthNRequiredInterrupt",
    50076: "UserStrongAuthClientAuthNRequired",
    50078: "UserStrongAuthExpired",
    50079: "UserStrongAuthEnrollmentRequired",
    50097: "DeviceAuthenticationRequired",
    50158: "ExternalSecurityChallenge",
    53004: "ProofUpBlockedDueToRisk",
}
_CLIENT = {
    650052: "ServiceNotEnabled",
    650056: "MisconfiguredApplication",
    650057: "InvalidResource",
    7000215: "InvalidClientSecret",
    7000218: "MissingClientSecret",
    7000222: "InvalidClientSecretExpiredKeysProvided",
}
_UNAUTHORIZED = {
    700016: "UnauthorizedClient_DoesNotMatchRequest",
    7000112: "UnauthorizedClientApplicationDisabled",
    70001: "UnauthorizedClient",
}
_REQUEST = {
    50059: "MissingTenantRealmAndNoUserInformationProvided",
    50194: "ApplicationNotMultitenant",
    9001023: "GrantTypeNotSupportedOverCommon",
    900144: "MissingParameter",
    90002: "InvalidTenantName",
    90014: "MissingRequiredField",
    90023: "InvalidRequest",
    90038: "NationalCloudTenantRedirection",
    90130: "NonConvergedAppV2GlobalEndpointNotSupported",
}
_PASSING = {50033: "RetryableError", 90006: "ExternalServerRetryableError", 90033: "MsodsServiceUnavailable"}
_DECLINED = {65004: "UserDeclinedConsent"}
_KINDS = {
    "invalid_grant": _GRANT,
    "interaction_required": _INTERACTION,
    "invalid_client": _CLIENT,
    "unauthorized_client": _UNAUTHORIZED,
    "invalid_request": _REQUEST,
    "temporarily_unavailable": _PASSING,
    "access_denied": _DECLINED,
}
_BY_CODE = {
    f"AADSTS{number}": (error, number, name) for error, found in _KINDS.items() for number, name in found.items()
}

CODES = tuple(_BY_CODE)


def refusal(world: World, code: str) -> Reply:
    """Return the answer of Microsoft Entra that rejects a token request with a code.

    Parameters
    ----------
    world
        The emulator's state.
    code
        The code, such as ``AADSTS50076``.
    """
    error, number, name = _BY_CODE[code]
    return refuse(world, error, number, f"{name}.").reply
