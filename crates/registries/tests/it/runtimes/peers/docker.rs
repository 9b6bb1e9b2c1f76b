//! dockerd and its client follow the files that are written for them.

use landfall_registries::intent::{Endpoint, Upstream};
use landfall_registries::runtimes::{Options, docker};
use landfall_testkit::namespace::Namespace;
use landfall_testkit::peers::Dockerd;
use landfall_testkit::{Authority, Outcome, run};

use super::{basic, credential, found, holding, install, intent, own_folders, registry, trusted, unchecked};

const ADDRESSES: [&str; 5] = ["10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5"];

fn start() -> Dockerd {
    Dockerd::start_with(&["--config-file", docker::DAEMON])
}

fn pull(dockerd: &Dockerd, image: &str) -> Outcome {
    run(dockerd
        .docker()
        .env("DOCKER_CONFIG", "/root/.docker")
        .args(["pull", "--quiet", image]))
}

#[test]
fn dockerd_goes_where_the_files_say() {
    let test = "runtimes::peers::docker::dockerd_goes_where_the_files_say";
    let Some(namespace) = Namespace::enter(test, &ADDRESSES) else {
        return;
    };
    own_folders();
    namespace.hosts(&[
        ("first.example", ADDRESSES[0]),
        ("second.example", ADDRESSES[1]),
        ("plain.example", ADDRESSES[2]),
        ("private.example", ADDRESSES[3]),
        ("registry-1.docker.io", ADDRESSES[4]),
    ]);
    let authority = Authority::new();
    let tls = |name: &str| authority.issue(&[name]);
    let first = holding(&["demo/none:1"])
        .tls(tls("first.example"))
        .start_on("10.9.0.1:443".parse().unwrap());
    let second = holding(&["demo/nginx:1"])
        .tls(tls("second.example"))
        .start_on("10.9.0.2:443".parse().unwrap());
    let plain = holding(&["demo/plain:1"]).start_on("10.9.0.3:80".parse().unwrap());
    let private = holding(&["demo/app:1"])
        .tls(tls("private.example"))
        .client_authority(authority.certificate())
        .auth(basic("robot$x", "p\"ass:word"))
        .start_on("10.9.0.4:443".parse().unwrap());

    let me = authority.issue_client("node");
    std::fs::write("/root/pki/me.pem", me.certificate).unwrap();
    std::fs::write("/root/pki/me.key", me.key).unwrap();
    let mut of_private = trusted("private.example", &authority);
    let file = |name: &str| super::at(format!("/root/pki/{name}"));
    of_private.tls.client.push((file("me.pem"), file("me.key")));
    let mirrors = ["first.example", "second.example"].map(|host| Endpoint::new(host, super::HERE));
    let wanted = intent(
        vec![registry("docker.io", Upstream::Allow, mirrors.to_vec())],
        vec![credential("private.example", "robot$x", "p\"ass:word")],
        vec![
            trusted("first.example", &authority),
            trusted("second.example", &authority),
            of_private,
            unchecked("plain.example"),
        ],
    );
    let rendered = docker::write(&wanted, &Options::default());
    assert_eq!(rendered.losses, []);
    install(&rendered.files);
    let dockerd = start();

    pull(&dockerd, "docker.io/demo/nginx:1").ok();
    assert!(
        first
            .requests()
            .iter()
            .any(|request| request.path == "/v2/demo/nginx/manifests/1")
    );
    assert!(!found(&second).is_empty());
    pull(&dockerd, "private.example/demo/app:1").ok();
    assert!(!found(&private).is_empty());
    pull(&dockerd, "plain.example/demo/plain:1").ok();
    assert!(!found(&plain).is_empty());

    // Without the folder the certificate is not trusted: it was the folder that did it.
    std::fs::remove_dir_all(format!("{}/private.example", docker::CERTS)).unwrap();
    let refused = pull(&dockerd, "private.example/demo/app:1");
    assert!(
        !refused.is_ok() && refused.stderr.contains("certificate"),
        "{refused}"
    );
}

/// What the losses claim: a mirror is shown the credential of docker.io and no other, and Docker Hub is always asked.
#[test]
fn dockerd_shows_mirrors_the_credential_of_docker_hub() {
    let test = "runtimes::peers::docker::dockerd_shows_mirrors_the_credential_of_docker_hub";
    let Some(namespace) = Namespace::enter(test, &ADDRESSES) else {
        return;
    };
    own_folders();
    namespace.hosts(&[
        ("first.example", ADDRESSES[0]),
        ("registry-1.docker.io", ADDRESSES[4]),
    ]);
    let authority = Authority::new();
    let mirror = holding(&["demo/nginx:1"])
        .tls(authority.issue(&["first.example"]))
        .auth(basic("hub", "secret"))
        .start_on("10.9.0.1:443".parse().unwrap());
    let wanted = |scope: &str| {
        intent(
            vec![registry(
                "docker.io",
                Upstream::Deny,
                vec![Endpoint::new("first.example", super::HERE)],
            )],
            vec![credential(scope, "hub", "secret")],
            vec![trusted("first.example", &authority)],
        )
    };
    let lost = |scope: &str| docker::write(&wanted(scope), &Options::default());
    install(&lost("docker.io").files);
    let dockerd = start();
    pull(&dockerd, "docker.io/demo/nginx:1").ok();
    assert!(!found(&mirror).is_empty(), "with docker.io's credential");
    assert!(
        lost("docker.io")
            .losses
            .iter()
            .any(|loss| loss.what.contains("is for docker.io alone"))
    );

    run(dockerd.docker().args(["rmi", "docker.io/demo/nginx:1"])).ok();
    mirror.clear_requests();
    std::fs::remove_file(docker::CONFIG).unwrap();
    let rendered = lost("first.example");
    assert!(
        rendered
            .losses
            .iter()
            .any(|loss| loss.what.contains("credential of `first.example`"))
    );
    let config = rendered
        .files
        .into_iter()
        .filter(|file| file.path == docker::CONFIG);
    install(&config.collect::<Vec<_>>());
    // Docker Hub is asked in spite of `Deny`, as its own loss says.
    let hub = std::net::TcpListener::bind("10.9.0.5:443").unwrap();
    hub.set_nonblocking(true).unwrap();
    let waiting = std::thread::spawn(move || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while std::time::Instant::now() < deadline {
            if hub.accept().is_ok() {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        false
    });
    assert!(!pull(&dockerd, "docker.io/demo/nginx:1").is_ok());
    assert!(
        found(&mirror).is_empty(),
        "the mirror's own credential is not used"
    );
    assert!(waiting.join().unwrap(), "Docker Hub was asked");
}
