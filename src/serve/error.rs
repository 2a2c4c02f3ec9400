//! Everything that is not a 200: RFC 9457 problem documents with the official server's texts
//! (registry-api.md §1.4), and the one place where status codes are decided.

use std::borrow::Cow;

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::reading::Media;

/// Why a request has no good answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Problem {
    /// Parameters of the wrong kind, all of them.
    Validation(Vec<InvalidParameter>),
    /// Something else in the request.
    BadRequest(Cow<'static, str>),
    /// The admin listener wants its token.
    Unauthorized,
    /// The admin listener is not for who asks.
    Forbidden(Cow<'static, str>),
    /// No such route, or no such registry.
    NotFound(Cow<'static, str>),
    /// No such server or version, for certain.
    NotListed,
    /// No such server or version, as far as is known: not everybody who may have it has answered.
    NotListedYet,
    /// Another method is needed.
    MethodNotAllowed { allow: String },
    /// The client takes no form that there is.
    NotAcceptable,
    /// The client does not take JSON, where there is nothing else.
    OnlyJson,
    /// What the client insists on is not what there is.
    PreconditionFailed,
    /// The URL is over the limit.
    UriTooLong,
    /// More or longer headers than the limits.
    HeadTooLarge,
    /// The body did not come in time.
    RequestTimeout,
    /// The body is longer than so many bytes.
    ContentTooLarge { most: usize },
    /// The body is in none of the forms that the route takes.
    UnsupportedMediaType { taken: &'static [Media] },
    /// The body has a coding.
    EncodedContent,
    /// An optional route that we do not have.
    NotImplemented(Cow<'static, str>),
    /// The catalog cannot tell at the moment.
    Unavailable(String),
    /// Too much is being answered at the moment.
    Overloaded,
    /// A fault of ours.
    Internal,
}

/// One parameter of the wrong kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct InvalidParameter {
    pub(super) message: Cow<'static, str>,
    pub(super) location: Cow<'static, str>,
    pub(super) value: Value,
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [InvalidParameter],
    /// The same once more, for readers of the API's `OpenAPI` description.
    error: &'a str,
}

impl Problem {
    /// The same where it may be another one in a moment: nobody shall keep it.
    pub(super) fn for_now(self) -> Self {
        if self == Self::NotListed { Self::NotListedYet } else { self }
    }

    /// The status code.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Validation(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::NotListed | Self::NotListedYet => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable | Self::OnlyJson => StatusCode::NOT_ACCEPTABLE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::ContentTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } | Self::EncodedContent => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable(_) | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The document, with the line end that the official server sends too.
    pub(super) fn body(&self) -> Vec<u8> {
        let status = self.status();
        let detail = self.detail();
        let body = Body {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &detail,
            errors: if let Self::Validation(errors) = self { errors } else { &[] },
            error: &detail,
        };
        let mut bytes = serde_json::to_vec(&body).expect("a problem holds only texts and JSON values");
        bytes.push(b'\n');
        bytes
    }

    /// The same as a sentence, for who sees no status and no members.
    pub(super) fn sentence(&self) -> String {
        let Self::Validation(errors) = self else { return self.detail().into_owned() };
        let told = errors.iter().map(|InvalidParameter { message, location, .. }| {
            format!("{}: {message}", location.strip_prefix("query.").unwrap_or(location))
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// What is wrong, in a sentence.
    pub(super) fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Validation(_) => "validation failed".into(),
            Self::BadRequest(detail)
            | Self::Forbidden(detail)
            | Self::NotFound(detail)
            | Self::NotImplemented(detail) => detail.as_ref().into(),
            Self::Unauthorized => "Show the token of `admin.token_file`, as Bearer or as the password of Basic.".into(),
            Self::NotListed | Self::NotListedYet => "Server not found".into(),
            Self::MethodNotAllowed { allow } => format!("Method not allowed. Use one of {allow}.").into(),
            Self::NotAcceptable => "Accept-Encoding refuses identity and takes none of zstd, br and gzip.".into(),
            Self::OnlyJson => "The answer is application/json, which Accept does not take.".into(),
            Self::PreconditionFailed => "The representation is not the one that the request insists on.".into(),
            Self::UriTooLong => format!("The URL is longer than {} bytes.", super::guard::MAX_URI_BYTES).into(),
            Self::HeadTooLarge => {
                let (count, bytes) = (super::guard::MAX_HEADERS, super::guard::MAX_HEADER_BYTES);
                format!("The request has more than {count} headers, or more than {bytes} bytes of them.").into()
            }
            Self::RequestTimeout => "The request's body did not come in time.".into(),
            Self::ContentTooLarge { most } => format!("The request's body is longer than {most} bytes.").into(),
            Self::UnsupportedMediaType { taken } => {
                let names: Vec<&str> = taken.iter().map(|media| media.name()).collect();
                format!("The request's body must be {}, and Content-Type say so.", names.join(" or ")).into()
            }
            Self::EncodedContent => "The request's body must have no Content-Encoding.".into(),
            Self::Unavailable(detail) => detail.into(),
            Self::Overloaded => "Too many requests are being answered. Try again in a second.".into(),
            Self::Internal => "Internal error. The log says more.".into(),
        }
    }
}
