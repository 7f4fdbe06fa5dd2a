"""The Microsoft Advertising error codes that the emulator can return (guide "Operation error codes")."""

from __future__ import annotations

NAMES: dict[int, tuple[str, str]] = {
    0: ("InternalError", "An internal error has occurred."),
    100: ("NullRequest", "The request message is null."),
    105: ("InvalidCredentials", "Authentication failed. Either supplied credentials are invalid or inactive."),
    106: ("UserIsNotAuthorized", "User is not authorized to perform this operation."),
    108: ("UserCompromised", "The user account may be compromised."),
    109: ("AuthenticationTokenExpired", "Authentication token expired."),
    116: ("RequestMissingHeaders", "The request is missing required HTTP headers."),
    117: ("CallRateExceeded", "You have exceeded the number of calls allowed to make in a minute."),
    120: ("UserLoginAccessDenied", "The user is not allowed to sign in."),
    122: ("PersonalIdentityNotAvailable", "A work account is required."),
    123: ("WorkIdentityNotAvailable", "A personal Microsoft account is required."),
    124: ("PersonalIdentityMigratedToWork", "The personal account was replaced by a work account."),
    125: ("PersonalIdentityNotAllowedByCustomer", "The organization requires a work account."),
    126: ("IdentityTypeMismatch", "This user signs in to Microsoft Advertising with another type of identity."),
    201: ("ApiInputValidationError", "Api input validation error."),
    202: ("ApiExecutionError", "Api execution error."),
    203: ("NullParameter", "A required parameter is null."),
    204: ("OperationNotSupported", "The operation is not supported."),
    206: ("NullArrayArgument", "A required array is null or empty."),
    207: ("ConcurrentRequestOverLimit", "Too many requests at the same time."),
    208: ("InvalidAccount", "The account is not valid."),
    1001: ("UserIsNotAuthorized", "The user does not represent an authorized developer."),
    1010: ("CampaignServiceSystemInReadOnlyMode", "The system is in read-only mode."),
    1011: ("CampaignServiceFutureFeatureCode", "Internal error."),
    1029: ("CampaignServiceCustomerIdHasToBeSpecified", "The customer identifier must be specified."),
    1030: ("CampaignServiceAccountIdHasToBeSpecified", "The account identifier must be specified."),
    1102: ("CampaignServiceInvalidAccountId", "The account identifier is not valid."),
    1490: ("CampaignServiceInvalidCustomerId", "The customer identifier is not valid."),
    3217: ("BulkServiceFormatVersionNotSupported", "The format version is not supported."),
    3219: ("BulkServiceFormatVersionRequired", "The format version is required."),
    3220: ("BulkServiceInvalidBulkUploadUrl", "The upload URL is not valid."),
    3221: ("BulkServiceNoFileFound", "No file was found in the request."),
    3222: ("BulkServiceMultipleFilesFound", "More than one file was found in the request."),
    3223: ("BulkServiceInvalidFileExtension", "The file extension is not supported."),
    3224: ("BulkServiceUrlAlreadyUsedForUpload", "The URL has already been used for file upload."),
    3225: ("BulkServiceFileRowCountExceeded", "The file has too many rows, or is too large."),
    3226: ("BulkServiceUrlExpired", "The upload URL has expired."),
    3227: ("BulkServiceTooManyRequests", "Too many uploads are in progress."),
    4200: ("BulkServiceBatchOperationFailedForItems", "The batch operation failed for some items."),
    4201: ("BulkServiceInvalidRequestId", "The request identifier is not valid."),
    4202: ("BulkServiceEntityNotFound", "The entity was not found."),
    4203: ("BulkServiceUnknownTypeForRow", "The row's type is not known."),
    4204: ("BulkServiceNoMoreCallsPermittedForTheTimePeriod", "No more calls are permitted for the time period."),
    4835: ("InvalidAudienceId", "The audience ID is invalid."),
    4837: ("DuplicateAudienceId", "Duplicate audience IDs are not allowed."),
    4838: ("InvalidAudienceName", "The audience name is invalid."),
    4841: ("InvalidAudienceDescription", "The audience description is invalid."),
    4842: ("InvalidAudienceMembershipDuration", "The audience membership duration is invalid."),
    4843: ("AudienceParentIdDoesNotMatchScope", "The audience parent id does not match the scope."),
    4844: ("AudiencesArrayShouldNotBeNullOrEmpty", "Audiences are required."),
    4845: ("AudienceIsNull", "Audience cannot be null."),
    4846: ("AudienceIdIsNull", "Audience id cannot be null."),
    4847: ("AudienceIdIsNotNull", "Audience id must be null."),
    4848: ("InvalidAudienceParentId", "The audience parent id is invalid or not specified."),
    4849: ("InvalidAudienceScope", "The audience scope is invalid or not specified."),
    4850: ("AudiencesArrayExceedsLimit", "The audiences array exceeds the limit."),
    4851: ("AudienceIdsArrayShouldNotBeNullOrEmpty", "Audience IDs are required."),
    4852: ("AudienceIdsArrayExceedsLimit", "The audience IDs array exceeds the limit."),
    4853: ("DuplicateAudienceName", "Audience name is duplicate."),
    4854: ("AudienceCannotBeDeletedDueToExistingAdGroupCriterion", "Audience is still associated."),
    4855: ("AudienceCanNotChangeScopeOnUpdate", "Audience scope cannot be changed on update."),
    4859: ("InvalidAudienceType", "The audience type is invalid."),
    4861: ("AudienceIdDoNotMatchAudienceType", "The audience id does not match the audience type."),
    4865: ("MaxAudiencesPerAccountLimitReached", "The limit of audiences per account is reached."),
    4866: ("MaxAudiencesPerCustomerLimitReached", "The limit of audiences per customer is reached."),
    6999: ("CampaignServiceBatchLimitExceeded", "The batch exceeds the limit."),
    8000: ("InvalidCustomerListId", "Invalid CustomerList Id."),
    8001: ("InvalidCustomerListActionType", "The Customer List Action Type can only be Add, Replace, or Delete."),
    8002: ("CustomerListItemSubTypeNotSupported", "The Customer List Item sub type is not supported."),
    8003: (
        "CustomerListTermsAndConditionsNotAccepted",
        "The Customer Match 'Terms And Conditions' are not yet Accepted in the Microsoft Advertising web UI.",
    ),
    8004: ("EmailMustBeHashed", "Email address can't be in plain text and must be hashed."),
    8005: ("CRMIdLengthExceedLimitation", "CRM Id exceeds the limitation of 100 characters."),
    8006: ("EitherEmailOrCRMIDShouldBeProvided", "Either email address or CRM Id should be provided."),
    8109: ("CustomerListsCanOnlyBeCombinedWithOtherCustomerLists", "Customer lists combine with customer lists only."),
    8110: ("AudienceUsedByCombinedListCannotBeDeleted", "The audience is used by a combined list."),
    8119: ("CombinedAudienceForLocationNotAllowed", "Combined audiences are not allowed for the location."),
}


def error_code(code: int | str | None) -> str:
    """Return Microsoft's symbolic name of a code, given as a number or as text."""
    return _known(code)[0]


def message(code: int | str | None) -> str:
    """Return the message of a code."""
    return _known(code)[1]


def _known(code: int | str | None) -> tuple[str, str]:
    number = int(code) if isinstance(code, str) and code.isdecimal() else code
    return NAMES.get(number, ("UnknownError", "Unknown error.")) if isinstance(number, int) else ("UnknownError", "")
