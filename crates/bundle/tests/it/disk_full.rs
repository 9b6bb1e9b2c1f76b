//! A disk that is full, becomes full, or may not be written: on a real small file system, in a mount namespace of the
//! test's own, so that nothing stays mounted whatever happens.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_bundle::{Bundle, BundleError, Writer, space};
use landfall_hash::Sink;

use crate::support::{World, listing, noise, options, scratch};

const FOLDER: &str = "LANDFALL_TEST_SMALL_DISK";
const MIB: usize = 1 << 20;

fn world(layers: &[usize]) -> World {
    let mut world = World::default();
    let layers: Vec<_> = layers
        .iter()
        .enumerate()
        .map(|(seed, len)| noise(seed as u64, *len))
        .collect();
    let image = world.image("linux/amd64", &layers);
    world.name("example.org/big:1", &image);
    world
}

#[test]
fn on_a_small_disk() {
    let dir = scratch();
    // Root makes a mount namespace as it is; anybody else becomes root of a namespace first.
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if rustix::process::geteuid().as_raw() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    let script = r#"mount -t tmpfs -o size=4m none "$1" && exec "$2" --exact disk_full::child --nocapture"#;
    let status = command
        .args(["sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(listing(dir.path()).is_empty(), "the small disk was never there");
}

/// Not a test of its own: runs on the small disk.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    too_large_from_the_start(&folder);
    full_in_the_middle(&folder);
    no_room_for_two_plans(&folder);
    full_for_the_journal(&folder);
    read_only(&folder);
    std::fs::write(folder.join("here"), b"").unwrap_err();
}

fn too_large_from_the_start(folder: &Path) {
    let world = world(&[3 * MIB, 3 * MIB]);
    let target = folder.join("a.tar");
    match Writer::open(&target, world.layout()) {
        Err(BundleError::NoSpace { path, needed, free }) => {
            assert_eq!(path, folder.join("a.tar.partial"));
            assert_eq!(needed, world.layout().total());
            assert!(free > 3 * MIB as u64 && free <= 4 * MIB as u64);
        }
        other => panic!("{:?}", other.err()),
    }
    let space = space(&target, &world.layout()).unwrap();
    assert!(space.needed > space.free);
    assert!(listing(folder).is_empty());
}

fn full_in_the_middle(folder: &Path) {
    let world = world(&[MIB, MIB, MIB]);
    let target = folder.join("b.tar");
    let mut sparse = options("one");
    sparse.reserve = false;
    let (writer, _) = Writer::open_with(&target, world.layout(), sparse).unwrap();
    let pending: Vec<_> = writer
        .pending()
        .into_iter()
        .filter(|blob| blob.size > 1000)
        .collect();
    world.fetch(&writer, &pending[0].digest);
    let other = folder.join("somebody-elses");
    std::fs::write(&other, noise(7, 2 * MIB)).unwrap();

    let bytes = &world.blobs[&pending[1].digest].0;
    let mut sink = writer.sink(&pending[1].digest, 0).unwrap();
    let error = bytes
        .chunks(4096)
        .find_map(|chunk| sink.write(chunk).err())
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let message = error.to_string();
    assert!(
        message.contains("b.tar.partial") && message.contains("needed") && message.contains("free"),
        "{message}"
    );
    assert!(error.get_ref().unwrap().downcast_ref::<BundleError>().is_some() && error.source().is_none());
    drop((sink, writer));

    std::fs::remove_file(&other).unwrap();
    let (writer, resume) = Writer::open_with(&target, world.layout(), options("one")).unwrap();
    assert_eq!(resume.done_blobs, 1);
    assert!(resume.prefix_bytes > 0);
    assert!(world.fill(&writer) < 2 * MIB as u64);
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), world.expected());
    std::fs::remove_file(&target).unwrap();
    assert!(listing(folder).is_empty());
}

/// A changed plan needs room for both files; without it the old one stays as it is and can be continued.
fn no_room_for_two_plans(folder: &Path) {
    let (first, second) = (world(&[MIB; 3]), world(&[MIB, MIB, MIB + 1]));
    let target = folder.join("e.tar");
    let (writer, _) = Writer::open_with(&target, first.layout(), options("one")).unwrap();
    first.fill(&writer);
    drop(writer);
    let error = Writer::open_with(&target, second.layout(), options("one"))
        .err()
        .unwrap();
    assert!(matches!(error, BundleError::NoSpace { .. }), "{error}");
    assert_eq!(listing(folder), ["e.tar.journal", "e.tar.partial"]);
    let (writer, _) = Writer::open_with(&target, first.layout(), options("one")).unwrap();
    assert!(writer.pending().is_empty());
    writer.discard().unwrap();
    // With little in the old file there is room: what was only reserved is given back.
    let (writer, _) = Writer::open_with(&target, first.layout(), options("one")).unwrap();
    let config = writer.pending().into_iter().min_by_key(|blob| blob.size).unwrap();
    first.fetch(&writer, &config.digest);
    drop(writer);
    let (writer, _) = Writer::open_with(&target, second.layout(), options("one")).unwrap();
    writer.discard().unwrap();
}

/// The bundle's blocks are reserved, the journal's are not.
fn full_for_the_journal(folder: &Path) {
    let world = world(&[MIB; 3]);
    let target = folder.join("c.tar");
    let (writer, _) = Writer::open_with(&target, world.layout(), options("one")).unwrap();
    let other = folder.join("somebody-elses");
    let _ = std::fs::write(&other, noise(7, 4 * MIB));
    let biggest = writer
        .pending()
        .into_iter()
        .max_by_key(|blob| blob.size)
        .unwrap()
        .digest;
    let mut sink = writer.sink(&biggest, 0).unwrap();
    let refused = world.blobs[&biggest]
        .0
        .chunks(1024)
        .find_map(|chunk| sink.write(chunk).err());
    if let Some(error) = refused {
        assert!(error.to_string().contains("c.tar.journal"), "{error}");
    }
    drop((sink, writer));
    std::fs::remove_file(&other).unwrap();
    let (writer, _) = Writer::open_with(&target, world.layout(), options("one")).unwrap();
    world.fill(&writer);
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), world.expected());
}

fn read_only(folder: &Path) {
    let status = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(folder)
        .status()
        .unwrap();
    assert!(status.success());
    let error = Writer::open(&folder.join("d.tar"), world(&[100]).layout())
        .err()
        .unwrap();
    match &error {
        BundleError::Io { action, path, source } => {
            assert_eq!(
                (*action, source.kind()),
                ("create", io::ErrorKind::ReadOnlyFilesystem)
            );
            assert_eq!(*path, folder.join("d.tar.partial"));
        }
        other => panic!("{other}"),
    }
    assert!(Bundle::open(&folder.join("c.tar")).is_ok());
}
