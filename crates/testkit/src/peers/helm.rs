//! helm, the package manager of Kubernetes.

use std::path::PathBuf;

use super::Program;

/// The program.
pub const PROGRAM: Program = Program::new("helm", "go install helm.sh/helm/v3/cmd/helm@v3.16.4");

/// The folder that helm is in, to be put on a `PATH`.
#[track_caller]
pub fn folder() -> PathBuf {
    let path = PROGRAM.available().unwrap_or_else(|missing| panic!("{missing}"));
    path.parent().expect("a program stands in a folder").to_owned()
}
