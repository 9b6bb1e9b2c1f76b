//! Killed before any change of the disk: every file is old or new, and undo brings back what was.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall_node::apply::{Applier, ApplyOptions, OnConflict, Wanted, WantedFile};

use super::{K3S, Node, Tree, beside, tree, wanted, with};

const ROOT: &str = "LANDFALL_TEST_CRASH_ROOT";
const STEP: &str = "LANDFALL_TEST_CRASH_STEP";
const WHAT: &str = "LANDFALL_TEST_CRASH_WHAT";

fn first() -> Wanted {
    let mut wanted = wanted(&[("changed", "old\n"), ("removed", "old\n"), ("partly", "old\n")]);
    beside(&mut wanted, "changed", "ca.crt", WantedFile::public("old pem"));
    beside(&mut wanted, "changed", "gone.key", WantedFile::private("old key"));
    beside(&mut wanted, "removed", "ca.crt", WantedFile::public("old pem"));
    wanted
}

fn second() -> Wanted {
    let mut wanted = wanted(&[("changed", "new\n"), ("created", "new\n"), ("k3s", "new\n")]);
    beside(&mut wanted, "changed", "ca.crt", WantedFile::public("new pem"));
    beside(
        &mut wanted,
        "created",
        "client.key",
        WantedFile::private("new key"),
    );
    wanted
}

fn prepared() -> Node {
    let node = Node::new();
    node.applier().apply(&first(), &ApplyOptions::default()).unwrap();
    node.write("k3s/hosts.toml", K3S);
    node.write("partly/notes", "a file of somebody else");
    node
}

/// Runs `what` in a process that is killed before its `step`th change. `false`: it came to its end.
fn killed(root: &Path, what: &str, step: u64) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "apply::crash::child", "--nocapture"])
        .env(ROOT, root)
        .env(STEP, step.to_string())
        .env(WHAT, what)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    match std::os::unix::process::ExitStatusExt::signal(&output.status) {
        Some(9) => true,
        _ => {
            assert!(
                output.status.success(),
                "{text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(text.contains("came to its end"), "{text}");
            false
        }
    }
}

/// Not a test of its own: the process that is killed.
#[test]
fn child() {
    let Some(root) = std::env::var_os(ROOT).map(PathBuf::from) else {
        return;
    };
    let step: u64 = std::env::var(STEP).unwrap().parse().unwrap();
    let steps = AtomicU64::new(0);
    let applier = Applier::new(root).watched_by(move |_, _| {
        if steps.fetch_add(1, Ordering::SeqCst) == step {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    });
    match std::env::var(WHAT).unwrap().as_str() {
        "apply" => drop(applier.apply(&second(), &with(OnConflict::Replace)).unwrap()),
        _ => drop(applier.undo(OnConflict::Refuse).unwrap()),
    }
    println!("came to its end");
}

/// What containerd can see: not our names under way.
fn visible(tree: Tree) -> Tree {
    tree.into_iter()
        .filter(|(name, _)| !name.contains(".landfall-tmp-"))
        .collect()
}

#[track_caller]
fn assert_old_or_new(now: &Tree, old: &Tree, new: &Tree, step: u64) {
    for (name, found) in now {
        let known = old.get(name) == Some(found) || new.get(name) == Some(found);
        assert!(known, "step {step}: {name} is neither old nor new");
    }
    for (name, found) in old {
        let known = now.contains_key(name) || !new.contains_key(name);
        assert!(
            known && (new.get(name) != Some(found) || now.get(name) == Some(found)),
            "step {step}: {name} was lost"
        );
    }
    // An empty folder would hide `_default`.
    for name in now.keys().filter(|name| !name.contains('/')) {
        let is_empty = !now.keys().any(|other| other.starts_with(&format!("{name}/")));
        assert!(!is_empty, "step {step}: {name} is empty");
    }
}

fn states() -> (Tree, Tree) {
    let node = prepared();
    let old = node.tree();
    node.applier()
        .apply(&second(), &with(OnConflict::Replace))
        .unwrap();
    (old, node.tree())
}

#[test]
fn an_apply_killed_anywhere_can_be_undone() {
    let (old, new) = states();
    let mut step = 0;
    loop {
        let node = prepared();
        let was_killed = killed(&node.root(), "apply", step);
        assert_old_or_new(&visible(node.tree()), &old, &new, step);
        if !was_killed {
            assert_eq!(node.tree(), new);
            break;
        }
        let record = node.applier().plan_undo(OnConflict::Refuse).unwrap();
        if record.was_interrupted || visible(node.tree()) == new {
            node.applier().undo(OnConflict::Refuse).unwrap();
            assert_eq!(node.tree(), old, "step {step}");
        } else {
            // Nothing had been done yet: undo would go back to before the first apply.
            assert_eq!(visible(node.tree()), old, "step {step}");
        }
        step += 1;
    }
    assert!(step > 30, "only {step} steps");
}

#[test]
fn an_apply_killed_anywhere_can_be_gone_on_with() {
    let (old, new) = states();
    for step in 0.. {
        let node = prepared();
        if !killed(&node.root(), "apply", step) {
            break;
        }
        node.applier()
            .apply(&second(), &with(OnConflict::Replace))
            .unwrap();
        assert_eq!(node.tree(), new, "step {step}");
        node.applier().undo(OnConflict::Refuse).unwrap();
        assert_eq!(node.tree(), old, "step {step}: undo leads back to before both");
    }
}

#[test]
fn an_undo_killed_anywhere_can_be_done_again() {
    let (old, new) = states();
    for step in 0.. {
        let node = prepared();
        node.applier()
            .apply(&second(), &with(OnConflict::Replace))
            .unwrap();
        if !killed(&node.root(), "undo", step) {
            assert_eq!(node.tree(), old);
            assert!(step > 20, "only {step} steps");
            break;
        }
        assert_old_or_new(&visible(node.tree()), &new, &old, step);
        if visible(node.tree()) == old {
            // The record may be gone already; what is left under way is cleared by whoever comes next.
            let next = prepared_records(&node);
            assert!(next <= 2);
        } else {
            node.applier().undo(OnConflict::Refuse).unwrap();
            assert_eq!(node.tree(), old, "step {step}");
        }
    }
}

fn prepared_records(node: &Node) -> usize {
    let records = tree(&node.home.path().join(".landfall-undo/certs.d"));
    records
        .keys()
        .filter(|name| name.ends_with("record.json"))
        .count()
}
