//! What is asked for and is not there becomes the next trip's list.

use landfall_testkit::{FakeRegistry, Workload};

use crate::place::Place;
use crate::server::{Serving, eventually};

/// A server on a bundle and a directory, and the images that it lacks.
struct Site {
    place: Place,
    serving: Option<Serving>,
    missing: Workload,
}

impl Site {
    fn new() -> Self {
        let here = Workload::hello("rancher/here:1", "here");
        let mut missing = Workload::hello("rancher/missing:2", "missing");
        let image = missing.images[0].root;
        missing.tag("library/plain:3", image);
        let place = Place::with_list(&here);
        place
            .save(&FakeRegistry::with(&here).address(), "here.tar", &[])
            .ok();
        let serving = Serving::start(&place, &["here.tar", "--root", "store"]);
        let site = Self {
            place,
            serving: Some(serving),
            missing,
        };
        for name in ["rancher/missing:2", "rancher/missing:2", "library/plain:3"] {
            let outcome = site.pull(name);
            assert_eq!(outcome.code(), Some(1), "{outcome}");
        }
        site
    }

    fn serving(&self) -> &Serving {
        self.serving.as_ref().unwrap()
    }

    fn pull(&self, name: &str) -> landfall_testkit::Outcome {
        let name = self.serving().name(name);
        self.place.landfall(&[
            "pull",
            &name,
            "-o",
            "pulled.tar",
            "--overwrite",
            "--attempts",
            "1",
        ])
    }

    /// The names that `wanted` prints, without its comments.
    fn wanted(&self) -> Vec<String> {
        let told = self.place.landfall(&["wanted", "--root", "store"]).ok();
        let names = told.lines().filter(|line| !line.starts_with('#'));
        names.map(str::to_owned).collect()
    }
}

#[test]
fn the_list_is_what_save_fetches_and_load_brings() {
    let site = Site::new();
    site.pull("rancher/here:1").ok();
    assert_eq!(site.wanted(), ["library/plain:3", "rancher/missing:2"]);
    let told = site.place.landfall(&["wanted", "--root", "store"]).ok();
    assert!(told.contains("# 2 times, last "), "{told}");
    site.place.scratch.write("next-trip.txt", &told);
    let upstream = FakeRegistry::with(&site.missing);
    let from = upstream.address();
    let args = ["save", "-l", "next-trip.txt", "-o", "trip.tar", "--from", &from];
    site.place.landfall(&args).ok();
    let load = ["load", "trip.tar", "-r", &site.serving().address];
    site.place.landfall(&load).ok();
    site.pull("rancher/missing:2").ok();
    site.pull("library/plain:3").ok();
}

#[test]
fn a_namespace_says_whose_image_was_meant() {
    let site = Site::new();
    let path = "/v2/jetstack/controller/manifests/v1?ns=quay.io";
    let answer = site
        .serving()
        .request("GET", path, &[("user-agent", "containerd/1.7")]);
    assert_eq!(answer.status, 404, "{answer}");
    let wanted = site.wanted();
    assert!(
        wanted.contains(&"quay.io/jetstack/controller:v1".to_owned()),
        "{wanted:?}"
    );
    let json = site
        .place
        .landfall(&["wanted", "--root", "store", "--output", "json"])
        .ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let images = json["images"].as_array().unwrap();
    let find = |name: &str| images.iter().find(|image| image["reference"] == name).unwrap();
    let image = find("quay.io/jetstack/controller:v1");
    assert_eq!(
        (&image["count"], &image["clients"][0]),
        (&1.into(), &"127.0.0.1".into())
    );
    assert!(find("docker.io/rancher/missing:2")["count"].as_u64() >= Some(2));
    // Looking for signatures is no wish.
    let digest = "a".repeat(64);
    site.serving()
        .get(&format!("/v2/jetstack/controller/manifests/sha256-{digest}.sig"));
    assert_eq!(site.wanted(), wanted);
}

#[test]
fn it_survives_a_restart_and_a_kill_and_can_be_forgotten() {
    let mut site = Site::new();
    let before = site.wanted();
    assert_eq!(before.len(), 2);
    let args = ["here.tar", "--root", "store"];
    assert_eq!(site.serving.take().unwrap().stop(), Some(0));
    let forget = |place: &Place, more: &[&str]| {
        let mut args = vec!["wanted", "--root", "store"];
        args.extend(more);
        place.landfall(&args)
    };
    // By nobody's server first, then by one at work.
    assert_eq!(forget(&site.place, &[]).ok().matches("missing:2").count(), 1);
    site.serving = Some(Serving::start(&site.place, &args));
    assert_eq!(site.wanted(), before);
    let told = forget(&site.place, &["--forget", "docker.io/library/plain:3"]);
    assert_eq!(told.ok(), "1 image forgotten\n");
    assert_eq!(site.wanted(), ["rancher/missing:2"]);
    let unknown = forget(&site.place, &["--forget", "never/asked:1"]);
    assert_eq!(unknown.code(), Some(1), "{unknown}");
    // SIGKILL, as a drop does it: what was written by then is there.
    site.pull("other/missing:1");
    eventually("the list is written", || {
        String::from_utf8_lossy(&site.place.read("store/wanted.json")).contains("other/missing")
    });
    site.serving = None;
    assert_eq!(
        forget(&site.place, &[]).ok().matches("other/missing:1").count(),
        1
    );
    let told = forget(&site.place, &["--forget-all"]);
    assert_eq!(told.ok(), "2 images forgotten\n");
    assert_eq!(site.wanted(), Vec::<String>::new());
}
