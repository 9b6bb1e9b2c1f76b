//! A tree made by somebody who wants us to write elsewhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use landfall_node::NodeError;
use landfall_node::apply::{Action, ApplyOptions, OnConflict, Owner, WantedFile, Warning};

use super::{Node, beside, tree, wanted, with};

#[test]
fn links_are_in_the_way_whatever_was_chosen() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("hosts.toml"), "theirs").unwrap();
    let node = Node::new();
    symlink(outside.path(), node.root().join("folder")).unwrap();
    fs::create_dir(node.root().join("file")).unwrap();
    symlink(
        outside.path().join("hosts.toml"),
        node.root().join("file/hosts.toml"),
    )
    .unwrap();
    fs::create_dir_all(node.root().join("inner/hosts.toml")).unwrap();
    node.write("flat", "a file where a folder should be");
    let before = (node.tree(), tree(outside.path()));
    for name in ["folder", "file", "inner", "flat"] {
        for choice in [OnConflict::Refuse, OnConflict::Replace] {
            let error = node
                .applier()
                .apply(&wanted(&[(name, "x")]), &with(choice))
                .unwrap_err();
            assert!(matches!(error, NodeError::Conflicts { .. }), "{name} {error}");
        }
        let plan = node
            .applier()
            .apply(&wanted(&[(name, "x")]), &with(OnConflict::Keep))
            .unwrap();
        assert_eq!(plan.files[0].action, Action::Obstacle, "{name}");
    }
    assert_eq!((node.tree(), tree(outside.path())), before);
}

#[test]
fn links_instead_of_ours_are_neither_followed_nor_removed_through() {
    let outside = tempfile::tempdir().unwrap();
    let node = Node::new();
    let mut ours = wanted(&[("a", "x"), ("b", "x")]);
    beside(&mut ours, "a", "ca.crt", WantedFile::public("pem"));
    node.applier().apply(&ours, &ApplyOptions::default()).unwrap();
    fs::write(outside.path().join("ca.crt"), "pem").unwrap();
    fs::remove_file(node.root().join("a/ca.crt")).unwrap();
    symlink(outside.path().join("ca.crt"), node.root().join("a/ca.crt")).unwrap();
    fs::rename(node.root().join("b"), outside.path().join("b")).unwrap();
    symlink(outside.path().join("b"), node.root().join("b")).unwrap();
    let before = tree(outside.path());
    let _ = node.applier().apply(&wanted(&[]), &with(OnConflict::Keep));
    let _ = node.applier().undo(OnConflict::Replace);
    let _ = node.applier().undo(OnConflict::Replace);
    assert_eq!(tree(outside.path()), before);
}

#[test]
fn the_record_folder_is_no_link_and_no_file() {
    let outside = tempfile::tempdir().unwrap();
    let node = Node::new();
    symlink(outside.path(), node.home.path().join(".landfall-undo")).unwrap();
    let error = node
        .applier()
        .apply(&wanted(&[("a", "x")]), &ApplyOptions::default())
        .unwrap_err();
    assert!(matches!(error, NodeError::Root { .. }), "{error}");
    assert!(tree(outside.path()).is_empty());
    assert!(node.tree().is_empty());
}

#[test]
fn a_root_that_is_a_link_is_the_operators_word() {
    let node = Node::new();
    let link = node.home.path().join("link");
    symlink(node.root(), &link).unwrap();
    let applier = landfall_node::apply::Applier::new(&link);
    let plan = applier
        .apply(&wanted(&[("a", "x")]), &ApplyOptions::default())
        .unwrap();
    assert_eq!(plan.root, node.root().canonicalize().unwrap());
    assert!(node.root().join("a/hosts.toml").exists());
    node.applier().undo(OnConflict::Refuse).unwrap();
    assert!(
        node.tree().is_empty(),
        "the same tree by another name has the same records"
    );

    let dangling = node.home.path().join("dangling");
    symlink("nowhere", &dangling).unwrap();
    assert!(
        landfall_node::apply::Applier::new(&dangling)
            .plan(&wanted(&[]), &ApplyOptions::default())
            .is_err()
    );
}

#[test]
fn folders_that_anybody_may_write_are_told() {
    let node = Node::new();
    node.write("a/hosts.toml", "x");
    fs::set_permissions(node.root().join("a"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(node.root(), fs::Permissions::from_mode(0o777)).unwrap();
    let plan = node
        .applier()
        .plan(&wanted(&[("b", "x")]), &ApplyOptions::default())
        .unwrap();
    let writable = |directory: &str| Warning::Writable {
        directory: directory.to_owned(),
    };
    assert_eq!(plan.warnings, [writable(""), writable("a")]);
}

#[test]
fn a_pipe_and_a_huge_file_neither_block_nor_fill_the_memory() {
    let node = Node::new();
    fs::create_dir(node.root().join("pipe")).unwrap();
    let path = node.root().join("pipe/hosts.toml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let plan = node
        .applier()
        .plan(&wanted(&[("pipe", "x")]), &ApplyOptions::default())
        .unwrap();
    assert_eq!(plan.files[0].action, Action::Obstacle);
    let plan = node
        .applier()
        .plan(&wanted(&[]), &ApplyOptions::default())
        .unwrap();
    assert_eq!(plan.kept[0].owner, Owner::User);

    node.write("huge/hosts.toml", "");
    let huge = fs::File::options()
        .write(true)
        .open(node.root().join("huge/hosts.toml"))
        .unwrap();
    huge.set_len(1 << 40).unwrap();
    let error = node
        .applier()
        .plan(&wanted(&[]), &ApplyOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("larger"), "{error}");
}

#[test]
fn a_damaged_record_is_told_and_not_used() {
    let node = Node::new();
    node.applier()
        .apply(&wanted(&[("a", "x")]), &ApplyOptions::default())
        .unwrap();
    node.applier()
        .apply(&wanted(&[("a", "y")]), &ApplyOptions::default())
        .unwrap();
    let record = node.home.path().join(".landfall-undo/certs.d/2");
    let after = node.tree();
    for entry in fs::read_dir(&record).unwrap().map(Result::unwrap) {
        let good = fs::read(entry.path()).unwrap();
        fs::write(entry.path(), &good[..good.len() / 2]).unwrap();
        let error = node.applier().undo(OnConflict::Replace).unwrap_err();
        assert!(matches!(error, NodeError::Record { .. }), "{error}");
        assert_eq!(node.tree(), after);
        fs::write(entry.path(), good).unwrap();
    }
    node.applier().undo(OnConflict::Refuse).unwrap();
    assert!(node.read("a/hosts.toml").ends_with("\nx"));
}
