//! A network and a mount table of the test's own: real names on real ports without a byte leaving the machine.
//!
//! In here nothing but loopback exists, every port is free, `/etc/hosts` says what the test says, and no name
//! server answers. A test calls [`Namespace::enter`] first: outside, it runs itself again inside and passes on how
//! that ended; inside, it gets the handle and goes on.
//!
//! ```no_run
//! use landfall_testkit::namespace::Namespace;
//!
//! // The full path of the test within its binary.
//! let Some(namespace) = Namespace::enter("peers::seed::works", &["10.201.170.187"]) else { return };
//! namespace.hosts(&[("public.kingsd.top", "127.0.1.1")]);
//! ```

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::{Program, text};
use crate::{Scratch, run};

/// Makes the namespaces.
const UNSHARE: Program = Program::new("unshare", "apt-get install util-linux");
/// Brings loopback up.
const IP: Program = Program::new("ip", "apt-get install iproute2");
/// Set inside: the folder that the outer process made.
const INSIDE: &str = "LANDFALL_NAMESPACE";
/// The file that says that the inner process came here.
const ENTERED: &str = "entered";
/// What runs first inside: the folder is `$1`, the addresses are `$2`, the rest is the command.
const SETUP: &str = r#"
set -e
folder=$1 addresses=$2 ip=$3
shift 3
$ip link set lo up
for address in $addresses; do $ip address add "$address/32" dev lo; done
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/resolv.conf" /etc/resolv.conf
mount -t tmpfs -o mode=755 tmpfs "$folder/fast"
exec "$@"
"#;

/// The inside of a namespace.
#[derive(Debug)]
pub struct Namespace {
    folder: PathBuf,
    fast: PathBuf,
}

impl Namespace {
    /// Runs the test of this path again in a namespace, where `addresses` are the machine's own besides 127.0.0.0/8.
    /// `None`: that has happened and went well, and nothing is left to do.
    #[track_caller]
    pub fn enter(test: &str, addresses: &[&str]) -> Option<Self> {
        if let Some(folder) = env::var_os(INSIDE) {
            let folder = PathBuf::from(folder);
            fs::write(folder.join(ENTERED), "").expect("the outer process made the folder");
            let fast = folder.join("fast");
            return Some(Self { folder, fast });
        }
        let scratch = Scratch::new();
        scratch.write("hosts", "127.0.0.1 localhost\n");
        scratch.write("resolv.conf", "# no name server\n");
        scratch.folder("fast");
        let ip = IP.available().unwrap_or_else(|missing| panic!("{missing}"));
        let binary = env::current_exe().expect("a test knows its own binary");
        let mut command = UNSHARE.command();
        command
            .args([
                "--net",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                SETUP,
                "sh",
            ])
            .arg(scratch.path())
            .args([&addresses.join(" "), &text(&ip)])
            .arg(binary)
            .args(["--exact", test, "--nocapture", "--include-ignored"])
            .env(INSIDE, scratch.path());
        run_again(&mut command, test);
        // A path that names no test runs none, and that goes well.
        assert!(scratch.join(ENTERED).exists(), "no test is called {test}");
        None
    }

    /// Names that have an address here: `/etc/hosts`. Programs that are started later see them.
    pub fn hosts(&self, names: &[(impl AsRef<str>, impl AsRef<str>)]) {
        let mut lines = "127.0.0.1 localhost\n".to_owned();
        for (name, address) in names {
            let _ = writeln!(lines, "{} {}", address.as_ref(), name.as_ref());
        }
        let path = self.folder.join("hosts");
        fs::write(&path, lines).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Puts an empty folder in the place of one of the machine's, for this test alone.
    #[track_caller]
    pub fn cover(&self, folder: &Path) {
        let mount = ["-t", "tmpfs", "-o", "mode=755", "tmpfs"];
        run(Command::new("mount").args(mount).arg(folder)).ok();
    }

    /// A folder in memory, for what should not wait for a disk.
    pub fn fast(&self) -> &Path {
        &self.fast
    }
}

/// Runs it with its output passed on.
#[track_caller]
fn run_again(command: &mut Command, test: &str) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("unshare: {error}"));
    assert!(
        status.success(),
        "{test}: failed in its namespace ({status}); it needs root"
    );
}
