//! A node of our own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use landfall_node::NodeError;
use landfall_node::apply::{Action, Applier, ApplyOptions, OnConflict, Owner, WantedFile, Warning};

use super::{Node, actions, beside, tree, wanted};

fn options() -> ApplyOptions {
    ApplyOptions::default()
}

#[test]
fn written_changed_removed_and_undone_step_by_step() {
    let node = Node::new();
    let applier = node.applier();
    let empty = node.tree();

    let mut first = wanted(&[
        ("_default", "server = \"https://m\"\n"),
        ("h:5000", "[host.\"https://h\"]\n"),
    ]);
    beside(&mut first, "h:5000", "ca.crt", WantedFile::public("pem"));
    beside(&mut first, "h:5000", "client.key", WantedFile::private("key"));
    let dry = applier.plan(&first, &options()).unwrap();
    assert_eq!(node.tree(), empty, "a dry run writes nothing");
    assert!(!node.home.path().join(".landfall-undo").exists());
    let done = applier.apply(&first, &options()).unwrap();
    assert_eq!(dry, done);
    assert!(done.files.iter().all(|file| file.action == Action::Create));
    assert!(
        node.read("_default/hosts.toml")
            .starts_with("# Written by landfall")
    );
    assert!(
        node.read("_default/hosts.toml")
            .ends_with("\nserver = \"https://m\"\n")
    );
    let modes: Vec<_> = node
        .tree()
        .into_iter()
        .map(|(name, (mode, _))| (name, mode))
        .collect();
    let expected = [
        ("_default", 0o755),
        ("_default/hosts.toml", 0o644),
        ("h:5000", 0o755),
        ("h:5000/ca.crt", 0o644),
        ("h:5000/client.key", 0o600),
        ("h:5000/hosts.toml", 0o644),
    ];
    assert_eq!(modes, expected.map(|(name, mode)| (name.to_owned(), mode)));
    let after_first = node.tree();

    let again = applier.apply(&first, &options()).unwrap();
    assert_eq!(again.changes().count(), 0);
    assert_eq!(node.tree(), after_first);

    let mut second = wanted(&[("h:5000", "[host.\"https://h\"]\n"), ("new", "")]);
    beside(&mut second, "h:5000", "ca.crt", WantedFile::public("another pem"));
    let done = applier.apply(&second, &options()).unwrap();
    let expected = [
        ("_default/hosts.toml", Action::Remove),
        ("h:5000/ca.crt", Action::Change),
        ("h:5000/hosts.toml", Action::Change),
        ("h:5000/client.key", Action::Remove),
        ("new/hosts.toml", Action::Create),
    ];
    assert_eq!(
        actions(&done),
        expected.map(|(name, action)| (name.to_owned(), action))
    );
    let key = done.files.iter().find(|file| file.name == "client.key").unwrap();
    assert!(key.is_private());
    let json = format!("{done:?}") + &serde_json(&done);
    assert!(!json.contains("pem"), "no bytes in {json}");
    assert_eq!(
        node.tree().into_keys().collect::<Vec<_>>(),
        [
            "h:5000",
            "h:5000/ca.crt",
            "h:5000/hosts.toml",
            "new",
            "new/hosts.toml"
        ]
    );

    let back = applier.plan_undo(OnConflict::Refuse).unwrap();
    assert_eq!(back.changes().count(), 5);
    assert_eq!(applier.undo(OnConflict::Refuse).unwrap(), back);
    assert_eq!(node.tree(), after_first);
    applier.undo(OnConflict::Refuse).unwrap();
    assert_eq!(node.tree(), empty);
    let error = applier.undo(OnConflict::Refuse).unwrap_err();
    assert!(matches!(error, NodeError::NothingToUndo { .. }), "{error}");
}

fn serde_json(plan: &landfall_node::apply::Plan) -> String {
    serde_json::to_string(plan).unwrap()
}

#[test]
fn a_root_that_is_missing_is_made_and_taken_away() {
    let home = tempfile::tempdir().unwrap();
    let applier = Applier::new(home.path().join("certs.d"));
    applier.plan(&wanted(&[("a", "")]), &options()).unwrap();
    assert_eq!(tree(home.path()).len(), 0);
    let nothing = applier.undo(OnConflict::Refuse).unwrap_err();
    assert!(matches!(nothing, NodeError::NothingToUndo { .. }));
    assert_eq!(tree(home.path()).len(), 0, "asking for undo makes nothing");
    applier.apply(&wanted(&[("a", "")]), &options()).unwrap();
    assert!(home.path().join("certs.d/a/hosts.toml").exists());
    applier.undo(OnConflict::Refuse).unwrap();
    assert!(!home.path().join("certs.d").exists());

    let error = Applier::new("/nonexistent/x/certs.d")
        .plan(&wanted(&[]), &options())
        .unwrap_err();
    assert!(matches!(error, NodeError::Root { .. }), "{error}");
}

#[test]
fn the_records_are_private_few_and_elsewhere() {
    let node = Node::new();
    for number in 0..14 {
        let text = format!("# {number}\n");
        node.applier()
            .apply(&wanted(&[("a", &text)]), &options())
            .unwrap();
    }
    let records = node.home.path().join(".landfall-undo");
    assert_eq!(
        fs::metadata(&records).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for (name, (mode, bytes)) in tree(&records) {
        let is_lock = name.ends_with("/lock");
        assert!(
            is_lock || mode == if bytes.is_some() { 0o600 } else { 0o700 },
            "{name} {mode:o}"
        );
    }
    assert_eq!(
        fs::read_dir(records.join("certs.d")).unwrap().count(),
        11,
        "ten and the lock"
    );
    let mut undone = 0;
    while node.applier().undo(OnConflict::Refuse).is_ok() {
        undone += 1;
        assert!(
            node.read("a/hosts.toml")
                .ends_with(&format!("# {}\n", 13 - undone))
        );
    }
    assert_eq!(undone, 10);

    let other = tempfile::tempdir().unwrap();
    let applier = Node::new();
    let kept = applier.applier().records_in(other.path());
    kept.apply(&wanted(&[("a", "")]), &options()).unwrap();
    assert!(other.path().join(".landfall-undo/certs.d/1/record.json").exists());
    assert!(!applier.home.path().join(".landfall-undo").exists());
}

#[test]
fn permissions_alone_are_a_change_and_come_back() {
    let node = Node::new();
    node.applier().apply(&wanted(&[("a", "x")]), &options()).unwrap();
    let path = node.root().join("a/hosts.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let before = node.tree();
    let done = node.applier().apply(&wanted(&[("a", "x")]), &options()).unwrap();
    assert_eq!(done.files[0].action, Action::Change);
    assert_eq!(done.files[0].modes, (Some(0o666), Some(0o644)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    node.applier().undo(OnConflict::Refuse).unwrap();
    assert_eq!(node.tree(), before);
}

#[test]
fn a_removed_folder_comes_back_with_its_owner_and_mode() {
    let node = Node::new();
    node.applier().apply(&wanted(&[("a", "x")]), &options()).unwrap();
    fs::set_permissions(node.root().join("a"), fs::Permissions::from_mode(0o710)).unwrap();
    let path = node.root().join("a/hosts.toml");
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    let before = node.tree();
    node.applier().apply(&wanted(&[]), &options()).unwrap();
    assert!(node.tree().is_empty());
    node.applier().undo(OnConflict::Refuse).unwrap();
    assert_eq!(node.tree(), before);
    let meta = fs::metadata(path).unwrap();
    assert_eq!((meta.uid(), meta.gid()) == (1234, 4321), is_root);
}

#[test]
fn the_umask_decides_nothing() {
    let node = Node::new();
    // Another process: the umask is the process's, and other tests run beside this one.
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            "umask 077 && exec \"$0\" --exact apply::plain::umask_child --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env("LANDFALL_TEST_UMASK", node.root())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(node.tree()["a"].0, 0o755);
    assert_eq!(node.tree()["a/hosts.toml"].0, 0o644);
}

/// Not a test of its own: runs with another umask.
#[test]
fn umask_child() {
    if let Some(root) = std::env::var_os("LANDFALL_TEST_UMASK") {
        Applier::new(root)
            .apply(&wanted(&[("a", "x")]), &options())
            .unwrap();
    }
}

#[test]
fn one_at_a_time() {
    let node = Node::new();
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let (leave, wait_leave) = std::sync::mpsc::channel::<()>();
    let once = std::sync::Mutex::new(Some((entered, wait_leave)));
    let slow = node.applier().watched_by(move |_, path| {
        if path.ends_with("a")
            && let Some((entered, leave)) = once.lock().unwrap().take()
        {
            entered.send(()).unwrap();
            leave.recv().unwrap();
        }
    });
    let first = std::thread::spawn(move || slow.apply(&wanted(&[("a", "x")]), &options()).map(drop));
    wait_entered.recv().unwrap();
    for second in [
        node.applier()
            .apply(&wanted(&[("b", "x")]), &options())
            .unwrap_err(),
        node.applier().undo(OnConflict::Refuse).unwrap_err(),
    ] {
        assert!(
            matches!(&second, NodeError::InUse { process: Some(id), .. } if *id == std::process::id().to_string()),
            "{second}"
        );
    }
    leave.send(()).unwrap();
    first.join().unwrap().unwrap();
    node.applier().apply(&wanted(&[("b", "x")]), &options()).unwrap();
}

#[test]
fn what_k3s_will_take_away_is_told() {
    let node = Node::new();
    let mut options = options();
    options.rewritten_by_k3s = ["_default", "other"].map(str::to_owned).into();
    let plan = node
        .applier()
        .apply(&wanted(&[("_default", "x"), ("a", "x")]), &options)
        .unwrap();
    let warning = Warning::Rewritten {
        directories: vec!["_default".to_owned()],
    };
    assert_eq!(plan.warnings, [warning]);
    node.write("k/hosts.toml", super::K3S);
    options.rewritten_by_k3s.clear();
    let plan = node.applier().plan(&wanted(&[("a", "x")]), &options).unwrap();
    assert_eq!(plan.warnings, [Warning::OtherGenerator { owner: Owner::K3s }]);
    assert!(plan.warnings[0].to_string().contains("at each start"));
}
