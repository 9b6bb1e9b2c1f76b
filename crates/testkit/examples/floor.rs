//! The floor of the benchmark: what no program that checks its bytes can beat on this machine. Every file below
//! a folder is hashed once with the fastest single-stream SHA-256 at hand, on all cores, and written once to a file
//! on the same disk.
//!
//! ```text
//! floor FOLDER OUTPUT
//! ```
//! prints `{"wall": …, "cpu": …, "bytes": …, "fsync": …}`, in seconds and bytes. The content is read into memory
//! before the clock starts: receiving it is not part of the floor. `fsync` comes on top of `wall`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use landfall_testkit::digest::sha256;
use rustix::time::{ClockId, clock_gettime};

const PIECE: usize = 1024 * 1024;

fn main() {
    let mut words = std::env::args().skip(1);
    let usage = "usage: floor FOLDER OUTPUT";
    let (folder, output) = (words.next().expect(usage), words.next().expect(usage));
    let mut blobs: Vec<Vec<u8>> = Vec::new();
    read_all(folder.as_ref(), &mut blobs);
    blobs.sort_by_key(|blob| std::cmp::Reverse(blob.len()));
    let mut end = 0;
    let place = |blob| {
        let offset = end;
        end += <Vec<u8>>::len(blob) as u64;
        (blob, offset)
    };
    let work: Vec<(&Vec<u8>, u64)> = blobs.iter().map(place).collect();
    let file = File::create(output).expect("the output can be made");

    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((blob, offset)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::hint::black_box(sha256(blob));
                    for (n, piece) in blob.chunks(PIECE).enumerate() {
                        let at = offset + (n * PIECE) as u64;
                        file.write_all_at(piece, at).expect("the disk takes it");
                    }
                }
            });
        }
    });
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    let syncing = Instant::now();
    file.sync_all().expect("the disk takes it");
    let bytes: usize = blobs.iter().map(Vec::len).sum();
    let fsync = syncing.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::json!({"wall": wall, "cpu": cpu, "bytes": bytes, "fsync": fsync})
    );
}

fn read_all(folder: &Path, blobs: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, blobs);
        } else {
            blobs.push(fs::read(path).expect("a file can be read"));
        }
    }
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
