//! The access log says who did what, and nothing that lets anybody else do it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use landfall_net::server::Security;
use landfall_server::{Access, Ending, Htpasswd, RegistryOptions};
use landfall_store::suite;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{PEER, Scene, bytes as content};
use crate::socket::start_with;

/// What was logged by all tests.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For all threads: with a subscriber of one thread only, a line first reached by another thread is switched off.
fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        lines
    })
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The fields of lines under a target, of the requests with this agent.
    fn of(&self, target: &str, agent: &str) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["target"] == target)
            .map(|line| line["fields"].clone())
            .filter(|fields| fields["agent"] == agent)
            .collect()
    }

    /// Waits for so many of them.
    async fn soon(&self, agent: &str, count: usize) -> Vec<Value> {
        for _ in 0..1000 {
            let found = self.of("landfall::access", agent);
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are not {count} lines of {agent}");
    }
}

#[tokio::test]
async fn zot_8a99a3ed_a_line_for_each_request_and_no_secret_in_any() {
    const AGENT: &str = "log-test/1";
    let lines = lines();
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
    let patched = scene.send(Method::PATCH, &upload, &headers, "abc").await;
    patched.expect(202);
    let wrong = format!("Basic {}", encode("ann:wr0ng-password"));
    let wrong = [("authorization", wrong.as_str()), ("user-agent", AGENT)];
    scene.send(Method::GET, "/v2/", &wrong, "").await.expect(401);
    let site = crate::sites::Site::new(&["ann"], "[[rule]]\nrepository = \"*\"\npull = [\"ann\"]\n").await;
    let token = site.token(&crate::sites::basic("ann"), "repository:a:pull").await;
    let bearer = [("authorization", token.as_str()), ("user-agent", AGENT)];
    site.scene
        .send(Method::GET, "/v2/a/tags/list", &bearer, "")
        .await
        .expect(404);
    let node = crate::sites::certified("node-1");
    site.scene
        .send_from(node, Method::GET, "/v2/", &[("user-agent", AGENT)], "")
        .await
        .expect(200);
    site.replace("users", "ann:s3cret-line\n");
    let error = site.control.reload().await.unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", site.control).contains("s3cret"));
    let text = lines.text();
    let logged = lines.of("landfall::access", AGENT);
    assert_eq!(logged.len(), 5);
    let patch = &logged[1];
    assert_eq!(patch["user"], "ann");
    assert_eq!(patch["method"], "PATCH");
    assert_eq!(
        (&patch["action"], &patch["repository"]),
        (&"push".into(), &"a".into())
    );
    assert_eq!(patch["status"], 202);
    assert_eq!(patch["received"], 3);
    assert_eq!(patch["id"], patched.header("x-request-id"));
    assert!(patch["client"].as_str().unwrap().starts_with("127.0.0.1"));
    assert_eq!(
        (&logged[2]["user"], &logged[2]["status"], &logged[2]["action"]),
        (&"-".into(), &401.into(), &"login".into())
    );
    assert_ne!(logged[0]["id"], logged[1]["id"]);
    assert_eq!(
        (&logged[3]["user"], &logged[4]["user"]),
        (&"ann".into(), &"cert:node-1".into())
    );
    assert!(text.contains("users:1: "), "the bad file is in the log");
    let token = token.strip_prefix("Bearer ").unwrap();
    let signature = token.rsplit('.').next().unwrap();
    let key = std::fs::read_to_string(site.path("token.key")).unwrap();
    for secret in [
        token,
        signature,
        key.trim(),
        "ann-secret",
        &crate::sites::basic("ann"),
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // Who sends it says who it is: no header is believed (angos).
    assert!(!text.contains("203.0.113.9"));
    let id = upload.rsplit('/').next().unwrap();
    let text = lines.text();
    for secret in ["s3cret", "wr0ng", &right, &encode("ann:wr0ng-password"), id] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn what_was_done_to_what_and_changes_twice() {
    const AGENT: &str = "log-test/2";
    let lines = lines();
    let scene = Scene::new().await;
    let blob = suite::blob("{}");
    let image = suite::image(std::slice::from_ref(&blob), None, None);
    let agent = ("user-agent", AGENT);
    let typed = [agent, ("content-type", image.media_type.as_str())];
    let (digest, by_digest) = (blob.0.to_string(), image.digest.to_string());
    let ask = async |method: &str, path: &str, body: &bytes::Bytes| {
        let method: Method = method.parse().unwrap();
        scene
            .send(method, path, &typed, body.clone())
            .await
            .status
            .as_u16()
    };
    let none = bytes::Bytes::new();
    // The request, its status; what the line says of it; whether it is a change.
    let requests = [
        (
            "POST",
            format!("/v2/a/blobs/uploads/?digest={digest}"),
            &blob.1,
            201,
            "push a",
            Some(&digest),
            true,
        ),
        (
            "POST",
            format!("/v2/b/blobs/uploads/?mount={digest}&from=a"),
            &none,
            201,
            "mount b",
            Some(&digest),
            true,
        ),
        (
            "POST",
            format!("/v2/b/blobs/uploads/?mount={by_digest}&from=a"),
            &none,
            202,
            "push b",
            None,
            false,
        ),
        (
            "PUT",
            "/v2/a/manifests/1?tag=2&tag=3".to_owned(),
            &image.bytes,
            201,
            "push a",
            Some(&by_digest),
            true,
        ),
        (
            "GET",
            "/v2/a/manifests/1".to_owned(),
            &none,
            200,
            "pull a",
            Some(&by_digest),
            false,
        ),
        (
            "HEAD",
            format!("/v2/a/blobs/{digest}"),
            &none,
            200,
            "pull a",
            Some(&digest),
            false,
        ),
        (
            "GET",
            "/v2/a/tags/list".to_owned(),
            &none,
            200,
            "list a",
            None,
            false,
        ),
        (
            "GET",
            format!("/v2/a/referrers/{digest}"),
            &none,
            200,
            "list a",
            None,
            false,
        ),
        (
            "DELETE",
            "/v2/a/manifests/nope".to_owned(),
            &none,
            404,
            "delete a",
            None,
            false,
        ),
        (
            "DELETE",
            "/v2/a/manifests/1".to_owned(),
            &none,
            202,
            "delete a",
            None,
            true,
        ),
        (
            "GET",
            "/v2/NOPE/tags/list".to_owned(),
            &none,
            400,
            "other null",
            None,
            false,
        ),
    ];
    for (method, path, body, status, ..) in &requests {
        assert_eq!(ask(method, path, body).await, *status, "{method} {path}");
    }
    let logged = lines.of("landfall::access", AGENT);
    assert_eq!(logged.len(), requests.len());
    let mut changes = Vec::new();
    for (line, (method, path, body, status, done, digest, changed)) in logged.iter().zip(&requests) {
        let (action, repository) = done.split_once(' ').unwrap();
        assert_eq!(line["action"], action, "{method} {path}");
        assert_eq!(
            line["repository"].as_str().unwrap_or("null"),
            repository,
            "{method} {path}"
        );
        assert_eq!(line["status"], *status);
        assert_eq!(line["received"], body.len());
        assert_eq!(
            line["digest"].as_str(),
            digest.map(String::as_str),
            "{method} {path}"
        );
        if *changed {
            changes.push(line["id"].clone());
        }
    }
    let (put, get, head) = (&logged[3], &logged[4], &logged[5]);
    assert_eq!((&put["reference"], &put["tags"]), (&"1".into(), &"2 3".into()));
    assert_eq!(put["media_type"], image.media_type.as_str());
    assert_eq!(
        (&get["bytes"], &get["media_type"]),
        (&image.bytes.len().into(), &image.media_type.as_str().into())
    );
    assert_eq!(head["bytes"], 0);
    let audited: Vec<Value> = lines
        .of("landfall::audit", AGENT)
        .iter()
        .map(|line| line["id"].clone())
        .collect();
    assert_eq!(audited, changes);
}

#[tokio::test]
async fn a_client_cannot_write_lines_of_its_own() {
    let lines = lines();
    let scene = Scene::new().await;
    let agent = HeaderValue::from_bytes(b"log-test/3\t\xff\xe2\x80\xae\\x\"}").unwrap();
    let request = Request::builder()
        .uri("/v2/a/manifests/%0a%1b[2J?x=1")
        .header("user-agent", agent)
        .body(Full::new(bytes::Bytes::new()))
        .unwrap();
    drop(scene.registry.handle(request, PEER).await);
    let found = lines.of("landfall::access", r#"log-test/3\t\xff\xe2\x80\xae\\x"}"#);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["path"], "/v2/a/manifests/%0a%1b[2J");
}

#[tokio::test]
async fn whoever_sends_an_answer_says_how_it_ended() {
    let lines = lines();
    let scene = Scene::new().await;
    let request = |agent| {
        let request = Request::builder().uri("/v2/").header("user-agent", agent);
        request.body(Full::new(bytes::Bytes::new())).unwrap()
    };
    let mut reply = scene.registry.handle(request("log-test/4"), PEER).await;
    let ending = Ending::take(&mut reply).unwrap();
    drop(reply);
    assert_eq!(
        lines.of("landfall::access", "log-test/4").len(),
        0,
        "not before its end"
    );
    ending.ended(1, false);
    let line = &lines.of("landfall::access", "log-test/4")[0];
    assert_eq!((&line["bytes"], &line["complete"]), (&1.into(), &false.into()));
    // A client that leaves while it is answered.
    let waiting = Request::builder()
        .method("PATCH")
        .uri("/v2/a/blobs/uploads/")
        .header("user-agent", "log-test/5");
    let silent = futures_util::stream::pending::<Result<http_body::Frame<bytes::Bytes>, io::Error>>();
    let request = waiting.body(http_body_util::StreamBody::new(silent)).unwrap();
    let answer = scene.registry.handle(request, PEER);
    // Refused, and then drained: the future is dropped in the middle of that.
    assert!(
        tokio::time::timeout(Duration::from_millis(20), answer)
            .await
            .is_err()
    );
    let line = &lines.of("landfall::access", "log-test/5")[0];
    assert_eq!((&line["status"], &line["complete"]), (&499.into(), &false.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_socket_bytes_are_those_that_were_sent() {
    const AGENT: &str = "log-test/6";
    const LEN: usize = 48 << 20;
    let lines = lines();
    let running = start_with(Security::Plain, RegistryOptions::default()).await;
    let digest = running.scene.push_blob("a", &content(1, LEN)).await;
    let head = format!(
        "GET /v2/a/blobs/{digest} HTTP/1.1\r\nhost: r\r\nuser-agent: {AGENT}\r\nconnection: close\r\n\r\n"
    );
    let mut whole = TcpStream::connect(running.address).await.unwrap();
    whole.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    whole.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > LEN);
    let line = lines.soon(AGENT, 1).await[0].clone();
    assert_eq!((&line["bytes"], &line["complete"]), (&LEN.into(), &true.into()));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let mut cut = socket.connect(running.address).await.unwrap();
    cut.write_all(head.as_bytes()).await.unwrap();
    cut.read_exact(&mut [0; 10_000]).await.unwrap();
    drop(cut);
    let line = lines.soon(AGENT, 2).await[1].clone();
    assert_eq!((&line["status"], &line["complete"]), (&200.into(), &false.into()));
    let sent = line["bytes"].as_u64().unwrap();
    assert!((9000..LEN as u64).contains(&sent), "{sent}");
    running.stop().await;
}
