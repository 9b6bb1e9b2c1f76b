//! Real programs, each of which learns in its own way how to log in: with tokens and with passwords alone.

use bytes::Bytes;
use landfall_oci::MediaType;
use landfall_store::suite;
use landfall_testkit::peers::{Containerd, Crane, Dockerd, Podman, Regctl, Skopeo};
use landfall_testkit::{Outcome, run};
use serde_json::json;

use crate::own_client::Running;

const PASSWORD: &str = "ann-secret";

/// A registry with one small image, once for everybody and once for those who logged in.
async fn start(tokens: bool) -> (Running, String) {
    let running = Running::start(tokens).await;
    let store = &*running.site.scene.store;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "hello", &b"hello"[..]).unwrap();
    let layer = suite::blob(Bytes::from(tar.into_inner().unwrap()));
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.0]},
        "history": [{"created_by": "test"}],
    });
    let config = suite::blob(config.to_string());
    let image = suite::raw(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0, "size": config.1.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.0, "size": layer.1.len()}],
    }));
    for name in ["public/app", "team/app", "quay.io/mirrored/app"] {
        let name = suite::repository(name);
        for blob in [&config, &layer] {
            suite::push_blob(store, &name, blob).await;
        }
        suite::put(store, &name, &image, &[suite::tag("v1")])
            .await
            .unwrap();
    }
    let host = running.registry.to_string();
    (running, host)
}

#[track_caller]
fn refused(outcome: &Outcome) {
    assert!(!outcome.is_ok(), "{outcome:?}");
    assert!(outcome.code().is_some(), "it gave up by itself: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_logs_in_pulls_and_pushes() {
    let (running, host) = start(true).await;
    let docker = Dockerd::start();
    docker.pull(&format!("{host}/public/app:v1")).ok();
    refused(&docker.pull(&format!("{host}/team/app:v1")));
    docker
        .tag(&format!("{host}/public/app:v1"), &format!("{host}/team/new:v1"))
        .ok();
    refused(&docker.push(&format!("{host}/team/new:v1")));
    refused(&docker.login(&host, "ann", "wrong"));
    docker.login(&host, "ann", PASSWORD).ok();
    docker.pull(&format!("{host}/team/app:v1")).ok();
    docker.push(&format!("{host}/team/new:v1")).ok();
    refused(&docker.push(&format!("{host}/team/closed:v1")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_with_passwords_alone() {
    let (running, host) = start(false).await;
    let docker = Dockerd::start();
    // Told at `/v2/` that there is a password, docker has no way to go on without one: what tokens are for.
    refused(&docker.pull(&format!("{host}/public/app:v1")));
    refused(&docker.login(&host, "ann", "wrong"));
    docker.login(&host, "ann", PASSWORD).ok();
    docker.pull(&format!("{host}/team/app:v1")).ok();
    docker
        .tag(&format!("{host}/team/app:v1"), &format!("{host}/team/new:v1"))
        .ok();
    docker.push(&format!("{host}/team/new:v1")).ok();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containerd_pulls_with_and_without_a_namespace() {
    for tokens in [true, false] {
        let (running, host) = start(tokens).await;
        let containerd = Containerd::start();
        containerd.mirror(&host, &format!("http://{host}"));
        containerd.mirror("quay.io", &format!("http://{host}"));
        let user = ["--user", "ann:ann-secret"];
        containerd.fetch(&format!("{host}/public/app:v1"), &[]).ok();
        refused(&containerd.fetch(&format!("{host}/team/app:v1"), &[]));
        containerd.fetch(&format!("{host}/team/app:v1"), &user).ok();
        // By `?ns=`: what is public needs nobody's password.
        containerd.fetch("quay.io/public/app:v1", &[]).ok();
        containerd.fetch("quay.io/team/app:v1", &user).ok();
        // Its token is for `mirrored/app`; the rules are asked about `quay.io/mirrored/app`.
        containerd.fetch("quay.io/mirrored/app:v1", &user).ok();
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_and_skopeo() {
    for tokens in [true, false] {
        let (running, host) = start(tokens).await;
        let podman = Podman::new();
        podman.pull(&format!("{host}/public/app:v1")).ok();
        refused(&podman.pull(&format!("{host}/team/app:v1")));
        refused(&podman.login(&host, "ann", "wrong"));
        podman.login(&host, "ann", PASSWORD).ok();
        podman.pull(&format!("{host}/team/app:v1")).ok();
        podman
            .push(&format!("{host}/team/app:v1"), &format!("{host}/team/new:v1"))
            .ok();
        let skopeo = Skopeo::new();
        let (public, team) = (
            format!("docker://{host}/public/app:v1"),
            format!("docker://{host}/team/x:v1"),
        );
        skopeo.raw_manifest(&public).ok();
        refused(&skopeo.copy(&public, &team, &[]));
        let account = format!("ann:{PASSWORD}");
        skopeo
            .copy(
                &public,
                &team,
                &["--dest-creds", &account, "--src-creds", &account],
            )
            .ok();
        let delete = ["delete", "--tls-verify=false", "--creds", &account, &team];
        refused(&run(skopeo.skopeo().args(delete)));
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crane_and_regctl() {
    for tokens in [true, false] {
        let (running, host) = start(tokens).await;
        let (public, team) = (format!("{host}/public/app:v1"), format!("{host}/team/app:v1"));
        let crane = Crane::new();
        let folder = tempfile::tempdir().unwrap();
        let pull = |reference: &String, to: &str| crane.pull("oci", &[reference], &folder.path().join(to));
        pull(&public, "public").ok();
        refused(&pull(&team, "refused"));
        refused(&crane.copy(&public, &format!("{host}/team/x:v1")));
        crane.login(&host, "ann", PASSWORD).ok();
        pull(&team, "team").ok();
        // The layers are mounted from one repository to the other.
        crane.copy(&public, &format!("{host}/team/x:v1")).ok();
        let listed = run(crane.crane().args(["catalog", "--insecure", &host])).ok();
        assert!(listed.contains("team/x"), "{listed}");
        refused(&run(crane.crane().args(["delete", "--insecure", &team])));

        let regctl = Regctl::new();
        // Not `set_tls`, which asks `/v2/` whether it is right and takes a question for a password for a no.
        let set = ["registry", "set", &host, "--tls", "disabled", "--skip-check"];
        run(regctl.regctl().args(set)).ok();
        regctl.raw_manifest(&public).ok();
        refused(&regctl.raw_manifest(&team));
        regctl.login(&host, "ann", PASSWORD).ok();
        regctl.raw_manifest(&team).ok();
        regctl.copy(&team, &format!("{host}/other/x:v1")).ok();
        running.stop().await;
    }
}
