//! A chart as Helm keeps it in a registry: an artifact with a config type of its own. There is no Helm here; regctl
//! writes and reads the same manifests.

use landfall_testkit::digest::sha256;
use landfall_testkit::peers::{Crane, Regctl};
use landfall_testkit::run;
use serde_json::Value;

use super::serving::Serving;
use crate::place::Place;

const CHART: &str = "charts/hello:1.2.3";
const CONFIG_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// What Helm puts there is Chart.yaml as JSON.
const CONFIG: &str = r#"{"name":"hello","version":"1.2.3","apiVersion":"v2"}"#;
/// Not a tar; nobody on the way looks.
const CONTENT: &str = "the chart";

fn put(regctl: &Regctl, place: &Place, name: &str) {
    let (config, chart) = (
        place.scratch.write("config.json", CONFIG),
        place.scratch.write("hello-1.2.3.tgz", CONTENT),
    );
    let mut put = regctl.regctl();
    put.args(["artifact", "put", "--config-type", CONFIG_TYPE, "--config-file"]);
    put.arg(config)
        .args(["--file-media-type", CHART_TYPE, "--file"])
        .arg(chart);
    run(put.arg(name)).ok();
}

/// As `helm pull`: the manifest, then the layer of the chart's type.
#[track_caller]
fn assert_pulls(regctl: &Regctl, name: &str) {
    let manifest = regctl.raw_manifest(name).ok();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["config"]["mediaType"], CONFIG_TYPE);
    assert_eq!(
        manifest["config"]["digest"],
        sha256(CONFIG.as_bytes()).to_string()
    );
    let does = |args: &[&str]| run(regctl.regctl().args(args)).ok();
    assert_eq!(
        does(&["artifact", "get", "--file-media-type", CHART_TYPE, name]),
        CONTENT
    );
    let repository = name.rsplit_once(':').unwrap().0;
    let config = sha256(CONFIG.as_bytes()).to_string();
    assert_eq!(does(&["blob", "get", repository, &config]), CONFIG);
}

#[test]
fn goes_the_whole_way() {
    let place = Place::new();
    let private = Serving::start_private(&place, "s3cret", &["--root", "private"]);
    let open = Serving::start(&place, &["--root", "open"]);
    let regctl = Regctl::new();
    regctl.set_tls(private.address(), "insecure");
    regctl.login(private.address(), "admin", "s3cret").ok();
    regctl.set_tls(open.address(), "disabled");
    for serving in [&private, &open] {
        put(&regctl, &place, &serving.name(CHART));
        assert_pulls(&regctl, &serving.name(CHART));
    }
    // The same bytes in both, for another client too.
    let crane = Crane::new();
    crane.login(private.address(), "admin", "s3cret").ok();
    let digest = crane.digest(&private.name(CHART));
    assert_eq!(crane.digest(&open.name(CHART)), digest);
    // Over the gap: into a bundle, which serves it, and from there into a registry.
    place.scratch.write("list.txt", format!("{CHART}\n"));
    place.save(open.address(), "bundle.tar", &[]).ok();
    let bundle = Serving::start(&place, &["bundle.tar"]);
    regctl.set_tls(bundle.address(), "disabled");
    assert_pulls(&regctl, &bundle.name(CHART));
    let behind = Serving::start(&place, &["--root", "behind"]);
    regctl.set_tls(behind.address(), "disabled");
    place
        .landfall(&["load", "bundle.tar", "-r", behind.address()])
        .ok();
    assert_pulls(&regctl, &behind.name(CHART));
    assert_eq!(crane.digest(&behind.name(CHART)), digest);
}
