//! regctl, from regclient: an independent implementation of the registry protocol, strict about it.

use landfall_testkit::Workload;
use landfall_testkit::digest::sha256;
use landfall_testkit::peers::{DockerRegistry, Regctl};
use landfall_testkit::run;

use super::fleet::{ALL, ATTESTED, DOCKER_LIST, SINGLE, fleet, full, only, saved};
use super::serving::Serving;
use super::stored;
use crate::place::{Place, same_bytes};

/// regctl that knows these registries as plain HTTP.
fn regctl(registries: &[&str]) -> Regctl {
    let regctl = Regctl::new();
    for registry in registries {
        regctl.set_tls(registry, "disabled");
    }
    regctl
}

#[test]
fn what_it_exports_we_push_and_load() {
    let workload = only(&[SINGLE, ATTESTED, DOCKER_LIST]);
    let upstream = DockerRegistry::with(&workload);
    let registry = DockerRegistry::empty();
    let regctl = regctl(&[&upstream.address(), &registry.address()]);
    let place = Place::new();
    for (n, name) in [SINGLE, ATTESTED, DOCKER_LIST].into_iter().enumerate() {
        let archive = place.path(&format!("{n}.tar"));
        let mut export = regctl.regctl();
        export.args([
            "image",
            "export",
            "--name",
            &full(name),
            &format!("{}/{name}", upstream.address()),
        ]);
        run(export.arg(&archive)).ok();
        let target = format!("{}/pushed/image{n}:1", registry.address());
        place.landfall(&["push", archive.to_str().unwrap(), &target]).ok();
        let pushed = stored::tag(&registry, &format!("pushed/image{n}"), "1");
        assert_eq!(pushed, Some(workload.image(name).root));
        place
            .landfall(&["load", archive.to_str().unwrap(), "-r", &registry.address()])
            .ok();
    }
    stored::assert_holds(&registry, &only(&[ATTESTED, DOCKER_LIST]));
    assert_eq!(
        stored::tag(&registry, "hello", "1"),
        Some(workload.image(SINGLE).root)
    );
}

#[test]
fn imports_our_bundles() {
    let workload = fleet();
    let place = saved(&workload);
    let registry = DockerRegistry::empty();
    let regctl = regctl(&[&registry.address()]);
    for name in ALL {
        let mut import = regctl.regctl();
        import.args([
            "image",
            "import",
            "--name",
            &full(name),
            &format!("{}/{name}", registry.address()),
        ]);
        run(import.arg(place.path("bundle.tar"))).ok();
    }
    stored::assert_holds(&registry, &workload);
}

/// Copies all images from one registry to another; both have the same bytes then.
#[track_caller]
fn copy_all(regctl: &Regctl, workload: &Workload, from: &str, to: &str) {
    for image in &workload.images {
        regctl.copy(&image.name_in(from), &image.name_in(to)).ok();
        let bytes = regctl.raw_manifest(&image.name_in(to)).ok();
        assert_eq!(sha256(bytes.as_bytes()), image.root, "{}", image.name());
    }
}

#[test]
fn copies_from_bundles_in_place() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let registry = DockerRegistry::empty();
    let regctl = regctl(&[serving.address(), &registry.address()]);
    copy_all(&regctl, &workload, serving.address(), &registry.address());
    stored::assert_holds(&registry, &workload);
    let tags = run(regctl
        .regctl()
        .args(["tag", "ls", &serving.name("rancher/attested")]))
    .ok();
    assert_eq!(tags, "v1\n");
    let repositories = run(regctl.regctl().args(["repo", "ls", serving.address()])).ok();
    assert!(
        repositories.lines().any(|line| line == "rancher/attested"),
        "{repositories}"
    );
}

#[test]
fn copies_into_our_registry() {
    let workload = fleet();
    let place = saved(&workload);
    let upstream = DockerRegistry::with(&workload);
    let serving = Serving::start(&place, &["--root", "store"]);
    let regctl = regctl(&[&upstream.address(), serving.address()]);
    copy_all(&regctl, &workload, &upstream.address(), serving.address());
    place.save(serving.address(), "again.tar", &[]).ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("again.tar")));
    // A second name for the same image, then the first is taken away.
    let (one, two) = (serving.name(ATTESTED), serving.name("rancher/attested:v2"));
    regctl.copy(&one, &two).ok();
    let tags = || {
        run(regctl
            .regctl()
            .args(["tag", "ls", &serving.name("rancher/attested")]))
        .ok()
    };
    assert_eq!(tags(), "v1\nv2\n");
    run(regctl.regctl().args(["tag", "rm", &one])).ok();
    assert_eq!(tags(), "v2\n");
    let bytes = regctl.raw_manifest(&two).ok();
    assert_eq!(sha256(bytes.as_bytes()), workload.image(ATTESTED).root);
}

#[test]
fn attaches_what_belongs_to_an_image_in_our_registry() {
    let workload = only(&[ATTESTED]);
    let place = saved(&workload);
    let serving = Serving::start(&place, &["--root", "store"]);
    place
        .landfall(&["load", "bundle.tar", "-r", serving.address()])
        .ok();
    let regctl = regctl(&[serving.address()]);
    let subject = serving.name(ATTESTED);
    let file = place.scratch.write("sbom.json", "{}");
    let mut put = regctl.regctl();
    put.args([
        "artifact",
        "put",
        "--artifact-type",
        "application/spdx+json",
        "--subject",
        &subject,
        "--file",
    ]);
    run(put.arg(file)).ok();
    let list = run(regctl
        .regctl()
        .args(["artifact", "list", "--format", "{{jsonPretty .}}", &subject]))
    .ok();
    assert!(list.contains("application/spdx+json"), "{list}");
    // By the referrers endpoint, not by the tag that registries without it need.
    let tags = run(regctl
        .regctl()
        .args(["tag", "ls", &serving.name("rancher/attested")]))
    .ok();
    assert_eq!(tags, "v1\n");
}
