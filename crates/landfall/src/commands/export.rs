//! `export`: the folder that makes a K3s or RKE2 node independent of registries.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landfall_bundle::Bundle;
use landfall_diag::{Source, Sources};
use landfall_oci::{Platform, PlatformSet};
use landfall_registries::intent::{Intent, from_registries_yaml};
use landfall_registries::k3s::Program;
use landfall_registries::registries_yaml::{self, Target};
use landfall_registries::runtimes::Body;
use landfall_transfer::ConvertOptions;

use super::{Context, convert, registries};
use crate::args::{ArchiveFormat, Export, ExportCommand, ExportNode};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

const ZSTD_LEVEL: i32 = 3;

pub(crate) async fn run(args: Export, context: Context) -> Result<Exit, Failure> {
    match args.command {
        ExportCommand::K3s(args) => node(args, Program::K3s, context).await,
        ExportCommand::Rke2(args) => node(args, Program::Rke2, context).await,
    }
}

async fn node(args: ExportNode, program: Program, context: Context) -> Result<Exit, Failure> {
    let inputs = [args.bundle.clone()];
    let bundles = convert::open(&inputs, &args.spool, &args.write, context).await?;
    // What can be wrong with the small file is told before the large one is written.
    let registries = registries_file(&args, program, &bundles)?;
    let folder = args.out.join("agent/images");
    fs::create_dir_all(&folder).map_err(|error| Failure::local("create", &folder, &error))?;
    let plain = folder.join(archive_name(program, &args.platform));
    let options = ConvertOptions {
        output: plain.clone(),
        into_folder: false,
        platforms: PlatformSet::Some(vec![args.platform.clone()]),
        flatten: !args.keep_index,
        first_wins: false,
        allow_missing: args.write.allow_missing,
        overwrite: args.write.overwrite,
        jobs: usize::from(args.write.jobs),
        dry_run: args.write.dry_run,
    };
    let target = compressed_name(&plain, args.format);
    if target != plain && !args.write.overwrite && target.exists() {
        let advice = "exists already; --overwrite replaces it";
        return Err(Failure::usage(format!("{}: {advice}", target.display())));
    }
    let (exit, report) = convert::write("export", bundles, &options, &args.write, context).await?;
    if report.done.is_empty() {
        return Ok(exit);
    }
    let format = args.format;
    let (from, to) = (plain, target.clone());
    let packed = tokio::task::spawn_blocking(move || compress(&from, &to, format)).await;
    let packed = packed.map_err(|error| Failure::new(Exit::Local, error.to_string()))?;
    packed.map_err(|error| Failure::local("write", &target, &error))?;
    let mut files = vec![target];
    if let Some(text) = registries {
        let path = args.out.join("registries.yaml");
        write_private(&path, &text, args.write.overwrite)
            .map_err(|error| Failure::local("write", &path, &error))?;
        files.push(path);
    }
    tell(&files, program);
    Ok(exit)
}

fn tell(files: &[PathBuf], program: Program) {
    let program = program.as_str();
    let places = [
        format!("/var/lib/rancher/{program}/agent/images/"),
        format!("/etc/rancher/{program}/"),
    ];
    for (file, place) in files.iter().zip(places) {
        out::progress(&format!("{} belongs in {place} of each node", file.display()));
    }
}

/// Names that people know from the releases; any would do.
fn archive_name(program: Program, platform: &Platform) -> String {
    let Platform { os, architecture, .. } = platform;
    match (program, os.as_str()) {
        (Program::K3s, "linux") => format!("k3s-airgap-images-{architecture}.tar"),
        (program, os) => format!("{}-images.{os}-{architecture}.tar", program.as_str()),
    }
}

fn compressed_name(plain: &Path, format: ArchiveFormat) -> PathBuf {
    let mut name = plain.as_os_str().to_owned();
    name.push(match format {
        ArchiveFormat::Tar => "",
        ArchiveFormat::TarZst => ".zst",
        ArchiveFormat::TarGz => ".gz",
    });
    name.into()
}

/// Compresses the archive and removes the plain one. Under its name there is nothing or all of it: a node may be looking.
fn compress(plain: &Path, target: &Path, format: ArchiveFormat) -> io::Result<()> {
    if format == ArchiveFormat::Tar {
        return Ok(());
    }
    let folder = plain.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".landfall-")
        .suffix(".partial.txt")
        .tempfile_in(folder)?;
    let mut input = File::open(plain)?;
    match format {
        ArchiveFormat::Tar => {}
        ArchiveFormat::TarZst => zstd::stream::copy_encode(&mut input, temporary.as_file_mut(), ZSTD_LEVEL)?,
        ArchiveFormat::TarGz => {
            let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            landfall_codec::gzip::compress(&mut input, temporary.as_file_mut(), threads)?;
        }
    }
    temporary.as_file().sync_all()?;
    fs::set_permissions(temporary.path(), fs::metadata(plain)?.permissions())?;
    temporary.persist(target).map_err(|error| error.error)?;
    fs::remove_file(plain)
}

/// The text of registries.yaml, when one is asked for.
fn registries_file(
    args: &ExportNode,
    program: Program,
    bundles: &[Bundle],
) -> Result<Option<String>, Failure> {
    let (intent, losses) = match (&args.registries, &args.server) {
        (Some(file), _) => {
            let wanted = registries::wanted(std::slice::from_ref(file))?;
            (wanted.intent, wanted.losses)
        }
        (None, Some(server)) => (mirrored(server, bundles)?, Vec::new()),
        (None, None) => return Ok(None),
    };
    let mut target = Target::new(program);
    target.header = vec![concat!("Written by landfall ", env!("CARGO_PKG_VERSION")).to_owned()];
    let written = registries_yaml::write(&intent, &target);
    for loss in losses.iter().chain(&written.rendered.losses) {
        out::progress(&format!(
            "note: not carried over: {}: {}; {}",
            loss.what, loss.why, loss.advice
        ));
    }
    let text = written
        .rendered
        .files
        .into_iter()
        .find_map(|file| match file.body {
            Body::Text(text) => Some(text),
            Body::Link(_) => None,
        });
    Ok(text)
}

/// Every registry of the bundle's images, mirrored by one, where `landfall load` puts them and `landfall serve` has them.
fn mirrored(server: &str, bundles: &[Bundle]) -> Result<Intent, Failure> {
    let references = bundles
        .iter()
        .flat_map(Bundle::images)
        .filter_map(|image| image.reference.as_ref());
    let hosts: BTreeSet<_> = references.map(|reference| reference.registry().clone()).collect();
    let endpoint = match server.contains("://") {
        true => server.to_owned(),
        false => format!("https://{server}"),
    };
    let mut text = "mirrors:\n".to_owned();
    for host in hosts {
        let _ = write!(text, "  \"{host}\":\n    endpoint: [\"{endpoint}\"]\n");
        if !host.is_docker_hub() {
            let _ = write!(text, "    rewrite:\n      \"^(.*)$\": \"{host}/$1\"\n");
        }
    }
    let mut sources = Sources::default();
    let source = sources.add(Source::new("--server".to_owned(), text.clone()));
    let reading = registries_yaml::read(source, &text);
    let refused = |_| Failure::usage(format!("--server {server}: not the address of a registry"));
    let file = reading.registries.map_err(refused)?;
    Ok(from_registries_yaml(&file, false).0)
}

/// It may hold passwords.
fn write_private(path: &Path, text: &str, overwrite: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    match overwrite {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    options.open(path)?.write_all(text.as_bytes())
}
