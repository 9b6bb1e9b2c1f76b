//! Each thing that a format cannot say is told, with its place and what to do.

use landfall_registries::Auth;
use landfall_registries::intent::{
    Asked, Base, Credential, Endpoint, Header, Intent, Match, Registry, Rule, RuleKind, Scheme, Scope,
    Subject, Trust, Upstream,
};
use landfall_registries::runtimes::containerd::Release;
use landfall_registries::runtimes::podman::Engine;
use landfall_registries::runtimes::talos::Form;
use landfall_registries::runtimes::{
    Body, Options, Rendered, containerd, docker, nerdctl, podman, rke, talos,
};

use super::generated::{HERE, at};
use super::support::loss_of;

/// All writers by name.
fn write(target: &str, intent: &Intent) -> Rendered {
    let options = Options::default();
    match target {
        "podman" => podman::write(intent, Engine::Podman, &options),
        "docker" => docker::write(intent, &options),
        "containerd" => containerd::write(
            intent,
            Release {
                two: true,
                fork: false,
            },
        ),
        "containerd 1" => containerd::write(
            intent,
            Release {
                two: false,
                fork: false,
            },
        ),
        "fork" => containerd::write(
            intent,
            Release {
                two: true,
                fork: true,
            },
        ),
        "nerdctl" => nerdctl::write(intent),
        "talos" => talos::write(intent, Form::Machine, &options),
        "rke" => rke::write(intent),
        other => panic!("{other}"),
    }
}

/// Each target loses it in these words; all other targets keep it.
fn lost(intent: &Intent, wanted: &[(&str, &str)]) {
    let all = [
        "podman",
        "docker",
        "containerd",
        "containerd 1",
        "fork",
        "nerdctl",
        "talos",
        "rke",
    ];
    for target in all {
        let rendered = write(target, intent);
        match wanted.iter().find(|(name, _)| *name == target) {
            None => assert_eq!(rendered.losses, [], "{target}"),
            Some((_, part)) => {
                let loss = loss_of(&rendered.losses, part);
                assert_eq!(loss.span, Some(HERE), "{target}");
                assert!(!loss.why.is_empty() && !loss.advice.is_empty(), "{target}");
            }
        }
    }
}

fn one(matches: Match, upstream: Upstream, endpoint: Endpoint) -> Intent {
    Intent {
        registries: vec![Registry {
            matches: at(matches),
            upstream: at(upstream),
            endpoints: vec![endpoint],
        }],
        ..Intent::default()
    }
}

fn hub() -> Match {
    Match::Exact("docker.io".to_owned())
}

fn mirror() -> Endpoint {
    Endpoint::new("m.example", HERE)
}

fn rewriting(pattern: &str, replacement: &str) -> Endpoint {
    let rule = Rule {
        kind: RuleKind::from_go(pattern, replacement),
        span: HERE,
    };
    Endpoint {
        rewrites: vec![rule],
        ..mirror()
    }
}

#[test]
fn a_mirror_of_docker_hub_is_lost_in_rke_alone() {
    lost(
        &one(hub(), Upstream::Allow, mirror()),
        &[("rke", "the endpoint `https://m.example/v2`")],
    );
}

#[test]
fn a_regular_expression_is_lost_but_in_the_fork() {
    let what = "the rewrite `^(a|b)/` to `x/`";
    lost(
        &one(hub(), Upstream::Allow, rewriting("^(a|b)/", "x/")),
        &[
            ("podman", what),
            ("docker", "the mirror `https://m.example/v2`"),
            ("containerd", what),
            ("containerd 1", what),
            ("nerdctl", what),
            ("talos", what),
            ("rke", "the endpoint"),
        ],
    );
}

#[test]
fn a_namespace_elsewhere_is_a_location_or_lost() {
    let what = "the rewrite `^rancher/(.*)$` to `m/$1`";
    lost(
        &one(hub(), Upstream::Allow, rewriting("^rancher/(.*)", "m/$1")),
        &[
            ("docker", "the mirror"),
            ("containerd", what),
            ("containerd 1", what),
            ("nerdctl", what),
            ("talos", what),
            ("rke", "the endpoint"),
        ],
    );
}

#[test]
fn a_prefix_for_all_names_is_a_path() {
    lost(
        &one(hub(), Upstream::Allow, rewriting("(.*)", "proxy/$1")),
        &[("docker", "the mirror"), ("rke", "the endpoint")],
    );
}

#[test]
fn all_registries() {
    let intent = one(Match::Wildcard, Upstream::Allow, mirror());
    let of_all = "the entry for all registries";
    lost(
        &intent,
        &[("podman", of_all), ("docker", of_all), ("rke", "the endpoint")],
    );
    // Written out for those that are needed, with their names where the mirror must be told.
    let options = Options {
        registries: vec!["quay.io".to_owned(), "docker.io".to_owned()],
        namespaced: true,
        ..Options::default()
    };
    let rendered = podman::write(&intent, Engine::Podman, &options);
    let Body::Text(text) = &rendered.files[0].body else {
        panic!()
    };
    for part in [
        "location = \"m.example/quay.io\"",
        "location = \"m.example/docker.io\"",
        "prefix = \"quay.io\"",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let mixed = Options {
        namespaced: false,
        ..options
    };
    loss_of(
        &podman::write(&intent, Engine::Podman, &mixed).losses,
        "which registry an image comes from",
    );
}

#[test]
fn mirrors_of_other_registries_are_lost_in_docker() {
    let quay = Match::Exact("quay.io".to_owned());
    lost(
        &one(quay, Upstream::Allow, mirror()),
        &[
            ("docker", "the mirror `https://m.example/v2` of `quay.io`"),
            ("rke", "the endpoint"),
        ],
    );
}

#[test]
fn namespaces_and_domains_are_for_podman_alone() {
    for matches in [
        Match::Prefix {
            host: "quay.io".to_owned(),
            namespace: "org".to_owned(),
        },
        Match::Domain("example.com".to_owned()),
    ] {
        let what = format!("the entry for `{matches}`");
        let intent = one(matches, Upstream::Allow, mirror());
        let what = what.as_str();
        lost(
            &intent,
            &[
                ("docker", "the mirror"),
                ("containerd", what),
                ("containerd 1", what),
                ("fork", what),
                ("nerdctl", what),
                ("talos", what),
                ("rke", "the endpoint"),
            ],
        );
    }
}

#[test]
fn what_must_not_be_asked() {
    lost(
        &one(hub(), Upstream::Deny, mirror()),
        &[
            ("docker", "that Docker Hub must not be asked"),
            ("rke", "that `docker.io` must not be asked"),
        ],
    );
    let mut blocked = one(hub(), Upstream::Blocked, mirror());
    blocked.registries[0].endpoints.clear();
    let what = "that `docker.io` is blocked";
    lost(
        &blocked,
        &[
            ("docker", "that Docker Hub must not be asked"),
            ("containerd", what),
            ("containerd 1", what),
            ("fork", what),
            ("nerdctl", what),
            ("talos", what),
            ("rke", "that `docker.io` must not be asked"),
        ],
    );
}

#[test]
fn denied_registries_are_never_asked() {
    let denied = one(hub(), Upstream::Deny, mirror());
    let text = |target: &str, path: &str| {
        let rendered = write(target, &denied);
        let file = rendered
            .files
            .into_iter()
            .find(|file| file.path.contains(path))
            .unwrap();
        let Body::Text(text) = file.body else { panic!() };
        text
    };
    for target in ["containerd", "containerd 1", "fork", "nerdctl"] {
        let hosts = text(target, "docker.io/hosts.toml");
        assert!(
            hosts.contains("server = \"https://m.example\"") && !hosts.contains("docker.io"),
            "{hosts}"
        );
    }
    let conf = text("podman", "registries.conf.d");
    assert!(
        conf.contains("location = \"m.example\"") && !conf.contains("location = \"docker.io\""),
        "{conf}"
    );
    assert!(text("talos", "patch").contains("skipFallback: true"));
}

#[test]
fn half_of_not_safe_is_both_in_podman_and_docker() {
    let trust = |skip: bool, plain: bool| Intent {
        trust: vec![Trust {
            subject: at(Subject::Host("a.example".to_owned())),
            tls: landfall_registries::Tls {
                skip_verify: skip.then(|| at(true)),
                ..Default::default()
            },
            plain_http: plain.then(|| at(true)),
        }],
        ..Intent::default()
    };
    let docker = ("docker", "how `a.example` is not safe");
    let rke = ("rke", "what is trusted of `a.example`");
    lost(&trust(true, true), &[rke]);
    lost(
        &trust(true, false),
        &[("podman", "never plain HTTP"), docker, rke],
    );
    lost(
        &trust(false, true),
        &[
            ("podman", "TLS only with a check"),
            docker,
            ("talos", "plain HTTP where `a.example`"),
            rke,
        ],
    );
    let http = Endpoint {
        scheme: Scheme::Http,
        ..mirror()
    };
    lost(
        &one(hub(), Upstream::Allow, http),
        &[("podman", "plain HTTP at once"), ("rke", "the endpoint")],
    );
}

#[test]
fn networks_are_for_docker_alone() {
    let intent = Intent {
        trust: vec![Trust {
            subject: at(Subject::Network("10.0.0.0/8".to_owned())),
            tls: landfall_registries::Tls {
                skip_verify: Some(at(true)),
                ..Default::default()
            },
            plain_http: Some(at(true)),
        }],
        ..Intent::default()
    };
    let what = "all hosts in `10.0.0.0/8`";
    let others = ["podman", "containerd", "containerd 1", "fork", "nerdctl", "talos"];
    let mut wanted: Vec<_> = others.iter().map(|target| (*target, what)).collect();
    wanted.push(("rke", "what is trusted of `10.0.0.0/8`"));
    lost(&intent, &wanted);
}

#[test]
fn credentials_of_namespaces_and_tokens() {
    let with = |scope: Scope, auth: Auth| Intent {
        credentials: vec![Credential {
            scope: at(scope),
            auth,
        }],
        ..Intent::default()
    };
    let account = Auth {
        username: Some(at("u".to_owned())),
        password: Some(at(landfall_oci::Secret::new("p"))),
        ..Auth::default()
    };
    let what = "the credential for `quay.io/org` alone";
    let others = [
        "docker",
        "containerd",
        "containerd 1",
        "fork",
        "nerdctl",
        "talos",
        "rke",
    ];
    let wanted: Vec<_> = others.iter().map(|target| (*target, what)).collect();
    lost(&with(Scope::parse("quay.io/org"), account), &wanted);
    let token = Auth {
        identity_token: Some(at(landfall_oci::Secret::new("t"))),
        ..Auth::default()
    };
    lost(
        &with(Scope::host("quay.io"), token),
        &[("rke", "the credential for `quay.io`")],
    );
    let broken = Auth {
        auth: Some(at(landfall_oci::Secret::new("!"))),
        ..Auth::default()
    };
    let rendered = write("podman", &with(Scope::host("quay.io"), broken));
    loss_of(&rendered.losses, "a credential");
    let colon = Auth {
        username: Some(at("a:b".to_owned())),
        ..Auth::default()
    };
    loss_of(
        &write("docker", &with(Scope::host("quay.io"), colon)).losses,
        "a user with a colon",
    );
}

#[test]
fn a_mirrors_own_credential_is_lost_where_only_the_registrys_is_used() {
    let mut intent = one(hub(), Upstream::Allow, mirror());
    intent.credentials.push(Credential {
        scope: at(Scope::host("m.example")),
        auth: Auth {
            username: Some(at("u".to_owned())),
            ..Auth::default()
        },
    });
    let what = "the credential of `m.example`, when it is asked as a mirror";
    lost(
        &intent,
        &[("docker", what), ("nerdctl", what), ("rke", "the endpoint")],
    );
}

#[test]
fn what_only_hosts_toml_has() {
    let endpoint = Endpoint {
        push: Some(HERE),
        dial_timeout: Some(at("5s".to_owned())),
        headers: vec![Header {
            name: at("x-key".to_owned()),
            values: vec![at(landfall_oci::Secret::new("hidden"))],
        }],
        ..mirror()
    };
    let intent = one(hub(), Upstream::Allow, endpoint);
    for what in ["the header `x-key`", "the dial timeout of 5s", "pushing to"] {
        let mut wanted = vec![
            ("podman", what),
            ("docker", what),
            ("talos", what),
            ("rke", "the endpoint"),
        ];
        wanted.push(("containerd 1", "the dial timeout"));
        lost(&intent, &wanted);
    }
    let rendered = write("containerd", &intent);
    let secret = rendered
        .files
        .iter()
        .find(|file| file.path.ends_with("hosts.toml"))
        .unwrap();
    assert!(secret.secret && secret.mode == 0o600 && !format!("{rendered:?}").contains("hidden"));
}

#[test]
fn when_a_mirror_is_asked() {
    let asked = |asked: Asked| Endpoint {
        asked: at(asked),
        ..mirror()
    };
    let docker = ("docker", "the mirror");
    let rke = ("rke", "the endpoint");
    let talos = ("talos", "when `https://m.example/v2` is asked");
    lost(
        &one(hub(), Upstream::Allow, asked(Asked::ByDigest)),
        &[docker, talos, rke],
    );
    let what = "is asked for tags only";
    let family = ["containerd", "containerd 1", "fork", "nerdctl"].map(|target| (target, what));
    lost(
        &one(hub(), Upstream::Allow, asked(Asked::ByTag)),
        &[&[docker, talos, rke], &family[..]].concat(),
    );
    let last = one(hub(), Upstream::Deny, asked(Asked::ByDigest));
    loss_of(&write("podman", &last).losses, "when `m.example` is asked");
}

#[test]
fn paths_without_v2_are_for_the_containerd_family() {
    let endpoint = Endpoint {
        base: Base::Verbatim("/mirror".to_owned()),
        ..mirror()
    };
    lost(
        &one(hub(), Upstream::Allow, endpoint),
        &[
            ("podman", "the endpoint `https://m.example/mirror`"),
            ("docker", "the mirror"),
            ("rke", "the endpoint"),
        ],
    );
}

#[test]
fn certificates_that_are_not_there() {
    let intent = Intent {
        trust: vec![Trust {
            subject: at(Subject::Host("a.example".to_owned())),
            tls: landfall_registries::Tls {
                ca: vec![at("/pki/ca.pem".to_owned())],
                client: vec![(at(String::new()), at("/pki/me.key".to_owned()))],
                ..Default::default()
            },
            plain_http: None,
        }],
        ..Intent::default()
    };
    loss_of(&write("talos", &intent).losses, "the file `/pki/ca.pem`");
    loss_of(&write("podman", &intent).losses, "the key for `a.example`");
    loss_of(&write("docker", &intent).losses, "the key for `a.example`");
}
