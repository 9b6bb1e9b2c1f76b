//! Debian's skopeo: copies between registries, OCI layouts and archives.

use std::process::Command;

use super::Program;
use crate::process::Outcome;
use crate::{Scratch, run};

/// The program.
pub const PROGRAM: Program = Program::new("skopeo", "apt-get install skopeo");
/// Anything may be copied: signatures are not what is tested.
pub(super) const POLICY: &str = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;

/// Skopeo with a folder for its temporary files and credentials.
#[derive(Debug)]
pub struct Skopeo {
    scratch: Scratch,
}

impl Skopeo {
    /// Ready to use.
    #[track_caller]
    pub fn new() -> Self {
        PROGRAM.available().unwrap_or_else(|missing| panic!("{missing}"));
        let scratch = Scratch::new();
        scratch.write("auth.json", "{}");
        Self { scratch }
    }

    /// `skopeo`, with a policy that allows everything.
    #[track_caller]
    pub fn skopeo(&self) -> Command {
        let mut command = PROGRAM.command();
        command
            .args(["--insecure-policy", "--tmpdir"])
            .arg(self.scratch.path())
            .env("REGISTRY_AUTH_FILE", self.scratch.join("auth.json"));
        command
    }

    /// `skopeo copy --all`: every platform, as is, without a check of certificates. Names carry their transport
    /// (`docker://`, `oci:`, `oci-archive:`, `docker-archive:`).
    #[track_caller]
    pub fn copy(&self, from: &str, to: &str, options: &[&str]) -> Outcome {
        let verify = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        run(self
            .skopeo()
            .args(["copy", "--all", "--quiet"])
            .args(verify)
            .args(options)
            .args([from, to]))
    }

    /// `skopeo inspect --raw`: the manifest's bytes.
    #[track_caller]
    pub fn raw_manifest(&self, name: &str) -> Outcome {
        run(self
            .skopeo()
            .args(["inspect", "--raw", "--tls-verify=false", name]))
    }
}

impl Default for Skopeo {
    fn default() -> Self {
        Self::new()
    }
}
