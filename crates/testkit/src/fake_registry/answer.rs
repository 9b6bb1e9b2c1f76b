//! The few shapes that answers have.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::body::{Body, full};

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response
}

/// An answer with a JSON body.
pub(super) fn json_body(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The specification's error body; none when there is no code.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    if code.is_empty() {
        return empty(status);
    }
    json_body(status, &json!({"errors": [{"code": code, "message": message}]}))
}

/// Adds a header.
pub(super) fn with(mut response: Response<Body>, name: &'static str, value: impl ToString) -> Response<Body> {
    let value = value
        .to_string()
        .parse()
        .expect("the registry's own headers are ASCII");
    response.headers_mut().insert(name, value);
    response
}

/// Sets `Content-Length`, which a streamed body does not do by itself.
pub(super) fn sized(mut response: Response<Body>, len: u64) -> Response<Body> {
    response.headers_mut().insert(CONTENT_LENGTH, len.into());
    response
}
