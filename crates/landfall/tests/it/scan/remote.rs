//! Charts from registries, chart repositories and the web.

use std::collections::HashMap;

use landfall_oci::MediaType;
use landfall_testkit::digest::sha256;
use landfall_testkit::{FakeRegistry, run};
use serde_json::json;

use super::{app, command, web};
use crate::place::Place;

const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

fn put(registry: &FakeRegistry, name: &str, tag: &str, chart: Vec<u8>, content_type: &str) {
    let config = br#"{"name":"app"}"#.to_vec();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": CONFIG, "digest": sha256(&config).to_string(), "size": config.len()},
        "layers": [{"mediaType": content_type, "digest": sha256(&chart).to_string(), "size": chart.len()}],
    });
    registry.put_blob(name, config);
    registry.put_blob(name, chart);
    registry.put_manifest(name, tag, MediaType::OCI_MANIFEST, manifest.to_string());
}

#[test]
fn from_a_registry() {
    let (place, registry) = (Place::new(), FakeRegistry::empty());
    for version in ["1.9.0", "1.10.0", "2.0.0-rc.1", "1.10.1+up4"] {
        put(
            &registry,
            "charts/app",
            &version.replace('+', "_"),
            app(version),
            CONTENT,
        );
    }
    put(
        &registry,
        "charts/none",
        "1.0.0",
        app("1.0.0"),
        "application/octet-stream",
    );
    let scan = |name: &str, more: &[&str]| {
        let name = format!("oci://{}/charts/{name}", registry.address());
        run(&mut command(
            &place,
            &[&["images", "chart", &name], more].concat(),
        ))
    };
    assert_eq!(scan("app:1.9.0", &[]).ok(), "org/app:1.9.0\n");
    assert_eq!(scan("app:1.10.1+up4", &[]).ok(), "org/app:1.10.1_up4\n");
    assert_eq!(scan("app", &[]).ok(), "org/app:1.10.1_up4\n");
    assert_eq!(
        scan("app", &["--version", "2.0.0-rc.1"]).ok(),
        "org/app:2.0.0-rc.1\n"
    );
    for (name, more, reason) in [
        ("app", &["--version", "3.0.0"][..], "no version 3.0.0"),
        ("none:1.0.0", &[], "no Helm chart"),
        ("App", &[], "lower case"),
    ] {
        let outcome = scan(name, more);
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome}");
    }
}

#[test]
fn from_a_chart_repository() {
    let place = Place::new();
    let (good, other) = (app("v1.1.0"), app("1.0.0"));
    let digest = sha256(&good).to_string().replace("sha256:", "");
    let index = format!(
        "apiVersion: v1\nentries:\n  app:\n  - version: v1.1.0\n    digest: {digest}\n    urls: [charts/app-v1.1.0.tgz]\n  - version: 1.0.0\n    digest: {digest}\n    urls: [charts/app-1.0.0.tgz]\n"
    );
    let files = [
        ("/r/index.yaml", index.into_bytes()),
        ("/r/charts/app-v1.1.0.tgz", good),
        ("/r/charts/app-1.0.0.tgz", other),
    ];
    let url = web::serving(HashMap::from(files.map(|(path, bytes)| (path.to_owned(), bytes))));
    let repository = format!("{url}/r/");
    let scan = |name: &str, more: &[&str]| {
        run(&mut command(
            &place,
            &[&["images", "chart", name, "--repo", &repository], more].concat(),
        ))
    };
    assert_eq!(scan("app", &[]).ok(), "org/app:v1.1.0\n");
    assert_eq!(scan("app", &["--version", "1.1.0"]).ok(), "org/app:v1.1.0\n");
    for (name, more, code, reason) in [
        ("other", &[][..], 2, "there is no chart `other`"),
        ("app", &["--version", "2"], 2, "the newest are v1.1.0, 1.0.0"),
        ("app", &["--version", "1.0.0"], 4, "but the index says sha256:"),
    ] {
        let outcome = scan(name, more);
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome}");
    }
    // The archive itself by its URL.
    let archive = format!("{url}/r/charts/app-1.0.0.tgz");
    assert_eq!(
        run(&mut command(&place, &["images", "chart", &archive])).ok(),
        "org/app:1.0.0\n"
    );
}
