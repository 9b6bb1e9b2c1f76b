//! kill -9, for real: a child process writes bundles and is killed at many moments, under plans that change.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use landfall_bundle::{Writer, WriterOptions};
use landfall_hash::{Hasher, Sink};

use crate::support::{World, later_world, scratch, world};

const FOLDER: &str = "LANDFALL_TEST_KILL_FOLDER";
const PLAN: &str = "LANDFALL_TEST_KILL_PLAN";
const KILLS: u64 = 60;

fn plan(number: u64) -> World {
    if number.is_multiple_of(2) {
        world()
    } else {
        later_world()
    }
}

/// Not a test of its own: the process that gets killed.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let number: u64 = std::env::var(PLAN).unwrap().parse().unwrap();
    let world = plan(number);
    let options = WriterOptions {
        progress_step: 1024,
        ..WriterOptions::default()
    };
    let (writer, _) = Writer::open_with(&folder.join("b.tar"), world.layout(), options).unwrap();
    for pending in writer.pending() {
        let (digest, bytes) = (pending.digest, &world.blobs[&pending.digest].0);
        let mut hasher = Hasher::new(digest.algorithm());
        let there = usize::try_from(pending.written).unwrap();
        hasher.update(&writer.prefix(&digest).unwrap().read_at(0, there).unwrap());
        let mut sink = writer.sink(&digest, pending.written).unwrap();
        if there < bytes.len() {
            note(&folder, number, "fetch", &digest.to_string());
        }
        for chunk in bytes[there..].chunks(500) {
            std::thread::sleep(Duration::from_micros(300));
            sink.write(chunk).unwrap();
            hasher.update(chunk);
        }
        assert_eq!(hasher.finish(), digest);
        writer.complete(&digest).unwrap();
        note(&folder, number, "done", &digest.to_string());
        if digest.as_bytes()[0].is_multiple_of(3) {
            writer.sync().unwrap();
        }
    }
    writer.finish().unwrap();
}

fn note(folder: &Path, number: u64, what: &str, digest: &str) {
    use std::io::Write as _;
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join("log"));
    // One write for the whole line: a kill between two would leave half of one.
    let line = format!("{} {what} {digest}\n", number % 2);
    log.unwrap().write_all(line.as_bytes()).unwrap();
}

fn spawn(folder: &Path, number: u64) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(PLAN, number.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Under one plan nothing that was completed is ever fetched again.
fn assert_nothing_fetched_twice(log: &str) {
    let mut done = std::collections::BTreeSet::new();
    let mut last = "";
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [number, what, digest] = words[..] else {
            panic!("{line}");
        };
        if number != last {
            last = number;
            done.clear();
        }
        match what {
            "done" => assert!(done.insert(digest), "completed twice: {digest}"),
            _ => assert!(!done.contains(digest), "fetched after it was complete: {digest}"),
        }
    }
}

fn campaign(changing: bool) -> u64 {
    let dir = scratch();
    let target = dir.path().join("b.tar");
    let number = |round: u64| if changing { round / 4 } else { 0 };
    let mut killed = 0;
    for round in 0..KILLS {
        let mut child = spawn(dir.path(), number(round));
        // From before the first byte to near the end.
        std::thread::sleep(Duration::from_micros(1500 + (round * 7919) % 17000));
        child.kill().unwrap();
        killed += u64::from(!child.wait().unwrap().success());
        if target.exists() {
            assert_eq!(std::fs::read(&target).unwrap(), plan(number(round)).expected());
            std::fs::remove_file(&target).unwrap();
            std::fs::remove_file(dir.path().join("log")).unwrap();
        }
    }
    assert!(spawn(dir.path(), 0).wait().unwrap().success());
    assert_eq!(std::fs::read(&target).unwrap(), plan(0).expected());
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    assert_nothing_fetched_twice(&log);
    killed
}

#[test]
fn killed_at_many_moments_it_ends_with_the_same_bytes() {
    assert!(campaign(false) > KILLS / 3);
}

#[test]
fn killed_while_the_plan_changes_it_ends_with_the_same_bytes() {
    assert!(campaign(true) > KILLS / 3);
}
