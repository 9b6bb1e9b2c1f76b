//! `gc`: what goes and why, what comes back, what stays and why.

use super::{Site, json_lines};

/// Whatever is not needed at this moment.
const NOW: [&str; 5] = ["gc", "--grace", "0", "--untagged-after", "0"];

fn and<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn what_no_tag_needs_goes_and_comes_back() {
    Site::both_ways(|site, is_served| {
        let (old, new) = (
            site.push("old", "team/app:prod"),
            site.push("new", "team/app:prod"),
        );
        site.is_served(is_served);

        let dry = site.run(&and(&NOW, &["--dry-run"])).ok();
        for words in [&old, "no tag points at it", "would go: 1 manifest, 2 blobs"] {
            assert!(dry.contains(words), "{words}: {dry}");
        }
        assert!(!dry.contains(&new) && !dry.contains("--undo"), "{dry}");
        assert!(site.blob(&old).exists(), "a dry run removes nothing");
        let again = site.run(&and(&NOW, &["--dry-run"])).ok();
        assert_eq!(dry, again);

        let told = site.run(&NOW).ok();
        assert!(told.contains("removed: 1 manifest, 2 blobs"), "{told}");
        assert!(!site.blob(&old).exists() && site.blob(&new).exists());
        let trash = site.run(&["gc", "--trash"]).ok();
        assert!(
            trash.contains("collection: 1 manifest") && trash.contains("1 run in the trash"),
            "{trash}"
        );

        // What it prints can be typed as it stands.
        let hint = told.lines().last().unwrap();
        let (_, typed) = hint.split_once(": landfall ").unwrap();
        let undone = site.place.landfall(&typed.split(' ').collect::<Vec<_>>()).ok();
        assert!(undone.contains("brought back"), "{undone}");
        assert!(site.blob(&old).exists());
        let twice = site.place.landfall(&typed.split(' ').collect::<Vec<_>>());
        assert_eq!(twice.code(), Some(3), "{twice}");

        site.serve();
        assert_eq!(site.manifest("team/app", &old), 200);
        assert_eq!(site.manifest("team/app", "prod"), 200);
        let run = site.run(&["scrub"]);
        assert_eq!(run.code(), Some(0), "{run}");
    });
}

#[test]
fn without_being_told_nothing_fresh_and_nothing_untagged_goes() {
    Site::both_ways(|site, is_served| {
        let old = site.push("old", "team/app:prod");
        site.push("new", "team/app:prod");
        site.is_served(is_served);
        for args in [
            vec!["gc"],
            vec!["gc", "--untagged-after", "0"],
            vec!["gc", "--grace", "0"],
            vec!["gc", "--grace", "0", "--untagged-after", "1h"],
        ] {
            let told = site.run(&args).ok();
            assert!(told.contains("removed: 0 manifests, 0 blobs"), "{args:?}: {told}");
        }
        assert!(site.blob(&old).exists());
        let told = site.run(&and(&NOW, &["--keep-trash", "0"])).ok();
        assert!(
            told.contains("removed: 1 manifest") && !told.contains("--undo"),
            "{told}"
        );
        let trash = site.run(&["gc", "--trash"]).ok();
        assert!(trash.contains("0 runs in the trash"), "{trash}");
    });
}

#[test]
fn lines_of_json_say_the_same() {
    Site::both_ways(|site, is_served| {
        let old = site.push("old", "team/app:prod");
        site.push("new", "team/app:prod");
        site.is_served(is_served);
        let (found, summary) = json_lines(&site.run(&and(&NOW, &["--output", "json"])).ok());
        let manifest = found.iter().find(|line| line["removed"] == "manifest").unwrap();
        assert_eq!(manifest["digest"], old);
        assert_eq!(manifest["repository"], "team/app");
        assert!(manifest["reason"].as_str().unwrap().contains("no tag"));
        let files = found.iter().filter(|line| line["removed"] == "file");
        let bytes: u64 = files.map(|line| line["bytes"].as_u64().unwrap()).sum();
        assert_eq!(summary["bytes"], bytes);
        assert_eq!((&summary["manifests"], &summary["blobs"]), (&1.into(), &3.into()));
        let run = summary["run"].as_str().unwrap();
        let (runs, _) = json_lines(&site.run(&["gc", "--trash", "--output", "json"]).ok());
        assert_eq!(runs[0]["run"], run);
        let (_, undone) = json_lines(&site.run(&["gc", "--undo", run, "--output", "json"]).ok());
        assert_eq!(undone["restored"], 6);
    });
}

#[test]
fn why_something_is_kept() {
    Site::both_ways(|site, is_served| {
        let digest = site.push("one", "team/app:prod");
        site.is_served(is_served);
        let layer = {
            let manifest = std::fs::read(site.blob(&digest)).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            manifest["layers"][0]["digest"].as_str().unwrap().to_owned()
        };
        let told = site.run(&["gc", "--why", &layer]).ok();
        let way = format!("team/app: tag prod -> manifest {digest} -> blob {layer}\n");
        assert_eq!(told, way + "needed in 1 place\n");
        let unknown = format!("sha256:{}", "0".repeat(64));
        let told = site.run(&["gc", "--why", &unknown]).ok();
        assert_eq!(told, "nothing needs it\n");
    });
}

#[test]
fn retention_ends_tags_by_the_rules_of_a_file() {
    Site::both_ways(|site, is_served| {
        for (text, tag) in [("one", "t1"), ("two", "t2"), ("three", "t3"), ("four", "keep")] {
            site.push(text, &format!("team/app:{tag}"));
        }
        site.is_served(is_served);
        site.place.scratch.write(
            "rules.toml",
            "root = \"store\"\n[[retention]]\nrepositories = \"team/*\"\ntags = \"t*\"\nkeep_last = 1\nprotect = \"t1\"\n",
        );
        let without = site.run(&["gc", "--retain"]);
        assert_eq!(without.code(), Some(2), "{without}");
        assert!(without.stderr.contains("[[retention]]"), "{without}");
        let retain = and(&NOW, &["--retain", "--config", "rules.toml"]);
        let dry = site.run(&and(&retain, &["--dry-run"])).ok();
        assert!(
            dry.contains("team/app:t2: ") && dry.contains("1 tag of 4 would go"),
            "{dry}"
        );
        let told = site.run(&retain).ok();
        assert!(
            told.contains("1 tag of 4 removed") && told.contains("removed: 1 manifest"),
            "{told}"
        );
        site.serve();
        let tags = site.serving().get("/v2/team/app/tags/list").json();
        assert_eq!(tags["tags"], serde_json::json!(["keep", "t1", "t3"]));
        site.place
            .scratch
            .write("bad.toml", "root = \"store\"\n[[retention]]\n");
        let bad = site.run(&["gc", "--retain", "--config", "bad.toml"]);
        assert_eq!(bad.code(), Some(2), "{bad}");
        assert!(bad.stderr.contains("bad.toml:2:1: "), "{bad}");
    });
}

#[test]
fn a_server_collects_on_its_own() {
    let site = Site::new(&["--gc-every", "1s", "--gc-grace", "0", "--gc-untagged-after", "0"]);
    let old = site.push("old", "team/app:prod");
    let new = site.push("new", "team/app:prod");
    crate::server::eventually("the old image goes", || !site.blob(&old).exists());
    assert_eq!(site.manifest("team/app", &new), 200);
    assert_eq!(site.manifest("team/app", &old), 404);
}
