//! Harbor's projects, over its own API (v2): which are there, and making one.

use bytes::Bytes;
use http::{Method, StatusCode};
use landfall_client::Client;
use landfall_oci::Registry;
use serde_json::json;

use super::Visibility;
use crate::Class;

const PROJECTS: &str = "/api/v2.0/projects";

/// Whether a project is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    There,
    /// It is not.
    Missing,
    /// The API does not say it to this user, for this reason. Robots that may push are often told nothing more.
    Unclear(String),
}

pub(super) async fn look(client: &Client, registry: &Registry, project: &str) -> Standing {
    let query = format!("?project_name={project}");
    let asked = client
        .ask_host(registry, Method::HEAD, PROJECTS, &query, None, true)
        .await;
    match asked {
        Ok(answer) => match answer.status {
            status if status.is_success() => Standing::There,
            StatusCode::NOT_FOUND => Standing::Missing,
            status => Standing::Unclear(format!("{status} (we showed: {})", answer.provenance)),
        },
        Err(error) => Standing::Unclear(error.to_string()),
    }
}

/// Makes a project; `false` when somebody else has just made it, which is no error.
pub(super) async fn make(
    client: &Client,
    registry: &Registry,
    project: &str,
    visibility: Visibility,
) -> Result<bool, (Class, String)> {
    let is_public = visibility == Visibility::Public;
    let body = json!({"project_name": project, "metadata": {"public": is_public.to_string()}});
    let body = Bytes::from(body.to_string());
    let answer = client
        .ask_host(registry, Method::POST, PROJECTS, "", Some(&body), true)
        .await
        .map_err(|error| {
            let error = crate::TransferError::from(error);
            (error.class(), error.describe())
        })?;
    if answer.status.is_success() || answer.status == StatusCode::CONFLICT {
        return Ok(answer.status != StatusCode::CONFLICT);
    }
    let (class, advice) = match answer.status {
        StatusCode::UNAUTHORIZED => (
            Class::Credentials,
            "Harbor does not accept this user and password",
        ),
        StatusCode::FORBIDDEN => (
            Class::Credentials,
            "the user may not create projects: let an administrator create it, use a system robot account with the permission \
             to create projects, or open project creation to everyone in Harbor's system settings",
        ),
        StatusCode::BAD_REQUEST => (
            Class::Unusable,
            "a project's name has small letters and digits with one of . _ - between, 255 at most",
        ),
        StatusCode::PRECONDITION_FAILED => (
            Class::Unusable,
            "a rule of this Harbor forbids it; an administrator can say which",
        ),
        StatusCode::TOO_MANY_REQUESTS => (Class::Unavailable, "try again later"),
        status if status.is_server_error() => {
            (Class::Unavailable, "try again later, or look into Harbor's log")
        }
        _ => (Class::Unusable, "create it in Harbor"),
    };
    let reason = format!(
        "{registry} did not create the project `{project}` ({}; we showed: {}){}; {advice}",
        answer.status,
        answer.provenance,
        answer.words()
    );
    Err((class, reason))
}
