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

/// Signatures and SBOMs of an image in a bundle, kept in the directory below it; a signature of a signature too.
#[test]
fn follows_what_belongs_to_an_image_of_a_bundle() {
    let workload = only(&[ATTESTED]);
    let place = saved(&workload);
    let serving = Serving::start_private(&place, "s3cret", &["bundle.tar", "--root", "store"]);
    let regctl = Regctl::new();
    regctl.set_tls(serving.address(), "insecure");
    regctl.login(serving.address(), "admin", "s3cret").ok();
    let does = |args: &[&str]| run(regctl.regctl().args(args));
    let repository = serving.name("rancher/attested");
    let put = |subject: &str, kind: &str, content: &str| {
        let file = place.scratch.write(kind.replace('/', "-"), content);
        let file = file.to_str().unwrap();
        let args = [
            "artifact",
            "put",
            "--artifact-type",
            kind,
            "--subject",
            subject,
            "--file",
            file,
        ];
        does(&[&args[..], &["--format", "{{.Manifest.GetDescriptor.Digest}}"]].concat()).ok()
    };
    let image = serving.name(ATTESTED);
    let sbom = put(&image, "application/spdx+json", "a bill of materials");
    put(&image, "application/x.signature", "a signature");
    let of_sbom = format!("{repository}@{}", sbom.trim());
    put(&of_sbom, "application/x.signature", "a signature of the bill");

    let list = does(&["artifact", "list", &image]).ok();
    assert!(
        list.contains("application/spdx+json") && list.contains("application/x.signature"),
        "{list}"
    );
    let some = does(&[
        "artifact",
        "list",
        "--filter-artifact-type",
        "application/spdx+json",
        &image,
    ])
    .ok();
    assert!(!some.contains("application/x.signature"), "{some}");
    let tree = does(&["artifact", "tree", &image]).ok();
    assert_eq!(tree.matches("application/x.signature").count(), 2, "{tree}");
    let of_image = ["artifact", "get", "--subject", &image];
    let got = does(
        &[
            &of_image[..],
            &["--filter-artifact-type", "application/spdx+json"],
        ]
        .concat(),
    );
    assert_eq!(got.ok(), "a bill of materials");
    let content = sha256(b"a signature").to_string();
    assert_eq!(does(&["blob", "get", &repository, &content]).ok(), "a signature");
    // The image with all that belongs to it, into another registry and from there.
    let other = Serving::start(&place, &["--root", "other"]);
    regctl.set_tls(other.address(), "disabled");
    let copied = other.name("copied/attested:v1");
    does(&["image", "copy", "--referrers", &image, &copied]).ok();
    assert_eq!(
        does(&["artifact", "tree", &copied])
            .ok()
            .matches("application/x.signature")
            .count(),
        2
    );
}

/// A manifest before its layers, for a mirror that is filled in part on purpose; refused where nobody allowed it.
#[test]
fn puts_a_sparse_image_only_where_that_is_allowed() {
    let workload = only(&[SINGLE]);
    let place = Place::new();
    let manifest = workload.closure(workload.image(SINGLE).root)[0];
    let file = place.scratch.write("manifest.json", &manifest.bytes);
    for (options, allowed) in [
        (&["--root", "whole"][..], false),
        (&["--root", "part", "--allow-sparse"], true),
    ] {
        let serving = Serving::start(&place, options);
        let regctl = regctl(&[serving.address()]);
        let mut put = regctl.regctl();
        put.args(["manifest", "put", "--content-type", manifest.media_type.as_str()]);
        // testkit's `run` gives no input.
        let put = put
            .arg(serving.name(SINGLE))
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        assert_eq!(put.status.success(), allowed, "{put:?}");
        assert_eq!(regctl.raw_manifest(&serving.name(SINGLE)).is_ok(), allowed);
    }
}
