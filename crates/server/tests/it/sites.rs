//! Registries with users, rules and tokens, from files in a folder of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use http::Method;
use landfall_server::{
    Access, AccessControl, AccessOptions, Peer, RegistryOptions, ServerError, TokenOptions,
};

use crate::client::{Answer, PEER, Scene};

/// A registry whose files can be changed.
pub(crate) struct Site {
    pub(crate) scene: Scene,
    pub(crate) control: Arc<AccessControl>,
    pub(crate) folder: tempfile::TempDir,
}

/// Each user's password is the name and `-secret`.
pub(crate) fn users(names: &[&str]) -> String {
    let line = |name: &&str| format!("{name}:{}\n", bcrypt::hash(format!("{name}-secret"), 4).unwrap());
    names.iter().map(line).collect()
}

pub(crate) fn basic(user: &str) -> String {
    encoded(&format!("{user}:{user}-secret"))
}

pub(crate) fn encoded(pair: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// Somebody whose certificate says this name.
pub(crate) fn certified(name: &str) -> Peer {
    Peer {
        tls: true,
        certificate: Some(name.into()),
        ..PEER
    }
}

impl Site {
    /// With these users, these rules, and tokens.
    pub(crate) async fn new(names: &[&str], rules: &str) -> Self {
        Self::with(names, rules, |_| ()).await
    }

    pub(crate) async fn with(names: &[&str], rules: &str, change: impl FnOnce(&mut AccessOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users"), users(names)).unwrap();
        std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
        let control = open(folder.path(), change).await.unwrap();
        let scene = Scene::with(RegistryOptions {
            access: Access::Controlled(Arc::clone(&control)),
            ..RegistryOptions::default()
        })
        .await;
        Self {
            scene,
            control,
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as careful programs do: whole, and in one step.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let temporary = self.path("temporary");
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, self.path(name)).unwrap();
    }

    /// A request with this `Authorization`; without one when it is empty.
    pub(crate) async fn ask(&self, authorization: &str, method: Method, path: &str) -> Answer {
        let mut headers = vec![("host", "registry.test")];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization));
        }
        self.scene.send(method, path, &headers, "").await
    }

    pub(crate) async fn get(&self, authorization: &str, path: &str) -> Answer {
        self.ask(authorization, Method::GET, path).await
    }

    /// `GET /token`, which must work: `Bearer` and the token.
    pub(crate) async fn token(&self, authorization: &str, scope: &str) -> String {
        let answer = self
            .get(authorization, &format!("/token?service=landfall&scope={scope}"))
            .await;
        answer.expect(200);
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }

    /// `POST /token`.
    pub(crate) async fn post_form(&self, form: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.scene
            .send(Method::POST, "/token", &headers, form.to_owned())
            .await
    }
}

pub(crate) async fn open(
    folder: &Path,
    change: impl FnOnce(&mut AccessOptions),
) -> Result<Arc<AccessControl>, ServerError> {
    let mut options = AccessOptions {
        htpasswd: Some(folder.join("users")),
        rules: Some(folder.join("rules.toml")),
        tokens: Some(TokenOptions::new(folder.join("token.key"))),
        look_every: Duration::from_millis(5),
        ..AccessOptions::default()
    };
    change(&mut options);
    AccessControl::open(options).await
}
