//! What a registry of the farm answers: a pure function of its script and of what it was asked before, so that a
//! simulation can be given the very same answers as a real program.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use landfall_oci::Digest;
use serde_json::json;

use crate::Workload;

/// How one registry behaves.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Who is let in.
    pub guard: Guard,
    /// The token server below `/token`.
    pub tokens: Tokens,
    /// Answers to `HEAD` of a manifest, in order; the last one holds on.
    pub head_manifest: Vec<Reaction>,
    /// Answers to `GET` of a manifest.
    pub get_manifest: Vec<Reaction>,
    /// Answers to `HEAD` of a blob.
    pub head_blob: Vec<Reaction>,
    /// Answers to `GET` of a blob.
    pub get_blob: Vec<Reaction>,
    /// The image that it has, under every name.
    pub image: Option<Arc<Tiny>>,
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reaction {
    /// What was asked for, or 404.
    #[default]
    Serve,
    /// As [`Reaction::Serve`], but without `Docker-Content-Digest`.
    NoDigest,
    /// A bare status.
    Status(u16),
    /// The connection is closed without an answer.
    Hangup,
}

/// Who is let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// Everybody.
    #[default]
    Open,
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token of the server at `realm`.
    Bearer {
        /// The token server's URL.
        realm: String,
        /// What else the challenge says, with a comma before: `,service="x",scope="y"`.
        more: String,
    },
    /// Nobody: 401 with these challenges.
    Closed(Vec<String>),
}

/// The token server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The answer to `POST`: 200 gives a token.
    pub post: u16,
    /// The answer to `GET`.
    pub get: u16,
    /// Who gets a token; `None`: everybody.
    pub account: Option<(String, String)>,
    /// The token that it gives is one that no registry takes.
    pub useless: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            post: 200,
            get: 200,
            account: None,
            useless: false,
        }
    }
}

/// An image of one manifest, one config and at most one layer.
#[derive(Debug)]
pub struct Tiny {
    /// Its manifest's digest.
    pub digest: Digest,
    manifest: (String, Bytes),
    order: Vec<Digest>,
    blobs: HashMap<String, Bytes>,
}

impl Tiny {
    /// An image that no other seed has.
    pub fn new(seed: u64) -> Self {
        let workload = Workload::hello("tiny:1", &format!("image {seed}"));
        let digest = workload.images[0].root;
        let manifest = &workload.manifests[&digest];
        let view = manifest.view().expect("the workload's own manifests are valid");
        let bytes = |content: &crate::workload::Content| content.bytes();
        Self {
            digest,
            order: view.blobs().map(|blob| blob.digest).collect(),
            manifest: (manifest.media_type.to_string(), manifest.bytes.clone()),
            blobs: workload
                .blobs
                .iter()
                .map(|(digest, content)| (digest.to_string(), bytes(content)))
                .collect(),
        }
    }
}

impl Tiny {
    /// Config and layer, as a runtime fetches them.
    pub fn blobs_in_order(&self) -> Vec<Digest> {
        self.order.clone()
    }
}

/// A request, as far as an answer depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as it was sent.
    pub path: &'a str,
    /// `Authorization`, whole.
    pub authorization: Option<&'a str>,
    /// The body of a `POST`.
    pub form: &'a str,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// An answer.
    Answer(Reply),
    /// The connection is closed.
    Hangup,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; a `HEAD` gets its length only.
    pub body: Bytes,
}

/// A registry at work: its script, and how often it was asked what.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    script: Script,
    counts: HashMap<&'static str, usize>,
}

impl Desk {
    /// Nothing was asked yet.
    pub fn new(script: Script) -> Self {
        Self {
            script,
            counts: HashMap::new(),
        }
    }

    /// What comes back.
    pub fn decide(&mut self, ask: &Ask<'_>) -> Act {
        if ask.path == "/token" {
            return Act::Answer(self.script.tokens.answer(ask));
        }
        if let Some(refusal) = self.script.guard.refuse(ask) {
            return Act::Answer(refusal);
        }
        let (section, last) = section(ask.path);
        let (name, reactions) = match (ask.method, section) {
            ("HEAD", "manifests") => ("head manifest", &self.script.head_manifest),
            ("GET", "manifests") => ("get manifest", &self.script.get_manifest),
            ("HEAD", "blobs") => ("head blob", &self.script.head_blob),
            ("GET", "blobs") => ("get blob", &self.script.get_blob),
            _ => return Act::Answer(Reply::bare(404)),
        };
        let count = self.counts.entry(name).or_default();
        let reaction = reactions
            .get(*count)
            .or(reactions.last())
            .copied()
            .unwrap_or_default();
        *count += 1;
        match reaction {
            Reaction::Serve => Act::Answer(self.serve(section, last, true)),
            Reaction::NoDigest => Act::Answer(self.serve(section, last, false)),
            Reaction::Status(status) => Act::Answer(Reply::bare(status)),
            Reaction::Hangup => Act::Hangup,
        }
    }

    fn serve(&self, section: &str, last: &str, with_digest: bool) -> Reply {
        let Some(image) = &self.script.image else {
            return Reply::bare(404);
        };
        let (media_type, digest, body) = match section {
            "manifests" if !last.starts_with("sha256:") || last == image.digest.to_string() => {
                let (media_type, bytes) = &image.manifest;
                (media_type.clone(), image.digest.to_string(), bytes.clone())
            }
            "blobs" if image.blobs.contains_key(last) => (
                "application/octet-stream".to_owned(),
                last.to_owned(),
                image.blobs[last].clone(),
            ),
            _ => return Reply::bare(404),
        };
        let mut headers = vec![("content-type", media_type)];
        if with_digest {
            headers.push(("docker-content-digest", digest));
        }
        Reply {
            status: 200,
            headers,
            body,
        }
    }
}

impl Reply {
    fn bare(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    fn challenge(challenges: impl IntoIterator<Item = String>) -> Self {
        Self {
            status: 401,
            headers: challenges
                .into_iter()
                .map(|text| ("www-authenticate", text))
                .collect(),
            body: Bytes::new(),
        }
    }
}

impl Guard {
    fn refuse(&self, ask: &Ask<'_>) -> Option<Reply> {
        match self {
            Self::Open => None,
            Self::Basic { user, password } => {
                let right = basic(user, password);
                (ask.authorization != Some(&right))
                    .then(|| Reply::challenge([r#"Basic realm="stub""#.to_owned()]))
            }
            Self::Bearer { realm, more } => (ask.authorization != Some(GOOD))
                .then(|| Reply::challenge([format!(r#"Bearer realm="{realm}"{more}"#)])),
            Self::Closed(challenges) => Some(Reply::challenge(challenges.iter().cloned())),
        }
    }
}

/// `Authorization` of whoever got a token.
const GOOD: &str = "Bearer good-token";

impl Tokens {
    fn answer(&self, ask: &Ask<'_>) -> Reply {
        let status = if ask.method == "POST" { self.post } else { self.get };
        if status != 200 {
            return Reply::bare(status);
        }
        if let Some((user, password)) = &self.account {
            let in_form = ask.form.contains(&format!("username={user}"))
                && ask.form.contains(&format!("password={password}"))
                || ask.form.contains(&format!("refresh_token={password}"));
            if !in_form && ask.authorization != Some(&basic(user, password)) {
                return Reply::bare(401);
            }
        }
        let token = if self.useless { "bad-token" } else { "good-token" };
        Reply {
            status: 200,
            headers: vec![("content-type", "application/json".to_owned())],
            body: json!({"token": token, "access_token": token, "expires_in": 300})
                .to_string()
                .into(),
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// `manifests` or `blobs`, and what follows.
fn section(path: &str) -> (&str, &str) {
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), last)
}
