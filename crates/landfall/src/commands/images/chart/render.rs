//! Rendering with the user's helm.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use landfall_images::chart::Chart;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::source::Source;
use crate::args::ChartGiven;

/// What helm may print; the largest charts render to some megabytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const MAX_COMPLAINT: u64 = 64 * 1024;
/// A template that does not end must not hold up everything.
const PATIENCE: Duration = Duration::from_secs(300);

/// The first helm on the PATH.
pub(super) fn helm() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let is_program = |file: &PathBuf| {
        use std::os::unix::fs::PermissionsExt;
        file.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        .map(|folder| folder.join("helm"))
        .find(is_program)
}

/// What `helm template` prints: hooks and tests too, custom resource definitions not.
pub(super) async fn run(
    helm: &Path,
    source: &Source,
    chart: &Chart,
    args: &ChartGiven,
) -> Result<Vec<u8>, String> {
    let on_disk = source.on_disk().map_err(|error| error.to_string())?;
    let mut command = Command::new(helm);
    command
        .args(["template", release_name(&chart.name)])
        .arg(on_disk.path());
    for file in &args.values {
        command.arg("--values").arg(absolute(file));
    }
    for set in &args.set {
        command.arg("--set").arg(set);
    }
    if let Some(version) = &args.kube_version {
        command.arg("--kube-version").arg(version);
    }
    for api in &args.api_versions {
        command.arg("--api-versions").arg(api);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| format!("{} does not start: {error}", helm.display()))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (text, complaint) = tokio::join!(bounded(out, MAX_BYTES), bounded(err, MAX_COMPLAINT));
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("it prints more than {} MiB", MAX_BYTES >> 20));
        }
        let status = child.wait().await.map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(text),
            false => Err(told(&complaint)),
        }
    };
    let late = |_| Err(format!("it has not ended after {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(late)
}

/// Reads to the end, keeps one byte more than the limit.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(limit + 1).read_to_end(&mut bytes).await;
        // A full pipe would hold helm up; beyond the limit it gets nothing more but an end.
    }
    bytes
}

/// Helm's error in one line. Which Kubernetes it renders for depends on how helm was built.
fn told(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let error = lines.iter().find_map(|line| line.strip_prefix("Error: "));
    let error = error.map_or_else(|| lines.join("; "), ToOwned::to_owned);
    match error.contains("kubeVersion") {
        true => format!("{error}; --kube-version says for which Kubernetes to render"),
        false => error,
    }
}

/// The chart's name, where it may name a release.
fn release_name(chart: &str) -> &str {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !chart.is_empty()
        && chart.len() <= 53
        && chart.chars().all(good)
        && !chart.starts_with('-')
        && !chart.ends_with('-')
    {
        true => chart,
        false => "release-name",
    }
}

/// A path that no program takes for a flag.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
