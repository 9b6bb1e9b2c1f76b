//! Files as people have them, and files that are broken.

use landfall_registries::hosts::CertsD;
use landfall_registries::intent::{Asked, Base, Intent, Match, RuleKind, Scheme, Subject, Upstream};
use landfall_registries::runtimes::containerd::Release;
use landfall_registries::runtimes::{Import, containerd, docker, nerdctl, podman, rke, talos};

use super::support::{Files, loss_of, only};

fn entry<'i>(intent: &'i Intent, name: &str) -> &'i landfall_registries::intent::Registry {
    let found = intent
        .registries
        .iter()
        .find(|registry| registry.matches.value.to_string() == name);
    found.unwrap_or_else(|| panic!("{name} is not in {intent:#?}"))
}

fn urls(registry: &landfall_registries::intent::Registry) -> Vec<String> {
    registry
        .endpoints
        .iter()
        .map(landfall_registries::intent::Endpoint::url)
        .collect()
}

const REGISTRIES_CONF: &str = r#"
unqualified-search-registries = ["registry.example.com", "docker.io"]
short-name-mode = "enforcing"

[aliases]
"fedora" = "registry.example.com/fedora"

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar/"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
location = "registry.com"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.registry.com"

[[registry]]
prefix = "*.bad.example"
blocked = true
"#;

#[test]
fn registries_conf() {
    let files = Files::of(&[
        ("/etc/containers/registries.conf", REGISTRIES_CONF),
        (
            "/etc/containers/registries.conf.d/10-a.conf",
            "[[registry]]\nlocation = \"registry.com\"\n[[registry.mirror]]\nlocation = \"other.example\"\n",
        ),
    ]);
    let import = files.read(podman::read);
    assert_eq!(import.diagnostics, []);
    let foo = entry(&import.intent, "example.com/foo");
    assert_eq!(foo.upstream.value, Upstream::Deny);
    assert_eq!(files.at(foo.matches.span), "\"example.com/foo\"");
    let hosts: Vec<&str> = foo
        .endpoints
        .iter()
        .map(|endpoint| endpoint.host.as_str())
        .collect();
    assert_eq!(
        hosts,
        [
            "example-mirror-0.local",
            "example-mirror-1.local",
            "internal-registry-for-example.com"
        ]
    );
    assert_eq!(foo.endpoints[1].asked.value, Asked::ByDigest);
    assert_eq!(files.at(foo.endpoints[1].asked.span), "\"digest-only\"");
    let last = &foo.endpoints[2].rewrites[0];
    let bar = RuleKind::Prefix {
        from: "foo".to_owned(),
        to: "bar".to_owned(),
    };
    assert_eq!(last.kind, bar);
    assert_eq!(files.at(last.span), "\"internal-registry-for-example.com/bar/\"");
    // The drop-in's table replaces the other whole.
    let replaced = entry(&import.intent, "registry.com");
    assert_eq!(urls(replaced), ["https://other.example/v2"]);
    assert_eq!(replaced.endpoints[0].asked.value, Asked::Always);
    assert_eq!(
        entry(&import.intent, "*.bad.example").upstream.value,
        Upstream::Blocked
    );
    let trust = import.intent.trust_of("example-mirror-1.local").unwrap();
    assert!(trust.plain_http.as_ref().unwrap().value && trust.tls.skip_verify.as_ref().unwrap().value);
    assert_eq!(files.at(trust.subject.span), "true");
    for lost in ["unqualified-search-registries", "short-name-mode", "aliases"] {
        loss_of(&import.losses, lost);
    }
}

#[test]
fn the_first_version_of_registries_conf_is_known() {
    let text = "[registries.search]\nregistries = ['a.example']\n[registries.insecure]\nregistries = ['b.example']\n\
                [registries.block]\nregistries = ['c.example']\n";
    let files = Files::of(&[("/etc/containers/registries.conf", text)]);
    let import = files.read(podman::read);
    assert!(
        only(&files, &import).contains("first version"),
        "{:?}",
        import.diagnostics
    );
    assert!(import.intent.trust_of("b.example").is_some());
    assert_eq!(
        entry(&import.intent, "c.example").upstream.value,
        Upstream::Blocked
    );
    loss_of(&import.losses, "registries.search");

    let files = Files::of(&[("/x/registries.conf.d/1.conf", text)]);
    assert!(only(&files, &files.read(podman::read)).contains("second version"));
    let mixed = format!("{text}[[registry]]\nlocation = \"d.example\"\n");
    let files = Files::of(&[("/x/registries.conf", &mixed)]);
    assert!(only(&files, &files.read(podman::read)).contains("mixes both versions"));
}

#[test]
fn broken_registries_conf() {
    for (text, wanted) in [
        ("[[registry]\n", "not TOML"),
        (
            "[[registry]]\nlocation = 5\n",
            "5: `location` must be a text, and this is a bare word",
        ),
        (
            "[[registry]]\ninsecure = true\n",
            "neither `prefix` nor `location`",
        ),
        (
            "[[registry]]\nprefix = \"a.example\"\n",
            "\"a.example\": `location` is missing",
        ),
        (
            "[[registry]]\nlocation = \"https://a.example\"\n",
            "\"https://a.example\": `location` takes no scheme",
        ),
        ("[[registry]]\nprefix = \"*.a.example/x\"\n", "a domain alone"),
        (
            "[[registry]]\nprefix = \"a.*.example\"\nlocation = \"b\"\n",
            "only at the front",
        ),
        (
            "[[registry]]\nlocation = \"a\"\ninsecure = \"true\"\n",
            "\"true\": `insecure` must be true or false",
        ),
        (
            "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\n",
            "this mirror has no `location`",
        ),
        (
            "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\nlocation = \"m\"\npull-from-mirror = \"never\"\n",
            "\"never\": `pull-from-mirror` is `all`, `digest-only` or `tag-only`",
        ),
        (
            "[[registry]]\nlocation = \"a\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m\"\n\
             pull-from-mirror = \"all\"\n",
            "exclude each other",
        ),
        (
            "[[registry]]\nlocation = \"a\"\npull-from-mirror = \"all\"\n",
            "belongs to a `[[registry.mirror]]`",
        ),
        (
            "[[registry]]\nprefix = \"p\"\nlocation = \"a\"\n[[registry]]\nlocation = \"a\"\ninsecure = true\n",
            "\"a\": `a` is the location of two tables that differ in `insecure`",
        ),
        (
            "[[registry]]\nlocation = \"a\"\nmirrors = []\n",
            "mirrors: `mirrors` is not a field here",
        ),
        ("search = []\n", "search: `search` is not a setting"),
        (
            "[[registry]]\nlocation = \"a\"\n[[registry]]\nlocation = \"a\"\n",
            "has a table already",
        ),
    ] {
        let files = Files::of(&[("/etc/containers/registries.conf", text)]);
        let message = only(&files, &files.read(podman::read));
        assert!(message.contains(wanted), "{text}\n{message}");
    }
}

#[test]
fn auth_json() {
    let text = r#"{"auths": {
        "quay.io": {"auth": "dTpwYXNzOndvcmQ="},
        "quay.io/org": {"auth": "bzpw"},
        "https://index.docker.io/v1/": {"auth": "aDpw"},
        "t.example": {"auth": "MDA6", "identitytoken": "tok"},
        "empty.example": {}
    }, "credsStore": "pass"}"#;
    let files = Files::of(&[("/root/.config/containers/auth.json", text)]);
    let import = files.read(podman::read);
    assert_eq!(import.diagnostics, []);
    let shown: Vec<_> = import
        .intent
        .credentials
        .iter()
        .map(|one| {
            let (user, password) = one.auth.user_password().unzip();
            (
                one.scope.value.to_string(),
                user,
                password.map(|text| text.expose().to_owned()),
            )
        })
        .collect();
    let is = |scope: &str, user: &str, password: &str| {
        (scope.to_owned(), Some(user.to_owned()), Some(password.to_owned()))
    };
    assert_eq!(
        shown[..3],
        [
            is("quay.io", "u", "pass:word"),
            is("quay.io/org", "o", "p"),
            is("docker.io", "h", "p")
        ]
    );
    assert_eq!(import.intent.credentials.len(), 4);
    let token = import.intent.credentials[3].auth.identity_token.as_ref().unwrap();
    assert_eq!((token.expose(), files.at(token.span)), ("tok", "\"tok\""));
    loss_of(&import.losses, "credsStore");
    assert!(!format!("{import:?}").contains("pass:word"));

    for (text, wanted) in [
        (
            "{\"auths\": {\"a\": {\"auth\": \"!\"}}}",
            "\"!\": `auth` is not the base64",
        ),
        (
            "{\"auths\": {\"a\": {\"auth\": \"dXNlcg==\"}}}",
            "`auth` is not the base64 of `user:password`",
        ),
        (
            "{\"auths\": []}",
            "[]: `auths` must be a mapping, and this is a list",
        ),
        (
            "{\"auths\": {\"a\": {\"auth\": 5}}}",
            "5: `auth` must be a text, and this is a bare word",
        ),
        ("{\"auths\": {},}", "not JSON: trailing comma"),
    ] {
        let files = Files::of(&[("/x/auth.json", text)]);
        let message = only(&files, &files.read(podman::read));
        assert!(message.contains(wanted), "{text}\n{message}");
    }
}

#[test]
fn certs_d() {
    let root = "/etc/containers/certs.d";
    let paths = [
        format!("{root}/a.example:5000/ca.crt"),
        format!("{root}/a.example:5000/client.cert"),
        format!("{root}/a.example:5000/client.key"),
        format!("{root}/a.example:5000/readme.txt"),
    ];
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
    let import = Files::of(&files).read(podman::read);
    assert_eq!(import.diagnostics, []);
    let tls = &import.intent.trust_of("a.example:5000").unwrap().tls;
    assert_eq!(
        (tls.ca[0].as_str(), tls.client[0].1.as_str()),
        (paths[0].as_str(), paths[2].as_str())
    );

    for (alone, wanted) in [
        ("client.cert", "without `client.key`"),
        ("client.key", "without `client.cert`"),
    ] {
        let path = format!("{root}/a.example/{alone}");
        let files = Files::of(&[(&path, "")]);
        assert!(only(&files, &files.read(docker::read)).contains(wanted));
    }
}

#[test]
fn daemon_json() {
    let text = r#"{
      "registry-mirrors": ["https://m.example/", "http://10.0.0.1:5000", "https://m.example"],
      "insecure-registries": ["10.0.0.1:5000", "192.168.0.0/16", "http://old.example"],
      "log-driver": "journald"
    }"#;
    let files = Files::of(&[("/etc/docker/daemon.json", text)]);
    let import = files.read(docker::read);
    assert!(only(&files, &import).starts_with("\"http://old.example\": an insecure registry has no scheme"));
    let hub = entry(&import.intent, "docker.io");
    assert_eq!(urls(hub), ["https://m.example/v2", "http://10.0.0.1:5000/v2"]);
    assert_eq!(files.at(hub.endpoints[1].span), "\"http://10.0.0.1:5000\"");
    let subjects: Vec<_> = import
        .intent
        .trust
        .iter()
        .map(|trust| trust.subject.value.clone())
        .collect();
    assert_eq!(
        subjects,
        [
            Subject::Host("10.0.0.1:5000".to_owned()),
            Subject::Network("192.168.0.0/16".to_owned()),
            Subject::Host("old.example".to_owned())
        ]
    );

    for (text, wanted) in [
        (
            "{\"registry-mirrors\": [\"m.example\"]}",
            "\"m.example\": a mirror needs a scheme: `https://m.example`",
        ),
        (
            "{\"registry-mirrors\": [\"ftp://m.example\"]}",
            "by http or https, not by `ftp`",
        ),
        (
            "{\"registry-mirrors\": [\"https://m.example/hub\"]}",
            "neither path nor query",
        ),
        (
            "{\"registry-mirrors\": [\"https://u:p@m.example\"]}",
            "no user and no password",
        ),
        ("{\"registry-mirrors\": [\"https://m\u{7f}\"]}", "is not a URL"),
        (
            "{\"registry-mirrors\": \"https://m.example\"}",
            "`registry-mirrors` must be a list",
        ),
        (
            "{\"insecure-registries\": [\"a/b\"]}",
            "neither `host[:port]` nor a network",
        ),
        (
            "{\"insecure-registries\": [\"10.0.0.0/33\"]}",
            "neither `host[:port]` nor a network",
        ),
        ("{\"insecure-registries\": [\"ftp://a\"]}", "has `ftp://`"),
        ("{'registry-mirrors': []}", "not JSON"),
    ] {
        let files = Files::of(&[("/etc/docker/daemon.json", text)]);
        let message = only(&files, &files.read(docker::read));
        assert!(message.contains(wanted), "{text}\n{message}");
    }
}

fn talos_of(text: &str) -> (Files, Import) {
    let files = Files::of(&[("machine.yaml", text)]);
    let import = files.read(|files| talos::read(&files[0]));
    (files, import)
}

#[test]
fn talos_machine_config_and_documents() {
    let text = r#"version: v1alpha1
machine:
  type: worker
  registries:
    mirrors:
      docker.io:
        endpoints: [https://m.example/v2/hub, "http://10.0.0.1:5000/v2"]
        overridePath: true
        skipFallback: true
      "*":
        endpoints:
          - https://all.example
    config:
      m.example:
        auth: {username: u, password: 'p"w'}
        tls:
          ca: Q0EK
          clientIdentity: {crt: TUUK, key: S0VZCg==}
---
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: ghcr.io
endpoints:
  - url: https://g.example/x
  - url: https://h.example/x
    overridePath: true
skipFallback: true
---
apiVersion: v1alpha1
kind: RegistryTLSConfig
name: g.example
ca: |-
  -----BEGIN CERTIFICATE-----
  x
insecureSkipVerify: true
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: g.example
identityToken: tok
---
apiVersion: v1alpha1
kind: SomethingElse
name: g.example
"#;
    let (files, import) = talos_of(text);
    assert_eq!(import.diagnostics, []);
    let hub = entry(&import.intent, "docker.io");
    assert_eq!(urls(hub), ["https://m.example/v2/hub", "http://10.0.0.1:5000/v2"]);
    assert_eq!(
        (hub.endpoints[1].scheme, hub.upstream.value),
        (Scheme::Http, Upstream::Deny)
    );
    let all = entry(&import.intent, "*");
    assert_eq!(
        (all.upstream.value, urls(all)),
        (Upstream::Allow, vec!["https://all.example/v2".to_owned()])
    );
    let ghcr = entry(&import.intent, "ghcr.io");
    assert_eq!(files.at(ghcr.matches.span), "ghcr.io");
    let base = |number: usize| ghcr.endpoints[number].base.clone();
    assert_eq!(
        (base(0), base(1)),
        (
            Base::Verbatim("/x/v2".to_owned()),
            Base::Verbatim("/x".to_owned())
        )
    );
    let tls = &import.intent.trust_of("m.example").unwrap().tls;
    assert_eq!(tls.client[0].1.as_str(), "/etc/landfall/tls/m.example/client.key");
    assert_eq!(
        import
            .extracted
            .iter()
            .filter(|file| file.secret && file.mode == 0o600)
            .count(),
        1
    );
    assert_eq!(import.intent.trust_of("g.example").unwrap().tls.ca.len(), 1);
    assert!(
        import
            .intent
            .credential_of("g.example")
            .unwrap()
            .auth
            .identity_token
            .is_some()
    );
}

#[test]
fn anchors_and_merges_in_yaml() {
    let text = "machine:\n  registries:\n    mirrors:\n      a.example: &a {endpoints: [https://m], skipFallback: true}\n\
                \x20     b.example: {<<: *a, skipFallback: false}\n";
    let (_, import) = talos_of(text);
    assert_eq!(import.diagnostics, []);
    let b = entry(&import.intent, "b.example");
    assert_eq!(
        (urls(b), b.upstream.value),
        (vec!["https://m/v2".to_owned()], Upstream::Allow)
    );
}

#[test]
fn broken_talos_configurations() {
    let registries = |text: &str| format!("machine:\n  registries:\n    {text}\n");
    for (text, wanted) in [
        ("machine: [\n".to_owned(), "did not find"),
        (registries("mirror: {}"), "mirror: `mirror` is not a field here"),
        (
            registries("mirrors: {a: {endpoints: https://m}}"),
            "https://m: `endpoints` must be a list",
        ),
        (
            registries("mirrors: {a: {endpoints: [m.example]}}"),
            "m.example: `m.example` is no endpoint",
        ),
        (
            registries("mirrors: {a: {endpoints: [], skipFallback: 'true'}}"),
            "must be true or false, without quotes",
        ),
        (
            registries("config: {a: {tls: {ca: '%'}}}"),
            "'%': this is not base64 of PEM",
        ),
        (
            registries("config: {a: {tls: {clientIdentity: {crt: TUUK}}}}"),
            "both",
        ),
        (
            registries("config: {'*': {tls: {insecureSkipVerify: true}}}"),
            "'*': certificates belong to one host",
        ),
        (
            registries("config: {a: {auth: {token: x}}}"),
            "token: `token` is not a field here",
        ),
        (
            "kind: RegistryMirrorConfig\nendpoints: []\n".to_owned(),
            "no `name`",
        ),
        (
            "kind: RegistryMirrorConfig\nname: a\nendpoints: [{overridePath: true}]\n".to_owned(),
            "no `url`",
        ),
    ] {
        let (files, import) = talos_of(&text);
        let message = only(&files, &import);
        assert!(message.contains(wanted), "{text}\n{message}");
    }
}

#[test]
fn rke_cluster() {
    let text = "nodes: []\nprivate_registries:\n  - url: reg.example:5000/system\n    user: u\n    password: 01234\n    \
                is_default: true\n  - user: h\n    password: p\n  - url: ecr.example\n    ecr_credential_plugin: {}\n";
    let files = Files::of(&[("cluster.yml", text)]);
    let import = files.read(|files| rke::read(&files[0]));
    assert_eq!(import.diagnostics, []);
    let first = import.intent.credential_of("reg.example:5000").unwrap();
    assert_eq!(first.auth.user_password().unwrap().1.expose(), "01234");
    assert!(import.intent.credential_of("docker.io").is_some());
    loss_of(&import.losses, "images of RKE itself");
    loss_of(&import.losses, "ecr_credential_plugin");

    for (text, wanted) in [
        (
            "private_registries: {url: a}\n",
            "cannot unmarshal !!map into []types.PrivateRegistry",
        ),
        (
            "private_registries: [{url: a, username: u}]\n",
            "username: `username` is not a field",
        ),
        ("private_registries:\n\t- a\n", "cannot start any token"),
    ] {
        let files = Files::of(&[("cluster.yml", text)]);
        let message = only(&files, &files.read(|files| rke::read(&files[0])));
        assert!(message.contains(wanted), "{text}\n{message}");
    }
}

#[test]
fn nerdctl_reads_the_first_root_that_has_a_folder() {
    let hosts = |host: &str| format!("server = \"https://{host}\"\n[host]\n");
    let files = Files::of(&[
        (
            "/etc/nerdctl/nerdctl.toml",
            "hosts_dir = [\"/one\", \"/two\"]\ninsecure_registry = true\n",
        ),
        ("/one/quay.io/hosts.toml", &hosts("one.example")),
        ("/two/quay.io/hosts.toml", &hosts("two.example")),
        ("/two/ghcr.io/hosts.toml", &hosts("two.example")),
        (
            "/etc/containerd/certs.d/docker.io/hosts.toml",
            &hosts("none.example"),
        ),
    ]);
    let import = files.read(nerdctl::read);
    assert_eq!(import.diagnostics, []);
    assert_eq!(urls(entry(&import.intent, "quay.io")), ["https://one.example/v2"]);
    assert_eq!(urls(entry(&import.intent, "ghcr.io")), ["https://two.example/v2"]);
    assert_eq!(import.intent.registries.len(), 2);
    loss_of(&import.losses, "insecure_registry");
    let files = Files::of(&[("/etc/nerdctl/nerdctl.toml", "hosts_dir = \"/one\"\n")]);
    assert!(only(&files, &files.read(nerdctl::read)).contains("`hosts_dir` must be a list"));
}

#[test]
fn certs_d_of_containerd() {
    let text = r#"server = "https://registry-1.docker.io"
[host."https://m.example/us"]
  capabilities = ["pull"]
  ca = "ca.pem"
  [host."https://m.example/us".header]
    x-key = "k"
[host."http://n.example:5000"]
  skip_verify = true
[host."https://p.example"]
  capabilities = ["push"]
"#;
    let mut sources = landfall_diag::Sources::default();
    let mut tree = CertsD::new("/c");
    let source = sources.add(landfall_diag::Source::new("hosts.toml", text));
    tree.put("docker.io", source, text);
    let broken = sources.add(landfall_diag::Source::new("hosts.toml", "server = \n"));
    tree.put("quay.io", broken, "server = \n");
    tree.put("quay.io/org", source, text);
    let release = Release {
        two: true,
        fork: false,
    };
    let import = containerd::read(&tree, release.dialect());
    let hub = entry(&import.intent, "docker.io");
    assert_eq!(hub.upstream.value, Upstream::Allow);
    let m = &hub.endpoints[0];
    assert_eq!(
        (m.asked.value, &m.base),
        (Asked::ByDigest, &Base::Verbatim("/us/v2".to_owned()))
    );
    assert_eq!(m.headers[0].values[0].expose(), "k");
    assert_eq!(
        import.intent.trust_of("m.example").unwrap().tls.ca[0].as_str(),
        "/c/docker.io/ca.pem"
    );
    // HTTP with TLS settings is HTTPS first.
    assert_eq!(hub.endpoints[1].scheme, Scheme::Https);
    assert!(
        import
            .intent
            .trust_of("n.example:5000")
            .unwrap()
            .plain_http
            .is_some()
    );
    loss_of(&import.losses, "p.example");
    loss_of(&import.losses, "quay.io/org");
    assert_eq!(import.diagnostics.len(), 1);
    assert_eq!(
        entry(&import.intent, "quay.io").matches.value,
        Match::Exact("quay.io".to_owned())
    );
}
