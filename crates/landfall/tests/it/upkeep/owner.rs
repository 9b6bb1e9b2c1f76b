//! One owner for a directory; and directories that are none of ours.

use super::Site;
use crate::place::Place;

#[test]
fn a_second_server_is_refused_and_the_first_goes_on() {
    let site = Site::new(&[]);
    let second = site
        .place
        .landfall(&["serve", "--root", "store", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), Some(3), "{second}");
    assert!(
        second.stderr.contains("in use by another landfall (process "),
        "{second}"
    );
    assert_eq!(second.stdout, "");
    assert_eq!(site.serving().get("/v2/").status, 200);
    // The socket is still that of the first.
    site.run(&["gc"]).ok();
}

#[test]
fn after_a_kill_the_directory_is_free_again() {
    let mut site = Site::new(&[]);
    site.push("one", "team/app:1");
    // As a drop does it: SIGKILL. Its socket stays, and nobody answers on it.
    site.serving = None;
    assert!(site.place.exists("store/control.sock"));
    site.run(&["scrub"]).ok();
    site.serve();
    assert_eq!(site.manifest("team/app", "1"), 200);
    site.run(&["gc"]).ok();
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let place = Place::new();
    place.scratch.folder("empty");
    place.scratch.write("other/file", "x");
    for (root, words) in [
        ("missing", "there is no directory missing"),
        ("empty", "empty is not the directory of a registry"),
        ("other", "other is not the directory of a registry"),
        ("other/file", "there is no directory other/file"),
    ] {
        for command in [
            vec!["gc"],
            vec!["scrub"],
            vec!["wanted"],
            vec!["tags", "history", "a:b"],
            vec!["tags", "undo", "a:b"],
        ] {
            let mut args = command;
            args.extend(["--root", root]);
            let outcome = place.landfall(&args);
            assert_eq!(outcome.code(), Some(3), "{outcome}");
            assert!(outcome.stderr.contains(words), "{outcome}");
        }
    }
    assert!(!place.exists("missing"));
    assert_eq!(std::fs::read_dir(place.path("empty")).unwrap().count(), 0);
    let serve = place.landfall(&["serve", "--root", "other", "--listen", "127.0.0.1:0"]);
    assert_eq!(serve.code(), Some(3), "{serve}");
    assert!(serve.stderr.contains("is not a landfall store"), "{serve}");
}

#[test]
fn a_server_waits_for_a_command_that_is_at_work() {
    let mut site = Site::new(&[]);
    site.push("one", "team/app:1");
    site.serving = None;
    // At one byte a second a scrub is at work for as long as it is let.
    let mut scrub = site
        .place
        .command(&["scrub", "--root", "store", "--rate", "1B"])
        .spawn()
        .unwrap();
    let lock = site.place.path("store/lock");
    let holder = || std::fs::read_to_string(&lock).unwrap_or_default();
    while !holder().starts_with(&format!("{}\n", scrub.id())) {
        assert!(scrub.try_wait().unwrap().is_none(), "the scrub has ended");
        std::thread::yield_now();
    }
    let ender = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        scrub.kill().unwrap();
        scrub.wait().unwrap();
    });
    site.serve();
    ender.join().unwrap();
    assert_eq!(site.manifest("team/app", "1"), 200);
}
