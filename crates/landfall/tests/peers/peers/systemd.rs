//! Under systemd, as far as it goes without one that runs: its tool that hands sockets over, and its reading of the
//! unit files.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use landfall_testkit::peers::Program;
use landfall_testkit::{Process, free_port, run};

use crate::place::{PROGRAM, Place};

const INSTALL: &str = "apt-get install systemd";
const ACTIVATE: Program = Program::new("systemd-socket-activate", INSTALL);
const ANALYZE: Program = Program::new("systemd-analyze", INSTALL);

/// The program, started by the first connection to a socket that was opened for it.
fn activated(place: &Place, address: &str, args: &[&str]) -> Process {
    let mut command = ACTIVATE.command();
    command
        .current_dir(place.scratch.path())
        .args(["-l", address, PROGRAM, "serve"])
        .args(args);
    Process::spawn("systemd-socket-activate", &mut command, &place.path("serve.log"))
}

#[test]
fn a_socket_that_systemd_opened_is_served() {
    let place = Place::new();
    place
        .scratch
        .write("serve.toml", "root = \"store\"\nlisten = \"127.0.0.1:1\"\n");
    let address = format!("{}:{}", Ipv4Addr::LOCALHOST, free_port());
    let mut process = activated(&place, &address, &["--config", "serve.toml"]);
    process.expect_ready(|| process_listens(&place, &address));
    landfall_testkit::Workload::hello("a/b:1", "hello").write_layout(&place.path("one"));
    // This is the first connection, and it is answered although nobody ran when it was made.
    let name = format!("{address}/team/app:1");
    place.landfall(&["push", "one", &name]).ok();
    place.landfall(&["pull", &name, "-o", "pulled.tar"]).ok();
    assert!(
        process.log_tail().contains(&format!("http://{address}")),
        "{}",
        process.log_tail()
    );
    assert_eq!(process.stop().and_then(|status| status.code()), Some(0));
}

fn process_listens(place: &Place, address: &str) -> bool {
    String::from_utf8_lossy(&place.read("serve.log")).contains(&format!("Listening on {address}"))
}

#[test]
fn the_unit_files_are_understood() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/systemd");
    let place = Place::new();
    for name in ["landfall.service", "landfall.socket"] {
        let text = std::fs::read_to_string(contrib.join(name)).unwrap();
        // Where the program is on this machine; its manual is not installed.
        let here = text
            .replace("/usr/local/bin/landfall", PROGRAM)
            .replace("Documentation=man:landfall-serve(1)\n", "");
        place.scratch.write(name, here);
    }
    let verified = run(ANALYZE
        .command()
        .arg("verify")
        .args([place.path("landfall.service"), place.path("landfall.socket")]));
    assert_eq!(
        (verified.code(), verified.stderr.as_str()),
        (Some(0), ""),
        "{verified}"
    );
    // What the settings file says is understood by the program.
    let settings = contrib.join("serve.toml");
    let told = run(Command::new(PROGRAM)
        .args(["serve", "--print-config", "--config"])
        .arg(settings))
    .ok();
    assert!(told.contains("tls-self-signed = "), "{told}");
}
