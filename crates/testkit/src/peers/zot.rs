//! zot 1.4.3: over a folder, on a loopback port.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Program;
use crate::{Process, Scratch, free_port, process};

/// The program. `go install` refuses it for its `replace` lines: build `./cmd/zot` in a copy of the module.
pub const PROGRAM: Program = Program::new(
    "zot",
    "go mod download github.com/project-zot/zot@v1.4.3, copy the module out of the module cache and \
     go build -tags containers_image_openpgp ./cmd/zot there",
);
/// How often another port is tried when somebody else was quicker.
const ATTEMPTS: usize = 3;

/// A running zot.
#[derive(Debug)]
pub struct Zot {
    _process: Process,
    port: u16,
    root: PathBuf,
    _scratch: Scratch,
}

impl Zot {
    /// An empty one.
    #[track_caller]
    pub fn empty() -> Self {
        let scratch = Scratch::new();
        let root = scratch.folder("data");
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let config = json!({
                "distSpecVersion": "1.0.1-dev",
                "storage": {"rootDirectory": root},
                "http": {"address": "127.0.0.1", "port": port.to_string()},
                "log": {"level": "error"},
            });
            let config = scratch.write("config.json", config.to_string());
            let mut command = PROGRAM.command();
            command.arg("serve").arg(config);
            let mut process = Process::spawn("zot", &mut command, &scratch.join("log"));
            if process.wait_until(|| process::answers(port)) {
                return Self {
                    _process: process,
                    port,
                    root,
                    _scratch: scratch,
                };
            }
            eprintln!("zot did not start on port {port}:\n{}", process.log_tail());
        }
        panic!("zot did not start in {ATTEMPTS} attempts");
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder with its content.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
