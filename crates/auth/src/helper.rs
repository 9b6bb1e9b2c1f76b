//! Credential helpers: programs named `docker-credential-NAME` that keep credentials outside the file.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{AuthError, Credential, Secret};

/// What helpers print when they have nothing for a server.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The user name that marks the secret as a refresh token.
const TOKEN_USER: &str = "<token>";

/// One question to one helper.
#[derive(Clone, Debug)]
pub(crate) struct HelperCall<'a> {
    /// `NAME`.
    pub(crate) name: &'a str,
    /// The registry as docker calls it.
    pub(crate) server: &'a str,
    /// The file that names the helper, for messages.
    pub(crate) file: &'a str,
    /// `PATH`.
    pub(crate) path: Option<&'a OsStr>,
    /// How long it may take.
    pub(crate) limit: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl HelperCall<'_> {
    /// Asks. `None`: the helper has nothing for this server.
    pub(crate) async fn get(&self) -> Result<Option<Credential>, AuthError> {
        let program = self.find().ok_or_else(|| AuthError::HelperMissing {
            file: self.file.to_owned(),
            program: self.program(),
            server: self.server.to_owned(),
        })?;
        let run = tokio::time::timeout(self.limit, self.run(program)).await;
        let output = run
            .map_err(|_| AuthError::HelperTimeout {
                file: self.file.to_owned(),
                program: self.program(),
                after: self.limit,
            })?
            .map_err(|error| self.failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            return match said.contains(NOT_FOUND) {
                true => Ok(None),
                // What it prints may be anything; helpers print one line for people.
                false => Err(self.failed(format!("{}: {}", output.status, first_line(&said)))),
            };
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| self.failed("it did not answer with the JSON of a credential".to_owned()))?;
        Ok(match (answer.username.as_str(), answer.secret.as_str()) {
            ("", "") => None,
            (TOKEN_USER, token) => Some(Credential::IdentityToken {
                token: Secret::new(token),
            }),
            (username, password) => Some(Credential::Basic {
                username: username.to_owned(),
                password: Secret::new(password),
            }),
        })
    }

    async fn run(&self, program: PathBuf) -> io::Result<std::process::Output> {
        let mut child = Command::new(program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that answers without reading is no error.
            let _ = stdin.write_all(self.server.as_bytes()).await;
        }
        child.wait_with_output().await
    }

    fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }

    /// The program in `PATH`. A name with a slash could point anywhere and is not looked for.
    fn find(&self) -> Option<PathBuf> {
        if self.name.contains('/') {
            return None;
        }
        let program = self.program();
        std::env::split_paths(self.path?)
            .map(|folder| folder.join(&program))
            .find(|candidate| candidate.is_file())
    }

    fn failed(&self, reason: String) -> AuthError {
        AuthError::HelperFailed {
            file: self.file.to_owned(),
            program: self.program(),
            server: self.server.to_owned(),
            reason,
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or("no message")
        .chars()
        .take(200)
        .collect()
}
