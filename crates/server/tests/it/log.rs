//! The access log says who did what, and nothing that lets anybody else do it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use http::Method;
use landfall_server::{Access, Htpasswd, RegistryOptions};

use crate::client::Scene;

/// Tells our requests from those of the tests beside this one.
const AGENT: &str = "log-test/1";

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn zot_8a99a3ed_a_line_for_each_request_and_no_secret_in_any() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    // For all threads: with a subscriber of one thread only, a line first reached by another thread is switched off.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let file = format!("ann:{}\n", bcrypt::hash("s3cret-password", 4).unwrap());
    let scene = Scene::with(RegistryOptions {
        access: Access::Users(Htpasswd::parse(&file, Path::new("users")).unwrap()),
        ..RegistryOptions::default()
    })
    .await;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let right = encode("ann:s3cret-password");
    let header = format!("Basic {right}");
    let headers = [
        ("authorization", header.as_str()),
        ("user-agent", AGENT),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    let begun = scene
        .send(Method::POST, "/v2/a/blobs/uploads/?x=s3cret-query", &headers, "")
        .await;
    let upload = begun.header("location").to_owned();
    scene
        .send(Method::PATCH, &upload, &headers, "abc")
        .await
        .expect(202);
    let wrong = format!("Basic {}", encode("ann:wr0ng-password"));
    let wrong = [("authorization", wrong.as_str()), ("user-agent", AGENT)];
    scene.send(Method::GET, "/v2/", &wrong, "").await.expect(401);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let logged: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["target"] == "landfall::access")
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["agent"] == AGENT)
        .collect();
    assert_eq!(logged.len(), 3);
    let patch = &logged[1];
    assert_eq!(patch["user"], "ann");
    assert_eq!(patch["method"], "PATCH");
    assert_eq!(patch["status"], 202);
    assert_eq!(patch["received"], 3);
    assert!(patch["client"].as_str().unwrap().starts_with("127.0.0.1"));
    assert_eq!(
        (&logged[2]["user"], &logged[2]["status"]),
        (&"-".into(), &401.into())
    );
    // Who sends it says who it is: no header is believed (angos).
    assert!(!text.contains("203.0.113.9"));
    let id = upload.rsplit('/').next().unwrap();
    for secret in ["s3cret", "wr0ng", &right, &encode("ann:wr0ng-password"), id] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
