//! What a failed reply means: one table.

use cabotage_core::{Error, ErrorKind, Operation};
use http::{HeaderMap, StatusCode};

use crate::xml::{self, Visit};

/// Longest part of a server's message that is shown, in characters.
const MESSAGE: usize = 300;

/// What is known of a failed reply.
pub(crate) struct Failure<'a> {
    pub(crate) status: StatusCode,
    /// `x-ms-error-code`, else the body's `Code`; empty when neither is there.
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// Whether the server says that it is the emulator.
    pub(crate) azurite: bool,
}

/// Status and code to kind. First by code, then by status.
pub(crate) fn kind(failure: &Failure<'_>) -> ErrorKind {
    by_code(failure.code).or_else(|| by_right(failure)).unwrap_or_else(|| by_status(failure.status))
}

/// Codes that mean more than their status, or something else.
fn by_code(code: &str) -> Option<ErrorKind> {
    use ErrorKind as K;
    Some(match code {
        "ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled" => K::BucketNotFound,
        "BlobNotFound" | "ResourceNotFound" | "PathNotFound" => K::NotFound,
        "BlobAlreadyExists"
        | "ConditionNotMet"
        | "TargetConditionNotMet"
        | "SourceConditionNotMet"
        | "InvalidRange"
        | "UnmodifiedSinceConditionNotMet" => K::PreconditionFailed,
        "LeaseIdMissing"
        | "LeaseLost"
        | "LeaseIdMismatchWithBlobOperation"
        | "BlobImmutableDueToPolicy"
        | "BlobImmutableDueToLegalHold"
        | "PathAlreadyExists"
        | "PendingCopyOperation" => K::PermissionDenied,
        "SnapshotsPresent"
        | "InvalidBlobType"
        | "FeatureNotSupportedForAccount"
        | "BlobTierInadequateForContentLength"
        | "AccessTierNotSupportedForBlobType"
        | "InvalidBlobTier"
        | "BlobAccessTierNotSupportedForAccountType"
        | "HierarchicalNamespaceNotSupported" => K::Unsupported,
        "Md5Mismatch" | "Crc64Mismatch" => K::DigestMismatch,
        "InvalidUri" | "InvalidResourceName" | "InvalidBlobName" | "OutOfRangeInput" => K::KeyRejected,
        "RequestBodyTooLarge"
        | "BlockListTooLong"
        | "BlockCountExceedsLimit"
        | "UncommittedBlockCountExceedsLimit" => K::TooLarge,
        "BlobArchived" | "BlobBeingRehydrated" => K::Archived,
        "ServerBusy" | "TooManyRequests" => K::Throttled,
        "OperationTimedOut" | "InternalError" => K::Unavailable,
        _ => return None,
    })
}

/// Who may: identity, rights, and the account's own state.
fn by_right(failure: &Failure<'_>) -> Option<ErrorKind> {
    use ErrorKind as K;
    Some(match failure.code {
        "AuthenticationFailed"
        | "InvalidAuthenticationInfo"
        | "NoAuthenticationInformation"
        | "CannotVerifyAuthenticity" => authentication(failure),
        "AuthorizationFailure" => authorization(failure),
        "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions"
        | "AuthorizationResourceTypeMismatch"
        | "AuthorizationServiceMismatch"
        | "PublicAccessNotPermitted"
        | "UnauthorizedBlobOverwrite" => K::PermissionDenied,
        "AuthorizationProtocolMismatch"
        | "AuthorizationSourceIPMismatch"
        | "KeyBasedAuthenticationNotPermitted"
        | "AccountIsDisabled"
        | "AccountBeingCreated"
        | "AccountRequiresHttps" => K::AccountDenied,
        _ => return None,
    })
}

fn by_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        304 | 409 | 412 | 416 => ErrorKind::PreconditionFailed,
        408 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 | 503 => ErrorKind::Throttled,
        500..=599 => ErrorKind::Unavailable,
        400..=499 => ErrorKind::Unsupported,
        _ => ErrorKind::Protocol,
    }
}

/// An expired token is worth a new one.
fn authentication(failure: &Failure<'_>) -> ErrorKind {
    let expired = failure.message.contains("Lifetime validation failed")
        || failure.message.contains("token is expired");
    if expired { ErrorKind::CredentialsExpired } else { ErrorKind::Unauthenticated }
}

/// The service answers so when the account's firewall refuses the caller; Azurite, when the signature is wrong.
fn authorization(failure: &Failure<'_>) -> ErrorKind {
    if failure.azurite || failure.message.starts_with("Server failed to authenticate") {
        ErrorKind::Unauthenticated
    } else {
        ErrorKind::AccountDenied
    }
}

/// The error of a failed reply. The server's words are shown, but for those about authentication: they quote what
/// was signed.
pub(crate) fn error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (told_code, told_message) = told(body);
    let code = Some(header("x-ms-error-code")).filter(|code| !code.is_empty()).unwrap_or(&told_code);
    let azurite = header("server").starts_with("Azurite");
    let failure = Failure { status, code, message: &told_message, azurite };
    let kind = kind(&failure);
    let mut error = Error::new(kind, message(kind, &failure)).with("status", status.as_str());
    if !code.is_empty() {
        error = error.with("code", code);
    }
    let request = header("x-ms-request-id");
    if !request.is_empty() {
        error = error.with("request-id", request);
    }
    match help(kind, code) {
        Some(help) => error.help(help),
        None => error,
    }
}

fn message(kind: ErrorKind, failure: &Failure<'_>) -> String {
    let own = match kind {
        ErrorKind::Unauthenticated => "the credentials are wrong or have no say here",
        ErrorKind::CredentialsExpired => "the access token has expired",
        ErrorKind::AccountDenied => "the account refuses every request from here",
        ErrorKind::BucketNotFound => match failure.code {
            "ContainerBeingDeleted" => "the container is being deleted",
            "ContainerDisabled" => "the container is disabled",
            _ => "there is no such container",
        },
        ErrorKind::NotFound => "there is no such blob",
        ErrorKind::Archived => "the blob is archived",
        ErrorKind::PermissionDenied if failure.message.is_empty() => "the credentials don't allow this",
        _ if failure.status.is_redirection() && failure.status != StatusCode::NOT_MODIFIED => {
            "the server redirects, which is never followed"
        }
        _ => "",
    };
    let shown = failure.message.lines().next().unwrap_or_default().trim();
    if !own.is_empty() {
        own.to_owned()
    } else if shown.is_empty() || shown.contains("sig=") {
        format!("the server answered {}", failure.status)
    } else {
        shown.chars().take(MESSAGE).collect()
    }
}

fn help(kind: ErrorKind, code: &str) -> Option<&'static str> {
    Some(match (kind, code) {
        (ErrorKind::Unauthenticated, _) => {
            "check the account's name and its key, the SAS and its times, and this machine's clock"
        }
        (ErrorKind::AccountDenied, "AccountRequiresHttps") => "use https://",
        (ErrorKind::AccountDenied, "KeyBasedAuthenticationNotPermitted") => {
            "the account takes no keys: use Entra ID (workload or managed identity, client secret, az login)"
        }
        (ErrorKind::AccountDenied, _) => {
            "check the account's firewall, its state and the SAS's address range"
        }
        (ErrorKind::Archived, _) => "rehydrate it first",
        (ErrorKind::CredentialsExpired, _) => {
            "sign in again (az login) or get a new token, then run the same command again"
        }
        (ErrorKind::BucketNotFound, "ContainerBeingDeleted") => {
            "wait until it is gone (half a minute, or longer with many blobs), create it again, then run the same command again; \
             if nobody meant to delete it, soft delete may bring it back"
        }
        (ErrorKind::BucketNotFound, "ContainerDisabled") => "ask the account's administrator to enable it",
        (ErrorKind::BucketNotFound, _) => {
            "check the container's name and the account's, or create the container"
        }
        (ErrorKind::PermissionDenied, "AuthorizationResourceTypeMismatch") => {
            "the SAS is not for containers and blobs: make it with the resource types container and object (srt=co)"
        }
        (ErrorKind::PermissionDenied, "AuthorizationServiceMismatch") => {
            "the SAS is for another service: make it for blobs (ss=b)"
        }
        (ErrorKind::PermissionDenied, "PublicAccessNotPermitted") => {
            "the request was anonymous, which the account doesn't allow: give a key, a SAS or an identity"
        }
        (ErrorKind::Unsupported, "SnapshotsPresent") => {
            "its snapshots would be deleted with it: delete them first"
        }
        (
            ErrorKind::PermissionDenied,
            "LeaseIdMissing" | "LeaseLost" | "LeaseIdMismatchWithBlobOperation",
        ) => "somebody holds a lease on it: break the lease, or run again when it has ended",
        (ErrorKind::PermissionDenied, "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold") => {
            "the blob is under an immutability policy or a legal hold"
        }
        _ => return None,
    })
}

/// A refusal, with the right to ask for: as a role and as a SAS permission.
pub(crate) fn with_right(error: Error, container: &str) -> Error {
    let denied = error.kind() == ErrorKind::PermissionDenied && error.advice().is_none();
    let by_right = matches!(
        error.fact("code"),
        None | Some(
            "AuthorizationPermissionMismatch"
                | "InsufficientAccountPermissions"
                | "UnauthorizedBlobOverwrite"
        )
    );
    let right = error.operation().filter(|_| denied && by_right).and_then(right);
    let Some((role, sas)) = right else { return error };
    error.help(format!(
        "ask for the role {role} on the container {container} (it takes some minutes to work), or for a SAS with {sas}; `cabotage \
         check-access` names every missing right"
    ))
}

/// Role and SAS permissions for what was being done (REST reference, "Authorize with Microsoft Entra ID", "Create a service
/// SAS").
fn right(operation: Operation) -> Option<(&'static str, &'static str)> {
    const READER: &str = "Storage Blob Data Reader";
    const CONTRIBUTOR: &str = "Storage Blob Data Contributor";
    Some(match operation {
        Operation::List => (READER, "l (list)"),
        Operation::Head | Operation::Read => (READER, "r (read)"),
        Operation::ReadTags => ("Storage Blob Data Owner", "t (tags)"),
        Operation::Write
        | Operation::Upload
        | Operation::WritePart
        | Operation::Complete
        | Operation::Abort => (CONTRIBUTOR, "c and w (create, write)"),
        Operation::SetAttributes => (CONTRIBUTOR, "w (write)"),
        Operation::Copy => (CONTRIBUTOR, "r, c and w (read, create, write)"),
        Operation::Delete => (CONTRIBUTOR, "d (delete)"),
        _ => return None,
    })
}

/// Code and message of an error's body; empty where it is no such body.
fn told(body: &[u8]) -> (String, String) {
    let (mut code, mut message) = (String::new(), String::new());
    let _ = xml::walk(body, |visit| {
        if let Visit::Close { path, text, .. } = visit {
            match path {
                ["Error", "Code"] => code = text.to_owned(),
                ["Error", "Message"] => message = text.to_owned(),
                _ => {}
            }
        }
        Ok(())
    });
    (code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, code: &str, message: &str, server: &'static str) -> Error {
        let mut headers = HeaderMap::new();
        headers.insert("server", server.parse().unwrap());
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\nRequestId:1\n\
             Time:2</Message><AuthenticationErrorDetail>hush</AuthenticationErrorDetail></Error>"
        );
        error(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn table() {
        use ErrorKind as K;
        for (status, code, kind) in [
            (404, "ContainerNotFound", K::BucketNotFound),
            (404, "BlobNotFound", K::NotFound),
            (404, "", K::NotFound),
            (409, "BlobAlreadyExists", K::PreconditionFailed),
            (412, "ConditionNotMet", K::PreconditionFailed),
            (304, "ConditionNotMet", K::PreconditionFailed),
            (416, "InvalidRange", K::PreconditionFailed),
            (400, "Md5Mismatch", K::DigestMismatch),
            (409, "BlobArchived", K::Archived),
            (403, "AuthenticationFailed", K::Unauthenticated),
            (403, "AuthorizationPermissionMismatch", K::PermissionDenied),
            (403, "AuthorizationFailure", K::AccountDenied),
            (403, "AccountIsDisabled", K::AccountDenied),
            (503, "ServerBusy", K::Throttled),
            (500, "OperationTimedOut", K::Unavailable),
            (500, "", K::Unavailable),
            (429, "", K::Throttled),
            (400, "InvalidUri", K::KeyRejected),
            (413, "RequestBodyTooLarge", K::TooLarge),
            (301, "", K::Protocol),
            (400, "SomethingNew", K::Unsupported),
        ] {
            assert_eq!(reply(status, code, "m", "Windows-Azure-Blob/1.0").kind(), kind, "{status} {code}");
        }
        assert_eq!(reply(403, "AuthorizationFailure", "", "Azurite-Blob/3.37.0").kind(), K::Unauthenticated);
        let expired =
            reply(401, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired.", "x");
        assert_eq!(expired.kind(), K::CredentialsExpired);
    }

    #[test]
    fn a_refusal_names_role_and_sas_permission() {
        let denied = |code| reply(403, code, "no", "Windows-Azure-Blob/1.0");
        for (operation, role, sas) in [
            (Operation::List, "Storage Blob Data Reader on the container c", "l (list)"),
            (Operation::Write, "Storage Blob Data Contributor", "c and w"),
            (Operation::Delete, "Storage Blob Data Contributor", "d (delete)"),
        ] {
            let text =
                with_right(denied("AuthorizationPermissionMismatch").during(operation), "c").to_string();
            assert!(text.contains(role) && text.contains(sas), "{text}");
        }
        let lease = with_right(denied("LeaseIdMissing").during(Operation::Write), "c");
        assert!(!lease.to_string().contains("role"), "no role helps: {lease}");
    }

    #[test]
    fn what_was_signed_is_not_shown() {
        let text =
            "The MAC signature found in the HTTP request 'hush' is not the same as any computed signature.";
        let error = reply(403, "AuthenticationFailed", text, "x");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        let error = reply(400, "SomethingNew", "the query sig=hush is odd", "x");
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[test]
    fn a_head_has_its_code_in_a_header_alone() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-error-code", "ContainerNotFound".parse().unwrap());
        headers.insert("x-ms-request-id", "r1".parse().unwrap());
        let error = error(StatusCode::NOT_FOUND, &headers, b"");
        assert_eq!(error.kind(), ErrorKind::BucketNotFound);
        assert_eq!(error.fact("request-id"), Some("r1"));
    }

    #[test]
    fn other_bodies_do_no_harm() {
        for body in [&b"<html><body>502"[..], b"\xff\xfe", b"", b"<!DOCTYPE x><Error/>"] {
            let error = error(StatusCode::BAD_GATEWAY, &HeaderMap::new(), body);
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
    }
}
