//! A disk with no room left: on a real small file system, in a mount namespace of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_node::NodeError;
use landfall_node::apply::{Applier, ApplyOptions, OnConflict, Wanted, WantedFile};

use super::{beside, tree, wanted};

const FOLDER: &str = "LANDFALL_TEST_SMALL_DISK";

#[test]
fn on_a_small_disk() {
    let folder = tempfile::tempdir().unwrap();
    // Root makes a mount namespace as it is; anybody else becomes root of a namespace first.
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script =
        r#"mount -t tmpfs -o size=1m none "$1" && exec "$2" --exact apply::disk_full::child --nocapture"#;
    let output = command
        .args(["sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("was full"), "{text}");
}

/// Not a test of its own: runs on the small disk.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let mut met = 0;
    // From far too little room, page by page, to just enough.
    for pages in 0..40 {
        let home = folder.join(format!("home{pages}"));
        fs::create_dir_all(home.join("certs.d")).unwrap();
        let applier = Applier::new(home.join("certs.d"));
        applier.apply(&large("old", 3), &ApplyOptions::default()).unwrap();
        met += usize::from(!fits(&folder, &home, &applier, pages));
        fs::remove_dir_all(&home).unwrap();
    }
    assert!((5..40).contains(&met), "{met}");
    println!("the disk was full {met} times");
}

fn large(text: &str, folders: usize) -> Wanted {
    let mut whole = Wanted::default();
    for number in 0..folders {
        let name = format!("host{number}");
        let mut one = wanted(&[(&name, text)]);
        beside(&mut one, &name, "ca.crt", WantedFile::public(text.repeat(2000)));
        whole.directories.extend(one.directories);
    }
    whole
}

/// Whether the change went through with so many free pages; if not, that it left everything as it was.
fn fits(folder: &Path, home: &Path, applier: &Applier, pages: usize) -> bool {
    let before = tree(&home.join("certs.d"));
    let filler = folder.join("filler");
    fill(&filler, pages);
    let outcome = applier.apply(&large("new", 5), &ApplyOptions::default());
    let after = tree(&home.join("certs.d"));
    match outcome {
        Ok(_) => {
            assert_ne!(after, before);
            fs::remove_file(filler).unwrap();
            applier.undo(OnConflict::Refuse).unwrap();
            assert_eq!(tree(&home.join("certs.d")), before);
            true
        }
        Err(error) => {
            assert!(matches!(error, NodeError::NoRoom { .. }), "{error}");
            assert_eq!(after, before, "with {pages} pages: {error}");
            fs::remove_file(filler).unwrap();
            assert!(!home.join(".landfall-undo/certs.d/open").exists());
            false
        }
    }
}

fn fill(path: &Path, free_pages: usize) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let len = file.metadata().unwrap().len();
    file.set_len(len.saturating_sub(free_pages as u64 * 4096))
        .unwrap();
}
