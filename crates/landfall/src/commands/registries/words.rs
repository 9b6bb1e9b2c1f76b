//! What a node shows when nobody had the image: containerd's own words for the answers that were had.

use std::collections::HashMap;
use std::sync::Arc;

use landfall_auth::AuthError;
use landfall_client::ClientError;
use landfall_net::client::NetError;
use landfall_oci::Reference;
use landfall_registries::Attempt;
use landfall_registries::containerd::{Answer, Answers, Containerd, Request};
use landfall_transfer::{Asked, Sought};

/// The error of the pull, as the kubelet shows it.
pub(super) fn of(
    containerd: &Containerd,
    image: &Reference,
    asked: &[Asked],
    places: &[(Arc<str>, &Attempt)],
) -> String {
    let mut heard = Heard::default();
    for asked in asked
        .iter()
        .filter(|asked| !matches!(asked.sought, Sought::Blob(_)))
    {
        let host = places.iter().find(|(label, _)| *label == asked.way);
        let error = asked.refusal.as_ref().and_then(|refusal| refusal.error.as_ref());
        if let (Some((_, attempt)), Some(error)) = (host, error) {
            heard
                .0
                .entry(attempt.host.clone())
                .or_insert_with(|| error.clone());
        }
    }
    let trace = containerd.simulate(image, &mut heard);
    let error = trace.resolve_error.unwrap_or_else(|| "not found".to_owned());
    let between = if image.digest().is_some() { '@' } else { ':' };
    let name = format!("{}{between}{}", image.name(), image.target());
    format!("failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {error}")
}

/// What each host said.
#[derive(Default)]
struct Heard(HashMap<String, ClientError>);

impl Answers for Heard {
    fn answer(&mut self, request: &Request) -> Answer {
        self.0.get(&request.host).map_or(Answer::Status(404), answer)
    }

    fn speaks_tls(&mut self, host: &str) -> bool {
        let error = self.0.get(host);
        !error.is_some_and(|error| matches!(error, ClientError::Net { source, .. } if matches!(source.root(), NetError::NotTls { .. })))
    }
}

fn answer(error: &ClientError) -> Answer {
    match error {
        ClientError::NotFound { .. } => Answer::Status(404),
        ClientError::Unauthorized { .. } => Answer::Basic,
        ClientError::Denied { .. } => Answer::Status(403),
        ClientError::RateLimited { .. } => Answer::Status(429),
        ClientError::Unavailable { status, .. } | ClientError::Refused { status, .. } => {
            Answer::Status(*status)
        }
        ClientError::Net { source, .. } => way(source),
        ClientError::Auth { source, .. } => match &**source {
            AuthError::Net { source, .. } => way(source),
            other => Answer::Bearer {
                error: None,
                token: Err(other.to_string()),
            },
        },
        _ => Answer::Status(500),
    }
}

fn way(error: &NetError) -> Answer {
    let untrusted =
        |words: &str| Answer::Untrusted(format!("tls: failed to verify certificate: x509: {words}"));
    match error.root() {
        NetError::Dns { .. } => Answer::NoSuchHost,
        NetError::Connect { .. } => Answer::Refused,
        NetError::Timeout { .. } => Answer::TimedOut,
        NetError::TlsUnknownCa { .. } => untrusted("certificate signed by unknown authority"),
        NetError::TlsExpired { .. } => untrusted("certificate has expired or is not yet valid"),
        NetError::TlsWrongName { .. } => untrusted("certificate is valid for other names"),
        _ => Answer::Cut,
    }
}
