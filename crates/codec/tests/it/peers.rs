//! The programs that others compress with: they read ours, we read theirs.

use std::process::{Command, Stdio};

use landfall_testkit::{Scratch, peers::Program};

use crate::support::{compressed, noise, prose, unpacked};

const GZIP: Program = Program::new("gzip", "apt-get install gzip");
const PIGZ: Program = Program::new("pigz", "apt-get install pigz");
const ZSTD: Program = Program::new("zstd", "apt-get install zstd");
const LZ4: Program = Program::new("lz4", "apt-get install lz4");
const BZIP2: Program = Program::new("bzip2", "apt-get install bzip2");

#[track_caller]
fn output(command: &mut Command) -> Vec<u8> {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    done.stdout
}

fn inputs() -> [Vec<u8>; 3] {
    [
        Vec::new(),
        b"x".to_vec(),
        [prose(1, 1_500_000), noise(2, 100_000)].concat(),
    ]
}

#[test]
fn gzip_and_pigz_unpack_ours() {
    let scratch = Scratch::new();
    for input in inputs() {
        let file = scratch.write("ours.gz", compressed(&input, 2));
        assert!(output(GZIP.command().arg("-dc").arg(&file)) == input);
        assert!(output(PIGZ.command().arg("-dc").arg(&file)) == input);
        assert!(output(GZIP.command().arg("-t").arg(&file)).is_empty());
    }
}

#[test]
fn we_unpack_theirs() {
    let scratch = Scratch::new();
    let commands: [(Program, &[&str]); 11] = [
        (GZIP, &["-1c"]),
        (GZIP, &["-9cN"]),
        (PIGZ, &["-p2", "-b", "128", "-c"]),
        (ZSTD, &["-qc"]),
        (ZSTD, &["-qc", "-T2", "-16", "--long=25"]),
        (ZSTD, &["-qc", "--no-check", "--fast"]),
        (LZ4, &["-qc"]),
        (LZ4, &["-qc", "-9", "-BD", "-BX"]),
        (LZ4, &["-qc", "-B4", "--content-size"]),
        (BZIP2, &["-1c"]),
        (BZIP2, &["-9c"]),
    ];
    for input in inputs() {
        let file = scratch.write("content", &input);
        for (program, arguments) in commands {
            let theirs = output(program.command().args(arguments).arg(&file));
            assert!(
                unpacked(&theirs).unwrap() == input,
                "{} {arguments:?}, {} bytes",
                program.name,
                input.len()
            );
        }
    }
}
