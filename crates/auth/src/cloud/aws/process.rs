//! `credential_process`: a command in a profile that prints keys.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Aws, Identity};
use crate::cloud::failure::Failure;

/// How long it may take: some ask a person.
const LIMIT: Duration = Duration::from_secs(30);
const ADVICE: &str = "run the command yourself to see what it says";

impl Aws<'_> {
    pub(super) async fn process(&self, command: &str, from: &str) -> Result<Identity, Failure> {
        let run = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let bad =
            |reason: String| Failure::unusable(format!("the credential_process of {from} {reason}"), ADVICE);
        let output = tokio::time::timeout(LIMIT, run)
            .await
            .map_err(|_| bad(format!("did not end within {LIMIT:?}")))?
            .map_err(|error| bad(format!("cannot be started: {error}")))?;
        if !output.status.success() {
            return Err(bad(format!("failed ({})", output.status)));
        }
        let json = serde_json::from_slice::<serde_json::Value>(&output.stdout).ok();
        let json = json.filter(|json| json.get("Version").and_then(serde_json::Value::as_u64) == Some(1));
        let identity = json.and_then(|json| super::container::keys(&json, "SessionToken", from));
        identity.ok_or_else(|| bad("did not print keys in the form of version 1".to_owned()))
    }
}
