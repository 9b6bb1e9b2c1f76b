//! `images rke`: the images of a version of Kubernetes, of a release of RKE, or of a cluster.yml.

use std::path::{Path, PathBuf};

use landfall_diag::{Diagnostic, Severity, Source};
use landfall_images::gathered::Gathered;
use landfall_images::manifests::{Manifests, Origin, Problem};
use landfall_images::rke::{
    About, Extent, Release, Resolved, RkeError, Table, gather_cluster, gather_current, gather_version,
};
use landfall_net::client::{Proxies, TransportOptions};

use super::{blocking, tell};
use crate::args::Rke;
use crate::cluster::ClusterFile;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{connect, fetch, out};

/// The real ones have about six million bytes.
const MAX_KDM: usize = 64 * 1024 * 1024;
const MAX_ADDON: usize = 32 * 1024 * 1024;

impl From<RkeError> for Failure {
    fn from(error: RkeError) -> Self {
        Self::usage(error.to_string())
    }
}

pub(super) async fn run(args: Rke) -> Result<Exit, Failure> {
    let transport = connect::transport(&args.registry);
    let given = match args.kdm.as_deref().filter(|place| !place.is_empty()) {
        Some(place) => Some(kdm(place, &transport).await?),
        None => None,
    };
    let table = given.as_ref().unwrap_or_else(|| Table::embedded());
    let extent = match args.needed {
        true => Extent::Needed,
        false => Extent::All,
    };
    let (gathered, is_whole) = match &args.registry.cluster {
        Some(path) => {
            let of = Asked {
                rke: args.rke.as_deref(),
                upstream: args.upstream,
                table,
                extent,
            };
            cluster(path.clone(), of, &transport).await?
        }
        None => (versions(&args, table, extent)?, true),
    };
    let told = blocking(move || tell(gathered, &args.list)).await?;
    Ok(match (told, is_whole) {
        (Exit::Complete, false) => Exit::Partial,
        (exit, _) => exit,
    })
}

async fn kdm(place: &str, transport: &TransportOptions) -> Result<Table, Failure> {
    let text = fetch::bytes(place, MAX_KDM, transport).await?;
    Table::from_kdm(&text, Table::embedded()).map_err(|error| Failure::usage(format!("{place}: {error}")))
}

/// How a cluster is looked at.
#[derive(Clone, Copy)]
struct Asked<'a> {
    rke: Option<&'a str>,
    upstream: bool,
    table: &'a Table,
    extent: Extent,
}

fn versions(args: &Rke, table: &Table, extent: Extent) -> Result<Gathered, Failure> {
    let release = |version| release(args.rke.as_deref(), table, version);
    if args.all {
        return Ok(gather_current(&release(None)?, extent)?);
    }
    let mut gathered = Gathered::default();
    for version in &args.version {
        gathered.merge(of_version(&release(Some(version))?, version, extent)?);
    }
    if args.version.is_empty() {
        let release = release(None)?;
        gathered = gather_version(&release, release.default, extent)?;
    }
    Ok(gathered)
}

fn of_version(release: &Release<'_>, version: &str, extent: Extent) -> Result<Gathered, Failure> {
    Ok(gather_version(release, version, extent)?)
}

fn release<'t>(named: Option<&str>, table: &'t Table, version: Option<&str>) -> Result<Release<'t>, Failure> {
    Ok(match named {
        Some(name) => table.release(name)?,
        None => table.release_for(version)?,
    })
}

/// The images of a cluster, and whether all of them could be told.
async fn cluster(
    path: PathBuf,
    asked: Asked<'_>,
    transport: &TransportOptions,
) -> Result<(Gathered, bool), Failure> {
    let read = path.clone();
    let read = tokio::task::spawn_blocking(move || ClusterFile::read(&read)).await;
    let mut file = read.map_err(|error| Failure::new(Exit::Local, error.to_string()))??;
    let version = file.cluster.version().map(|version| version.value.clone());
    let release = release(asked.rke, asked.table, version.as_deref())?;
    let resolved = Resolved::new(&file.cluster, &release);
    let is_accepted = judge(&mut file, &resolved)?;
    file.diagnostics.extend(file.cluster.lint(&resolved));
    file.tell();
    let resolved = match asked.upstream {
        true => resolved.upstream(&file.cluster),
        false => resolved,
    };
    let Some(source) = file.source() else {
        return Err(Failure::usage(format!("{} is empty", path.display())));
    };
    let (mut gathered, mut problems) = gather_cluster(&file.cluster, &resolved, asked.extent, source);
    let included: Vec<String> = file
        .cluster
        .addons_include()
        .iter()
        .map(|place| place.value.clone())
        .collect();
    for place in included {
        let (found, more) = addon(&place, &path, transport).await;
        gathered.merge(found);
        problems.extend(more);
    }
    for problem in &problems {
        out::progress(&format!("{}: error: {}", problem.place, problem.message));
    }
    Ok((gathered, problems.is_empty() && is_accepted))
}

/// What RKE refuses the file for: an error where it makes the images unknown, else a warning, and the list lacks what
/// cannot be known.
fn judge(file: &mut ClusterFile, resolved: &Resolved<'_>) -> Result<bool, Failure> {
    let Some(refusal) = resolved.refusal(&file.cluster) else {
        return Ok(true);
    };
    let release = &resolved.release;
    let told = format!("rke {} refuses this cluster: {}", release.name, refusal.message);
    let mut diagnostic = match refusal.span {
        Some(span) => Diagnostic::at("R14", Severity::Error, span, told),
        None => Diagnostic::whole("R14", Severity::Error, told),
    };
    match refusal.about {
        About::Images => {
            let help = match resolved.found {
                None => release.advice(&resolved.version),
                Some(_) => String::new(),
            };
            diagnostic = diagnostic.help(help);
            file.diagnostics.push(diagnostic);
            file.tell();
            Err(Failure::usage(format!(
                "which images {} needs cannot be said",
                file.source().map_or("the cluster", Source::name)
            )))
        }
        About::Choice => {
            file.diagnostics
                .push(diagnostic.consequence("its images are not on the list"));
            Ok(false)
        }
        About::Other => {
            diagnostic.severity = Severity::Warning;
            file.diagnostics.push(diagnostic);
            Ok(true)
        }
    }
}

/// One of `addons_include`: a URL, or a file where RKE is run or beside the cluster's file.
async fn addon(place: &str, cluster: &Path, transport: &TransportOptions) -> (Gathered, Vec<Problem>) {
    let beside = cluster.with_file_name(place);
    let path = match fetch::is_url(place) || Path::new(place).exists() {
        true => place.to_owned(),
        false => beside.display().to_string(),
    };
    match fetch::bytes(&path, MAX_ADDON, transport).await {
        Ok(bytes) => {
            let mut manifests = Manifests::new("rke addons_include");
            manifests.read(place, &bytes, Origin::File);
            manifests.finish()
        }
        Err(error) => {
            let problem = Problem {
                place: place.to_owned(),
                message: format!("{error}; its images are not on the list"),
            };
            (Gathered::default(), vec![problem])
        }
    }
}

/// What `images compile` takes as `rke:VERSION`.
pub(super) fn spec(version: &str) -> Result<Gathered, Failure> {
    let release = Table::embedded().release_for(Some(version))?;
    of_version(&release, version, Extent::All)
}

/// What `images compile` takes as `cluster:FILE`: what the cluster needs.
pub(super) async fn cluster_spec(path: &str) -> Result<Gathered, Failure> {
    let asked = Asked {
        rke: None,
        upstream: false,
        table: Table::embedded(),
        extent: Extent::Needed,
    };
    let transport = TransportOptions {
        proxies: Proxies::from_lookup(|name| std::env::var(name).ok()),
        ..TransportOptions::default()
    };
    let (gathered, _) = cluster(path.into(), asked, &transport).await?;
    Ok(gathered)
}
