//! `tags`: what a tag was, and pointing it there again. And tags that do not move.

use super::{Site, json_lines};
use crate::server::eventually;

#[test]
fn a_tag_goes_back_to_what_it_was() {
    Site::both_ways(|site, is_served| {
        let one = site.push("one", "team/app:prod");
        // Times of changes have milliseconds; so that one moment lies between these two.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let two = site.push("two", "team/app:prod");
        let three = site.push("three", "team/app:prod");
        site.is_served(is_served);
        let history = || {
            let told = site.run(&["tags", "history", "team/app:prod"]).ok();
            let digest = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
            told.lines().map(digest).collect::<Vec<_>>()
        };
        assert_eq!(history(), [&*three, &two, &one]);
        let undo = |more: &[&str]| {
            let mut args = vec!["tags", "undo", "team/app:prod"];
            args.extend(more);
            site.run(&args)
        };
        assert_eq!(undo(&[]).ok(), format!("team/app:prod now points at {two}\n"));
        assert_eq!(
            undo(&["--to", "1"]).ok(),
            format!("team/app:prod now points at {one}\n")
        );
        assert_eq!(history(), [&*one, &two, &three, &two, &one]);

        let args = ["tags", "history", "team/app:prod", "--output", "json"];
        let (changes, summary) = json_lines(&site.run(&args).ok());
        assert_eq!(summary["changes"], 5);
        assert_eq!(changes[0]["change"], 5);
        // A time such as a person types: the second in which the first push was.
        let first = changes.last().unwrap()["time"].as_str().unwrap();
        let second = |text: &str| text[17..19].parse::<u32>().unwrap();
        let then = match second(first) {
            // No carrying in a test: it is the same second or the next.
            59 => first.to_owned(),
            seconds => format!("{}{:02}Z", &first[..17], seconds + 1),
        };
        let at = site.run(&["tags", "history", "team/app:prod", "--at", &then]);
        if second(first) != 59 {
            assert!(at.stdout.contains(&one), "{at}");
            assert_eq!(
                undo(&["--to", &then]).ok(),
                format!("team/app:prod now points at {one}\n")
            );
        }
        let before = site.run(&["tags", "history", "team/app:prod", "--at", "2020-01-01"]);
        assert_eq!(before.code(), Some(1), "{before}");
        assert!(before.stderr.contains("was not there yet"), "{before}");
        for (to, code) in [("2020-01-01", 1), ("99", 1), ("soon", 2)] {
            let outcome = undo(&["--to", to]);
            assert_eq!(outcome.code(), Some(code), "{outcome}");
        }
        for (name, code) in [("team/app:none", 1), ("none/app:prod", 1), ("team/app", 2)] {
            let outcome = site.run(&["tags", "history", name]);
            assert_eq!(outcome.code(), Some(code), "{outcome}");
        }
        site.serve();
        let now = site.serving().get("/v2/team/app/manifests/prod");
        assert_eq!(now.header("docker-content-digest"), Some(&*one));
    });
}

#[test]
fn a_deleted_tag_comes_back() {
    Site::both_ways(|site, is_served| {
        let one = site.push("one", "team/app:prod");
        let deleted = site
            .serving()
            .request("DELETE", "/v2/team/app/manifests/prod", &[]);
        assert_eq!(deleted.status, 202, "{deleted}");
        site.is_served(is_served);
        let told = site.run(&["tags", "history", "team/app:prod"]).ok();
        assert!(told.lines().next().unwrap().ends_with("deleted"), "{told}");
        let told = site.run(&["tags", "undo", "team/app:prod"]).ok();
        assert_eq!(told, format!("team/app:prod now points at {one}\n"));
        site.serve();
        assert_eq!(site.manifest("team/app", "prod"), 200);
    });
}

#[test]
fn an_immutable_tag_stays_where_it_is() {
    let mut site = Site::new(&["--immutable", "team/*:v*"]);
    let one = site.push("one", "team/app:v1");
    // The same again is no change.
    site.place.push("one", &site.serving().name("team/app:v1")).ok();
    site.place.layout("two", "two");
    let moved = site.place.push("two", &site.serving().name("team/app:v1"));
    assert_eq!(moved.code(), Some(1), "{moved}");
    for words in ["409", "the tag `v1` of `team/app` is immutable"] {
        assert!(moved.stderr.contains(words), "{moved}");
    }
    let deleted = site.serving().request("DELETE", "/v2/team/app/manifests/v1", &[]);
    assert!(!(200..300).contains(&deleted.status), "{deleted}");
    let now = site.serving().get("/v2/team/app/manifests/v1");
    assert_eq!(now.header("docker-content-digest"), Some(&*one));
    // Other tags move.
    site.push("one", "team/app:prod");
    site.push("two", "team/app:prod");
    // Retention passes it by too.
    site.place.scratch.write(
        "rules.toml",
        "root = \"store\"\n[[retention]]\ntags = \"v*\"\nkeep_newer_than = \"0s\"\n",
    );
    let told = site.run(&["gc", "--retain", "--config", "rules.toml"]).ok();
    assert!(told.contains("0 tags of 2 removed"), "{told}");
    site.is_served(false);
    site.serve();
    eventually("it serves", || site.manifest("team/app", "v1") == 200);
}
