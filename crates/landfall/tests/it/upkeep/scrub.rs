//! `scrub`: bytes that went bad are found, named, healed, or moved aside.

use std::path::Path;

use serde_json::Value;

use super::{Site, json_lines};

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// The layer of an image.
fn layer(site: &Site, manifest: &str) -> String {
    let manifest = std::fs::read(site.blob(manifest)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["layers"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_right_is_called_right() {
    Site::both_ways(|site, is_served| {
        site.push("one", "team/app:1");
        site.push("two", "team/deep/app:1");
        site.is_served(is_served);
        let told = site.run(&["scrub"]).ok();
        assert!(
            told.starts_with("6 blobs (") && told.ends_with("in 2 repositories checked: all right\n"),
            "{told}"
        );
        let (found, summary) = json_lines(&site.run(&["scrub", "--output", "json"]).ok());
        assert!(found.is_empty());
        assert_eq!((&summary["clean"], &summary["blobs"]), (&true.into(), &6.into()));
    });
}

#[test]
fn a_flipped_byte_is_found_named_and_healed() {
    Site::both_ways(|site, is_served| {
        let digest = site.push("one", "team/app:1");
        site.place.push("one", &site.serving().name("team/app:also")).ok();
        site.push("two", "team/other:1");
        let layer = layer(site, &digest);
        site.is_served(is_served);
        flip_a_byte(&site.blob(&layer));

        let found = site.run(&["scrub"]);
        assert_eq!(found.code(), Some(4), "{found}");
        for words in [
            "WRONG ",
            &layer,
            "the bytes are not what their digest says",
            "touches ",
            "team/app:1",
            "team/app:also",
            "1 damaged, 0 healed, 0 moved aside",
        ] {
            assert!(found.stdout.contains(words), "{words}: {found}");
        }
        assert!(!found.stdout.contains("team/other"), "{found}");
        let lines = site.run(&["scrub", "--output", "json"]);
        assert_eq!(lines.code(), Some(4), "{lines}");
        let (found, summary) = json_lines(&lines.stdout);
        assert_eq!(found[0]["digest"], layer);
        assert_eq!(
            found[0]["tags"],
            serde_json::json!(["team/app:1", "team/app:also"])
        );
        assert_eq!(
            (&summary["clean"], &summary["damaged"]),
            (&false.into(), &1.into())
        );

        // A layout that does not have it is no help.
        let helpless = site.run(&["scrub", "--heal-from", "two"]);
        assert_eq!(helpless.code(), Some(4), "{helpless}");
        let healed = site
            .run(&["scrub", "--heal-from", "two", "--heal-from", "one"])
            .ok();
        assert!(
            healed.contains("HEALED") && healed.contains("1 damaged and healed"),
            "{healed}"
        );
        site.run(&["scrub"]).ok();
        site.serve();
        let name = site.serving().name("team/app:1");
        site.place.landfall(&["pull", &name, "-o", "pulled"]).ok();
    });
}

/// As a bundle that was saved heals it: the file that came over the gap is the best copy there is.
#[test]
fn a_bundle_heals_a_manifest_and_more_than_a_screen_of_layers() {
    let workload = landfall_testkit::Recipe {
        images: 30,
        ..landfall_testkit::Recipe::small(71)
    }
    .build(None);
    let mut site = Site::new(&[]);
    site.place.scratch.write("list.txt", workload.list());
    let upstream = landfall_testkit::FakeRegistry::with(&workload);
    site.place.save(&upstream.address(), "bundle.tar", &[]).ok();
    let load = ["load", "bundle.tar", "-r", &site.serving().address];
    site.place.landfall(&load).ok();
    let digests = workload.blobs.keys().chain(workload.manifests.keys());
    let all: Vec<_> = digests.map(|digest| site.blob(&digest.to_string())).collect();
    assert!(
        all.len() > 64,
        "more findings than are waiting at once: {}",
        all.len()
    );
    for is_served in [true, false] {
        site.is_served(is_served);
        all.iter().for_each(|path| flip_a_byte(path));
        let found = site.run(&["scrub"]);
        assert_eq!(found.code(), Some(4), "{found}");
        assert_eq!(found.stdout.matches("WRONG").count(), all.len(), "{found}");
        let healed = site.run(&["scrub", "--heal-from", "bundle.tar"]).ok();
        assert!(
            healed.contains(&format!("{} damaged and healed", all.len())),
            "{healed}"
        );
    }
    site.serve();
    site.place.save(&site.serving().address, "again.tar", &[]).ok();
    let (before, after) = (site.place.path("bundle.tar"), site.place.path("again.tar"));
    assert!(crate::place::same_bytes(&before, &after));
}

#[test]
fn wrong_bytes_are_moved_aside_until_the_right_ones_come() {
    Site::both_ways(|site, is_served| {
        let digest = site.push("one", "team/app:1");
        let layer = layer(site, &digest);
        site.is_served(is_served);
        flip_a_byte(&site.blob(&layer));
        let moved = site.run(&["scrub", "--quarantine"]);
        assert_eq!(moved.code(), Some(4), "{moved}");
        assert!(
            moved.stdout.contains("(moved aside)") && moved.stdout.contains("1 moved aside"),
            "{moved}"
        );
        assert!(!site.blob(&layer).exists());
        let trash = site.run(&["gc", "--trash"]).ok();
        assert!(trash.contains("quarantine: "), "{trash}");
        let still = site.run(&["scrub"]);
        assert_eq!(still.code(), Some(4), "{still}");

        site.serve();
        let url = format!("/v2/team/app/blobs/{layer}");
        assert_eq!(site.serving().get(&url).status, 404, "nobody is sent wrong bytes");
        site.run(&["scrub", "--heal-from", "one"]).ok();
        assert_eq!(site.serving().get(&url).status, 200);
        site.run(&["scrub"]).ok();
    });
}
