//! registry.mirrors without config_path, config.toml both ways, what can be contacted, and how long explaining takes.

use std::time::Instant;

use landfall_diag::SourceId;
use landfall_oci::Reference;
use landfall_registries::containerd::{
    Answer, Class, ConfigError, ConfigToml, Containerd, Flavour, Name, Release, Request, Setup, Source, Then,
    To, Why, exits, reach,
};
use landfall_registries::hosts::CertsD;
use landfall_registries::{Attempt, Presented};

const SOURCE: SourceId = SourceId(0);

fn config(text: &str) -> ConfigToml {
    ConfigToml::parse(SOURCE, text).unwrap()
}

/// A configuration of K3s before hosts.toml.
fn legacy(registry: &str) -> Containerd {
    let root = "plugins.\"io.containerd.grpc.v1.cri\".registry";
    let text = format!("version = 2\n{}", registry.replace("[.", &format!("[{root}.")));
    let mut setup = Setup::new(Flavour::K3s);
    config(&text).apply(&mut setup, Release::V1_7.behaviour());
    setup.original_scope = true;
    Containerd::new(setup)
}

fn attempts(containerd: &Containerd, image: &str) -> Vec<Attempt> {
    let told = containerd.explain(&Reference::parse(image).unwrap());
    assert_eq!(told.pull_error, None);
    told.attempts
}

fn urls(containerd: &Containerd, image: &str) -> Vec<String> {
    attempts(containerd, image)
        .into_iter()
        .map(|attempt| attempt.url)
        .collect()
}

#[test]
fn mirrors_come_first_and_their_rewrites_go_on_to_the_registry() {
    let node = legacy(
        "[.mirrors.\"docker.io\"]\nendpoint = [\"https://mirror.example.com\", \"registry.lan:5000/\"]\n\
         [.mirrors.\"docker.io\".rewrite]\n\"^library/(.*)\" = \"corp/$1\"\n",
    );
    let found = attempts(&node, "nginx");
    let urls: Vec<&str> = found.iter().map(|attempt| attempt.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://mirror.example.com/v2/corp/nginx/manifests/latest?ns=docker.io",
            "https://registry.lan:5000/corp/nginx/manifests/latest?ns=docker.io",
            "https://registry-1.docker.io/v2/corp/nginx/manifests/latest",
        ]
    );
    assert!(
        found
            .iter()
            .all(|attempt| attempt.token_scope == "repository:library/nginx:pull")
    );
}

#[test]
fn the_wildcard_mirror_is_for_names_without_one() {
    let node = legacy(
        "[.mirrors.\"*\"]\nendpoint = [\"https://m\"]\n[.mirrors.\"quay.io\"]\nendpoint = [\"https://quay.io\"]\n\
         [.configs.\"*\".auth]\nusername = \"u\"\npassword = \"p\"\n",
    );
    assert_eq!(
        urls(&node, "quay.io/a/b:1"),
        ["https://quay.io/v2/a/b/manifests/1"]
    );
    let other = attempts(&node, "ghcr.io/a/b:1");
    assert_eq!(other[0].url, "https://m/v2/a/b/manifests/1?ns=ghcr.io");
    assert_eq!(other[1].url, "https://ghcr.io/v2/a/b/manifests/1");
    // The wildcard is for mirrors only.
    assert!(
        other
            .iter()
            .all(|attempt| attempt.presented == Presented::Anonymous)
    );
}

#[test]
fn the_registry_itself_is_left_out_only_under_its_own_name() {
    let hub = legacy("[.mirrors.\"docker.io\"]\nendpoint = [\"https://registry-1.docker.io\"]\n");
    assert_eq!(urls(&hub, "nginx").len(), 2);
    let port = legacy("[.mirrors.\"r.lan\"]\nendpoint = [\"https://r.lan:5000\"]\n");
    assert_eq!(
        urls(&port, "r.lan/app:1"),
        [
            "https://r.lan:5000/v2/app/manifests/1?ns=r.lan",
            "https://r.lan/v2/app/manifests/1"
        ]
    );
}

#[test]
fn localhost_is_plain_http_at_once() {
    let node = legacy("");
    let found = attempts(&node, "localhost:5000/app:1");
    assert_eq!(found[0].url, "http://localhost:5000/v2/app/manifests/1");
    assert!(found[0].plain_http && !found[0].http_fallback && !found[0].tls.skip_verify);
}

#[test]
fn a_certificate_without_its_key_ends_the_pull() {
    let node = legacy("[.configs.\"r.example.com\".tls]\ncert_file = \"/opt/certs/tls.crt\"\n");
    let told = node.explain(&Reference::parse("r.example.com/app:1").unwrap());
    assert_eq!(
        told.pull_error.unwrap().text,
        "get TLSConfig for registry \"https://r.example.com\": cert file \"/opt/certs/tls.crt\" was specified, \
         but no corresponding key file was specified"
    );
    // It is nobody else's certificate.
    assert_eq!(urls(&node, "nginx").len(), 1);
}

#[test]
fn config_path_and_mirrors_together_are_refused() {
    let read = config(
        "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry]\nconfig_path = \"/a:/b\"\n\
         [plugins.\"io.containerd.cri.v1.images\".registry.mirrors.x]\nendpoint = [\"https://y\"]\n",
    );
    let mut setup = Setup::new(Flavour::Upstream);
    read.apply(&mut setup, Release::V2_4.behaviour());
    setup.roots = read.roots(Release::V2_4).into_iter().map(CertsD::new).collect();
    assert_eq!(setup.roots.len(), 2, "mirrors keep the transfer service away");
    let words = "invalid cri image config: `mirrors` cannot be set when `config_path` is provided";
    assert_eq!(Containerd::new(setup).refusal().unwrap().text, words);
}

#[test]
fn each_version_of_config_toml_has_its_plugin() {
    for (version, plugin) in [
        (1, "cri"),
        (2, "io.containerd.grpc.v1.cri"),
        (3, "io.containerd.cri.v1.images"),
    ] {
        let section = format!("[plugins.\"{plugin}\".registry]\nconfig_path = \"/certs.d\"\n");
        let read = config(&format!("version = {version}\n{section}"));
        assert_eq!(read.roots(Release::V1_6), ["/certs.d"]);
        let other = if version == 3 { 2 } else { 3 };
        let unread = config(&format!("version = {other}\n{section}"));
        assert_eq!((unread.config_path, unread.unread.len()), (None, 1));
    }
    // No version is the first.
    assert_eq!(
        config("[plugins.cri.registry]\nconfig_path = \"/x\"\n").roots(Release::V1_6),
        ["/x"]
    );
}

#[test]
fn the_transfer_service_takes_several_roots_for_one() {
    let read = config("version = 3\n");
    assert_eq!(read.roots(Release::V1_7), Vec::<String>::new());
    assert_eq!(
        read.roots(Release::V2_2),
        ["/etc/containerd/certs.d:/etc/docker/certs.d"]
    );
    let local = "version = 3\n[plugins.\"io.containerd.cri.v1.images\"]\nuse_local_image_pull = true\n";
    assert_eq!(
        config(local).roots(Release::V2_2),
        ["/etc/containerd/certs.d", "/etc/docker/certs.d"]
    );
}

#[test]
fn what_config_toml_must_not_say_is_told_with_its_place() {
    let error = ConfigToml::parse(SOURCE, "version = 9\n").unwrap_err();
    assert!(matches!(error, ConfigError::Version { span, .. } if span.range() == (10..11)));
    let text = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = [1]\n";
    let error = ConfigToml::parse(SOURCE, text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the CRI plugin does not load: `config_path` must be a string"
    );
    let error = ConfigToml::parse(SOURCE, "a = \"\\d\"\n").unwrap_err();
    assert!(
        error.to_string().contains("invalid escape character U+0064 'd'"),
        "{error}"
    );
    assert!(std::mem::size_of::<ConfigError>() <= 128);
}

#[test]
fn registry_sections_are_read_as_they_were_written() {
    let text = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n\
        [plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"a \\\" b\"]\nendpoint = [\"https://x\\\\y\"]\n\
        [plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"a \\\" b\".rewrite]\n\"^\\\\d\" = \"$1\"\n\
        [plugins.\"io.containerd.grpc.v1.cri\".registry.configs.h.auth]\nusername = \"u\"\nidentitytoken = \"t\"\n\
        [plugins.\"io.containerd.grpc.v1.cri\".registry.configs.h.tls]\nca_file = \"/c\"\ninsecure_skip_verify = false\n\
        [plugins.\"io.containerd.grpc.v1.cri\".registry.auths.\"https://h2/v1\"]\nauth = \"eDp5\"\n\
        [plugins.\"io.containerd.grpc.v1.cri\".registry.headers]\nX-A = [\"1\", \"2\"]\n";
    let first = config(text);
    assert_eq!(first.credentials[1].key.value, "h2");
    for version in [1, 2, 3] {
        let written = ConfigToml {
            version,
            ..first.clone()
        }
        .registry_sections();
        let again = config(&format!("version = {version}\n{written}"));
        assert_eq!(again.registry_sections(), written);
        assert_eq!(again.legacy.mirrors[0].rewrites, first.legacy.mirrors[0].rewrites);
        assert_eq!(again.legacy.tls, first.legacy.tls);
        assert_eq!(again.headers, first.headers);
        let auth = |read: &ConfigToml| {
            read.credentials
                .iter()
                .map(|one| one.auth.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(auth(&again), auth(&first));
    }
}

fn tree(flavour: Flavour, files: &[(&str, &str)]) -> Containerd {
    let mut root = CertsD::new("/certs.d");
    for (dir, text) in files {
        root.put(*dir, SOURCE, *text);
    }
    let mut setup = Setup::new(flavour);
    setup.roots.push(root);
    Containerd::new(setup)
}

fn ways(containerd: &Containerd, name: &Name) -> Vec<(To, Why)> {
    reach(containerd, name)
        .exits
        .into_iter()
        .map(|exit| (exit.to, exit.why))
        .collect()
}

#[test]
fn every_way_out_is_named() {
    let host = |name: &str| To::Host(name.to_owned());
    let named = |name: &str| Name::Registry(name.to_owned());
    let mirror = "[host.\"https://m\"]\n  capabilities = [\"resolve\"]\n[host.\"https://n\"]\n";
    let upstream = tree(Flavour::Upstream, &[("_default", mirror)]);
    let listed = [(host("m"), Why::Listed), (host("n"), Why::Listed)];
    assert_eq!(ways(&upstream, &Name::Other)[..2], listed);
    assert_eq!(ways(&upstream, &Name::Other)[2], (To::AnyNamed, Why::NoServer));
    let fork = tree(
        Flavour::K3s,
        &[("_default", mirror), ("quay.io/org", mirror), ("r_5000_", "\\")],
    );
    assert_eq!(ways(&fork, &Name::Other), listed);
    // The directory is there only because of the one below it, and hides the wildcard all the same.
    assert_eq!(ways(&fork, &named("quay.io")), [(host("quay.io"), Why::NoFile)]);
    assert_eq!(ways(&fork, &named("r:5000")), [(host("r:5000"), Why::BrokenFile)]);
    let all: Vec<Name> = exits(&fork).into_iter().map(|reach| reach.name).collect();
    assert_eq!(all, [named("quay.io"), named("r:5000"), Name::Other]);
    let closed = tree(Flavour::Upstream, &[("_default", "server = \"https://m\"\n")]);
    assert_eq!(ways(&closed, &Name::Other), [(host("m"), Why::Server)]);
    let none = tree(Flavour::Upstream, &[]);
    assert_eq!(ways(&none, &Name::Other), [(To::AnyNamed, Why::NoDirectory)]);
    assert_eq!(
        ways(&none, &named("docker.io")),
        [(host("registry-1.docker.io"), Why::NoDirectory)]
    );
}

#[test]
fn a_directory_that_is_only_implied_says_so() {
    let node = tree(Flavour::K3s, &[("quay.io/org", ""), ("_default", "")]);
    let told = node.explain(&Reference::parse("quay.io/org/app:1").unwrap());
    assert_eq!(told.choice.source, Source::NoHostsToml);
    assert_eq!(
        told.choice.candidates[0].implied_by.as_deref(),
        Some("quay.io/org")
    );
}

#[test]
fn lines_are_named_as_the_cause() {
    let text =
        "[host.\"https://m\"]\n  skip_verify = true\n  [host.\"https://m\".rewrite]\n    \"^a\" = \"b\"\n";
    let node = tree(Flavour::K3s, &[("quay.io", text)]);
    let found = attempts(&node, "quay.io/a:1");
    let because = &found[0].because;
    let shown = |span: Option<landfall_diag::Span>| &text[span.unwrap().range()];
    assert_eq!(shown(because.endpoint), "\"https://m\"");
    assert_eq!(shown(because.tls), "true");
    assert_eq!(shown(because.rewrite), "\"^a\" = \"b\"");
    assert_eq!(because.credential, None);
}

#[test]
fn seven_hundred_images_are_explained_at_once() {
    let mut root = CertsD::new("/certs.d");
    for registry in 0..40 {
        let rules: String = (0..20)
            .map(|rule| format!("\"^p{rule}/(.*)-[0-9]+$\" = \"q{rule}/$1\"\n"))
            .collect();
        let text = format!(
            "[host.\"https://m{registry}\"]\n[host.\"https://m{registry}\".rewrite]\n{rules}[host.\"https://n\"]\n"
        );
        root.put(format!("r{registry}.lan"), SOURCE, text);
    }
    let mut setup = Setup::new(Flavour::K3s);
    setup.roots.push(root);
    let images: Vec<Reference> = (0..712)
        .map(|image| Reference::parse(&format!("r{}.lan/p{}/x-{image}:1", image % 40, image % 20)).unwrap())
        .collect();
    let start = Instant::now();
    let containerd = Containerd::new(setup);
    eprintln!("read: {:?}", start.elapsed());
    let told: Vec<_> = images.iter().map(|image| containerd.explain(image)).collect();
    eprintln!("read and explained: {:?}", start.elapsed());
    for (image, told) in images.iter().zip(&told) {
        let repository = image.repository().as_str();
        let number: u32 = repository["p".len()..repository.find('/').unwrap()]
            .parse()
            .unwrap();
        assert_eq!(told.attempts[0].repository, format!("q{number}/x"));
        assert_eq!(told.attempts[1].repository, repository);
    }
}

/// What is told to follow from an answer is what happens when every host gives it.
#[test]
fn consequences_are_what_is_played() {
    let answers = [
        (Class::Found, Answer::Status(200)),
        (Class::Redirection, Answer::Status(302)),
        (Class::Forbidden, Answer::Status(403)),
        (Class::NotFound, Answer::Status(404)),
        (Class::Busy, Answer::Status(429)),
        (Class::Failing, Answer::Status(503)),
        (Class::Refusing, Answer::Status(400)),
        (Class::Unreachable, Answer::Refused),
        (Class::Silent, Answer::Cut),
        (Class::Unauthorized, Answer::Basic),
    ];
    for release in Release::ALL {
        let mut setup = Setup::new(Flavour::Upstream);
        setup.behaviour = release.behaviour();
        let mut root = CertsD::new("/certs.d");
        root.put("quay.io", SOURCE, "[host]\n[host.\"https://m\"]\n");
        setup.roots.push(root);
        let node = Containerd::new(setup);
        let image = Reference::parse("quay.io/a:1").unwrap();
        let told = node.explain(&image);
        for (class, answer) in &answers {
            let trace = node.simulate(&image, &mut |_: &Request| answer.clone());
            for (attempt, host) in ["m", "quay.io"].into_iter().enumerate() {
                let follows = told.consequences[attempt]
                    .iter()
                    .find(|one| one.class == *class)
                    .unwrap();
                let asked = trace
                    .requests
                    .iter()
                    .filter(|sent| sent.request.host == host)
                    .count();
                let earlier = attempt > 0
                    && told.consequences[0]
                        .iter()
                        .any(|one| one.class == *class && matches!(one.then, Then::Done | Then::Fails));
                // 2.0 asks for the reason of the first 403 only.
                let second = release == Release::V2_0 && *class == Class::Forbidden && attempt == 1;
                let expected = if earlier {
                    0
                } else {
                    follows.requests - usize::from(second)
                };
                assert_eq!(asked, expected, "{release:?} {class:?} {host}");
            }
        }
    }
}
