//! registries.yaml as an intent, and from there into the files of others.

use landfall_diag::{Source, Sources};
use landfall_registries::Loss;
use landfall_registries::intent::{Base, Intent, RuleKind, Scheme, Upstream, from_registries_yaml};
use landfall_registries::registries_yaml;
use landfall_registries::runtimes::podman::Engine;
use landfall_registries::runtimes::{Body, Options, podman};

use super::support::loss_of;

fn read(text: &str, deny: bool) -> (Sources, Intent, Vec<Loss>) {
    let mut sources = Sources::default();
    let source = sources.add(Source::new("registries.yaml", text));
    let file = registries_yaml::read(source, text).registries.unwrap();
    let (intent, losses) = from_registries_yaml(&file, deny);
    (sources, intent, losses)
}

const FILE: &str = r#"mirrors:
  docker.io:
    endpoint:
      - "https://m.example/v2/hub"
      - "http://10.0.0.1:5000"
      - "http://10.0.0.2"
      - "localhost:5000"
      - "https://u:p@m.example/v2/hub"
      - "/v2"
      - "https://registry-1.docker.io/"
    rewrite:
      "^rancher/(.*)": "r/$1"
      "(a|b)": "c"
  quay.io:
    endpoint: [https://q.example/mirror]
  quay.io/org:
    endpoint: [https://q.example]
  ghcr.io:
  "*":
    endpoint: [https://all.example]
configs:
  "registry-1.docker.io":
    auth: {username: u, password: p}
  docker.io:
    auth: {username: v, password: p}
  "10.0.0.2":
    tls: {insecure_skip_verify: true}
  m.example:
    tls: {ca_file: /ca.pem, cert_file: /me.pem}
  "*":
    auth: {username: w}
auths:
  x.example: {username: u}
"#;

#[test]
fn what_k3s_makes_of_it() {
    let (sources, intent, losses) = read(FILE, false);
    let registry = |name: &str| {
        intent
            .registries
            .iter()
            .find(|registry| registry.matches.value.to_string() == name)
            .unwrap()
    };
    let hub = registry("docker.io");
    let urls: Vec<String> = hub
        .endpoints
        .iter()
        .map(landfall_registries::intent::Endpoint::url)
        .collect();
    // The last is the registry itself, the one without a host is dead, the one with a password was there already.
    assert_eq!(
        urls,
        [
            "https://m.example/v2/hub",
            "http://10.0.0.1:5000/v2",
            "https://10.0.0.2/v2",
            "http://localhost:5000/v2"
        ]
    );
    assert_eq!(hub.upstream.value, Upstream::Allow);
    assert_eq!(hub.endpoints[1].scheme, Scheme::Http);
    // HTTP with a TLS section is HTTPS first.
    assert!(
        intent
            .trust_of("10.0.0.2")
            .unwrap()
            .plain_http
            .as_ref()
            .unwrap()
            .value
    );
    let kinds: Vec<&RuleKind> = hub.endpoints[0].rewrites.iter().map(|rule| &rule.kind).collect();
    assert!(
        matches!(kinds[..], [RuleKind::Prefix { .. }, RuleKind::Regex { .. }]),
        "{kinds:?}"
    );
    assert_eq!(sources.shown(hub.endpoints[1].span), "registries.yaml:5:9");
    assert_eq!(
        registry("quay.io").endpoints[0].base,
        Base::Verbatim("/mirror".to_owned())
    );
    assert!(registry("ghcr.io").endpoints.is_empty());
    // An entry of `configs` hides the wildcard's.
    assert_eq!(registry("m.example").upstream.value, Upstream::Allow);
    let user = intent
        .credential_of("docker.io")
        .unwrap()
        .auth
        .username
        .clone()
        .unwrap();
    assert_eq!(user.as_str(), "u");
    for lost in [
        "mirrors of `quay.io/org`",
        "endpoint `/v2`",
        "password or query",
        "under `docker.io`",
        "the `*` of",
        "`auths`",
    ] {
        assert!(loss_of(&losses, lost).span.is_some());
    }
    assert_eq!(losses.len(), 6, "{losses:#?}");
}

#[test]
fn without_default_endpoints() {
    let (_, intent, _) = read(FILE, true);
    let upstream = |name: &str| {
        let found = intent
            .registries
            .iter()
            .find(|registry| registry.matches.value.to_string() == name);
        found.unwrap().upstream.value
    };
    assert_eq!(upstream("quay.io"), Upstream::Deny);
    assert_eq!(upstream("*"), Upstream::Deny);
    // It is named by its own entry; and without endpoints nothing is written at all.
    assert_eq!(
        (upstream("docker.io"), upstream("ghcr.io")),
        (Upstream::Allow, Upstream::Allow)
    );
}

#[test]
fn into_podman() {
    let text = "mirrors:\n  docker.io:\n    endpoint: [https://m.example/v2/hub]\n    rewrite: {\"^rancher/(.*)\": \"r/$1\"}\n\
                configs:\n  m.example:\n    auth: {username: u, password: p}\n    tls: {ca_file: /ca.pem}\n";
    let (_, intent, losses) = read(text, true);
    assert_eq!(losses, []);
    let rendered = podman::write(&intent, Engine::Crio, &Options::default());
    assert_eq!(rendered.losses, []);
    let shown: Vec<String> = rendered
        .files
        .iter()
        .map(|file| match &file.body {
            Body::Text(text) => format!("{} {:o}\n{text}", file.path, file.mode),
            Body::Link(target) => format!("{} -> {target}\n", file.path),
        })
        .collect();
    let wanted = r#"/etc/containers/certs.d/m.example/ca.crt -> /ca.pem
/etc/containers/registries.conf.d/50-landfall.conf 644
# Written by Landfall. The longest prefix decides alone; mirrors are asked in order, then the location.

[[registry]]
prefix = "docker.io"
location = "m.example/hub"

[[registry]]
prefix = "docker.io/rancher"
location = "m.example/hub/r"
/etc/crio/crio.conf.d/50-landfall.conf 644
[crio.image]
global_auth_file = "/etc/crio/landfall-auth.json"
/etc/crio/landfall-auth.json 600
{
  "auths": {
    "m.example": {
      "auth": "dTpw"
    }
  }
}
"#;
    assert_eq!(shown.concat(), wanted);
}
