//! skopeo and Podman follow the files that are written for them.

use std::process::Command;

use landfall_registries::intent::{Asked, Base, Endpoint, Intent, Rule, RuleKind, Upstream};
use landfall_registries::runtimes::Options;
use landfall_registries::runtimes::podman::{self, Engine};
use landfall_testkit::namespace::Namespace;
use landfall_testkit::peers::{Podman, skopeo};
use landfall_testkit::{Authority, FakeRegistry, Outcome, run};

use super::super::generated::{HERE, at};
use super::{basic, credential, found, holding, install, intent, own_folders, registry, trusted, unchecked};

const ADDRESSES: [&str; 4] = ["10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4"];

/// `mirror.example` and `team.example` with TLS and accounts, `plain.example` without, and all the world behind one
/// more address.
struct World {
    mirror: FakeRegistry,
    plain: FakeRegistry,
    upstream: FakeRegistry,
    authority: Authority,
}

fn world(namespace: &Namespace) -> World {
    own_folders();
    namespace.hosts(&[
        ("mirror.example", ADDRESSES[0]),
        ("plain.example", ADDRESSES[1]),
        ("registry-1.docker.io", ADDRESSES[2]),
        ("quay.io", ADDRESSES[2]),
        ("ghcr.io", ADDRESSES[2]),
    ]);
    let authority = Authority::new();
    let mirror = holding(&["hub/library/nginx:1", "hub/r/agent:1", "quay/org/a:1"])
        .tls(authority.issue(&["mirror.example"]))
        .auth(basic("robot$x", "p\"ass:word"));
    let upstream = holding(&["library/nginx:1", "library/other:1", "org/a:1", "org/b:1"])
        .tls(authority.issue(&["registry-1.docker.io", "quay.io", "ghcr.io"]))
        .auth(basic("quay", "secret"));
    World {
        mirror: mirror.start_on("10.9.0.1:443".parse().unwrap()),
        plain: holding(&["only/plain:1"]).start_on("10.9.0.2:80".parse().unwrap()),
        upstream: upstream.start_on("10.9.0.3:443".parse().unwrap()),
        authority,
    }
}

impl World {
    fn clear(&self) {
        for registry in [&self.mirror, &self.plain, &self.upstream] {
            registry.clear_requests();
        }
    }

    /// docker.io from two mirrors and nowhere else, quay.io from one and then itself, ghcr.io not at all.
    fn intent(&self) -> Intent {
        let mut hub = Endpoint::new("mirror.example", HERE);
        hub.base = Base::V2("hub".to_owned());
        hub.rewrites.push(Rule {
            kind: RuleKind::from_go("^rancher/(.*)$", "r/$1"),
            span: HERE,
        });
        let mut quay = Endpoint::new("mirror.example", HERE);
        quay.base = Base::V2("quay".to_owned());
        let plain = Endpoint::new("plain.example", HERE);
        intent(
            vec![
                registry("docker.io", Upstream::Deny, vec![plain, hub]),
                registry("quay.io", Upstream::Allow, vec![quay]),
                registry("ghcr.io", Upstream::Blocked, Vec::new()),
            ],
            vec![
                credential("mirror.example", "robot$x", "p\"ass:word"),
                credential("quay.io/org", "quay", "secret"),
                credential("quay.io", "somebody", "else"),
            ],
            vec![
                trusted("mirror.example", &self.authority),
                trusted("quay.io", &self.authority),
                unchecked("plain.example"),
            ],
        )
    }
}

fn inspect(image: &str) -> Outcome {
    let mut command = skopeo::PROGRAM.command();
    for variable in [
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "REGISTRY_AUTH_FILE",
        "DOCKER_CONFIG",
    ] {
        command.env_remove(variable);
    }
    command.env("HOME", "/root");
    run(command
        .args(["--insecure-policy", "inspect", "--raw"])
        .arg(format!("docker://{image}")))
}

#[test]
fn skopeo_goes_where_the_files_say() {
    let Some(namespace) = Namespace::enter(
        "runtimes::peers::podman::skopeo_goes_where_the_files_say",
        &ADDRESSES,
    ) else {
        return;
    };
    let world = world(&namespace);
    let rendered = podman::write(&world.intent(), Engine::Podman, &Options::default());
    assert_eq!(rendered.losses, []);
    install(&rendered.files);

    // Mirrors in order: the first does not have it and needs no account, the second is the location.
    inspect("docker.io/library/nginx:1").ok();
    assert!(
        world
            .plain
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_empty())
    );
    assert!(
        world
            .plain
            .requests()
            .iter()
            .any(|request| request.path == "/v2/library/nginx/manifests/1")
    );
    assert_eq!(found(&world.mirror), ["/v2/hub/library/nginx/manifests/1"]);

    // The first has this one, and the second is not asked.
    world.clear();
    inspect("docker.io/only/plain:1").ok();
    assert_eq!(found(&world.plain), ["/v2/only/plain/manifests/1"]);
    assert_eq!(world.mirror.requests().len(), 0);

    // A namespace elsewhere.
    world.clear();
    inspect("docker.io/rancher/agent:1").ok();
    assert_eq!(found(&world.mirror), ["/v2/hub/r/agent/manifests/1"]);

    // The registry itself has it and must not be asked.
    world.clear();
    assert!(!inspect("docker.io/library/other:1").is_ok());
    assert_eq!(world.upstream.requests().len(), 0);

    // A mirror, then the registry itself, with the credential of the namespace.
    inspect("quay.io/org/a:1").ok();
    assert_eq!(world.upstream.requests().len(), 0);
    inspect("quay.io/org/b:1").ok();
    assert_eq!(found(&world.upstream), ["/v2/org/b/manifests/1"]);

    // Blocked.
    world.clear();
    let blocked = inspect("ghcr.io/org/a:1");
    assert!(
        !blocked.is_ok() && blocked.stderr.contains("blocked"),
        "{blocked}"
    );
    assert_eq!(world.upstream.requests().len(), 0);
}

#[test]
fn podman_pulls_by_the_same_files() {
    let Some(namespace) = Namespace::enter(
        "runtimes::peers::podman::podman_pulls_by_the_same_files",
        &ADDRESSES,
    ) else {
        return;
    };
    let world = world(&namespace);
    let rendered = podman::write(&world.intent(), Engine::Podman, &Options::default());
    install(&rendered.files);
    std::fs::write(
        "/etc/containers/policy.json",
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    )
    .unwrap();
    let podman = Podman::new();
    let pull = |image: &str| {
        let mut command: Command = podman.podman();
        command
            .env_remove("CONTAINERS_REGISTRIES_CONF")
            .env_remove("REGISTRY_AUTH_FILE");
        command
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", "/root");
        run(command.args(["pull", "--quiet", image]))
    };
    pull("docker.io/library/nginx:1").ok();
    assert_eq!(podman.images(), ["docker.io/library/nginx:1"]);
    assert_eq!(found(&world.mirror)[0], "/v2/hub/library/nginx/manifests/1");
    assert!(!pull("docker.io/library/other:1").is_ok());
    assert_eq!(world.upstream.requests().len(), 0);
    assert!(!pull("ghcr.io/org/a:1").is_ok());
    assert_eq!(world.upstream.requests().len(), 0);
}

#[test]
fn skopeo_keeps_certificates_and_digests() {
    let test = "runtimes::peers::podman::skopeo_keeps_certificates_and_digests";
    let Some(namespace) = Namespace::enter(test, &ADDRESSES) else {
        return;
    };
    let world = world(&namespace);
    namespace.hosts(&[("quay.io", ADDRESSES[2]), ("mtls.example", ADDRESSES[3])]);
    let mtls = holding(&["org/a:1", "org/b:1"])
        .tls(world.authority.issue(&["mtls.example"]))
        .client_authority(world.authority.certificate())
        .start_on("10.9.0.4:443".parse().unwrap());
    let mut by_digest = Endpoint::new("mtls.example", HERE);
    by_digest.asked = at(Asked::ByDigest);
    let mut trust = trusted("mtls.example", &world.authority);
    let me = world.authority.issue_client("node");
    for (name, pem) in [("me.pem", &me.certificate), ("me.key", &me.key)] {
        std::fs::write(format!("/root/pki/{name}"), pem).unwrap();
    }
    let pair = (
        at("/root/pki/me.pem".to_owned()),
        at("/root/pki/me.key".to_owned()),
    );
    trust.tls.client.push(pair);
    let wanted = intent(
        vec![registry("quay.io", Upstream::Allow, vec![by_digest])],
        vec![credential("quay.io", "quay", "secret")],
        vec![trust, trusted("quay.io", &world.authority)],
    );
    let rendered = podman::write(&wanted, Engine::Podman, &Options::default());
    assert_eq!(rendered.losses, []);
    install(&rendered.files);

    inspect("quay.io/org/a:1").ok();
    assert_eq!(mtls.requests().len(), 0, "a tag is not asked of it");
    let digest = world.upstream.tags()["org/a:1"];
    inspect(&format!("quay.io/org/a@{digest}")).ok();
    assert_eq!(found(&mtls), [format!("/v2/org/a/manifests/{digest}")]);
}
