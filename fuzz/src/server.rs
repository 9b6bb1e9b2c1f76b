//! What only the server reads.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_server::{Route, Rules, ServerError, fuzzing};

use crate::text;

/// `Authorization: Basic`.
pub fn authorization(data: &[u8]) {
    if let Some((user, password)) = fuzzing::basic(data) {
        assert!(!user.contains(':'));
        let again = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        assert_eq!(fuzzing::basic(again.as_bytes()), Some((user, password)));
    }
}

/// The path of a request.
pub fn path(data: &[u8]) {
    let Some(path) = text(data) else { return };
    let Ok(route) = Route::parse(path) else { return };
    let again = match &route {
        Route::Base => "/v2/".to_owned(),
        Route::Health => "/healthz".to_owned(),
        Route::Catalog => "/v2/_catalog".to_owned(),
        Route::Tags(name) => format!("/v2/{name}/tags/list"),
        Route::Manifest(name, target) => format!("/v2/{name}/manifests/{target}"),
        Route::Blob(name, digest) => format!("/v2/{name}/blobs/{digest}"),
        Route::Uploads(name) => format!("/v2/{name}/blobs/uploads/"),
        Route::Upload(name, id) => format!("/v2/{name}/blobs/uploads/{id}"),
        Route::Referrers(name, digest) => format!("/v2/{name}/referrers/{digest}"),
        Route::Ready => "/readyz".to_owned(),
        Route::Metrics => "/metrics".to_owned(),
        Route::Token => "/token".to_owned(),
    };
    assert_eq!(Route::parse(&again).as_ref(), Ok(&route), "{again}");
    let leads_out = |part: &str| matches!(part, "." | ".." | "") || part.contains(['\\', '\0', '%']);
    let parts = again.trim_start_matches('/').trim_end_matches('/');
    assert!(!parts.split('/').any(leads_out), "{again}");
}

/// A file of rules: understood or refused with a place that is in it.
pub fn rules(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let read = Rules::parse(text, Path::new("rules.toml"));
    if let Err(ServerError::Rules { line, column, .. }) = read {
        // One behind the last line is where something is missing.
        assert!(line >= 1 && line <= text.split('\n').count() + 1, "line {line}");
        assert!(column >= 1 && column <= text.len() + 1, "column {column}");
    }
}
