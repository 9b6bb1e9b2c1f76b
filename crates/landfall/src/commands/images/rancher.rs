//! `images rancher`: Rancher's own list, who wants each of its images, and what it is known to lack.

use std::collections::{BTreeMap, HashMap};

use landfall_images::gathered::{Gathered, Why};
use landfall_images::lint::missing;
use landfall_images::release::{RANCHER, RancherFile, origins, place, sources};
use landfall_net::client::TransportOptions;
use landfall_oci::Reference;

use super::release::add;
use super::{blocking, tell};
use crate::args::Rancher;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{connect, fetch};

const MAX_BYTES: usize = 16 << 20;

pub(super) async fn run(args: Rancher) -> Result<Exit, Failure> {
    if args.files.is_empty() && args.versions.is_empty() {
        return Err(Failure::usage(
            "name the release with --version, or give its files",
        ));
    }
    let transport = connect::transport(&args.registry);
    let mut gathered = Gathered::default();
    if !args.files.is_empty() {
        let mut files = Vec::new();
        for file in &args.files {
            files.push(File {
                name: file.clone(),
                bytes: fetch::bytes(file, MAX_BYTES, &transport).await?,
            });
        }
        let source = match args.versions.as_slice() {
            [] => "rancher".to_owned(),
            [version] => format!("rancher {version}"),
            _ => return Err(Failure::usage("files are of one release: give one --version")),
        };
        gathered = read(&source, &files)?;
    } else {
        for version in &args.versions {
            let base = args.release_url.as_deref();
            gathered.merge(of_version(version, base, args.windows, &transport).await?);
        }
    }
    lacking(&mut gathered, args.add_missing);
    let list = args.list;
    blocking(move || tell(gathered, &list)).await
}

/// What a version of Rancher needs, as `compile` asks for it.
pub(super) async fn gather(
    version: &str,
    base: Option<&str>,
    transport: &TransportOptions,
) -> Result<Gathered, Failure> {
    of_version(version, base, false, transport).await
}

/// A file of a release.
struct File {
    name: String,
    bytes: Vec<u8>,
}

async fn of_version(
    version: &str,
    base: Option<&str>,
    windows: bool,
    transport: &TransportOptions,
) -> Result<Gathered, Failure> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if version.is_empty() || version.starts_with('.') || !version.chars().all(is_word) {
        return Err(Failure::usage(format!(
            "`{version}` is no version of Rancher: they are written like v2.9.0"
        )));
    }
    let version = match version.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("v{version}"),
        false => version.to_owned(),
    };
    let mut names = vec![
        "rancher-images.txt",
        "rancher-images-sources.txt",
        "rancher-images-origins.txt",
    ];
    if windows {
        names.extend(["rancher-windows-images.txt", "rancher-windows-images-sources.txt"]);
    }
    let mut files = Vec::new();
    let mut absent = Vec::new();
    for name in names {
        let place = place(base, RANCHER, &version, name);
        match fetch::bytes_if_there(&place, MAX_BYTES, transport).await? {
            Some(bytes) => files.push(File {
                name: name.to_owned(),
                bytes,
            }),
            None if name.ends_with("images.txt") => {
                let message = format!(
                    "{place} is not there: is {version} a release of Rancher? (--release-url names another place of its files)"
                );
                return Err(Failure::usage(message));
            }
            None => absent.push(name),
        }
    }
    let source = format!("rancher {version}");
    let mut gathered = read(&source, &files)?;
    if absent.contains(&"rancher-images-sources.txt") {
        gathered.remark(
            &source,
            None,
            "this release has no rancher-images-sources.txt: who wants each image is not known",
        );
    }
    Ok(gathered)
}

/// Puts a release's files together: lists say which images, the others why and from where.
fn read(source: &str, files: &[File]) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let mut others = Vec::new();
    for file in files {
        let text = String::from_utf8_lossy(&file.bytes);
        match RancherFile::of(&text) {
            RancherFile::List => {
                let is_windows = file
                    .name
                    .rsplit('/')
                    .next()
                    .is_some_and(|name| name.contains("windows"));
                let part = if is_windows { "windows" } else { "" };
                add(&mut gathered, &file.bytes, source, part, &file.name)?;
            }
            kind => others.push((kind, file, text)),
        }
    }
    let only_sources = gathered.is_empty();
    for (kind, file, text) in others {
        match kind {
            RancherFile::Origins => add_origins(&mut gathered, source, &file.name, &text),
            _ => add_sources(&mut gathered, source, &file.name, &text, only_sources)?,
        }
    }
    match gathered.is_empty() {
        true => Err(Failure::usage("no image in these files: give the list, too")),
        false => Ok(gathered),
    }
}

/// Each source as a reason of its own. Where there is no list, the file itself is one.
fn add_sources(
    gathered: &mut Gathered,
    source: &str,
    place: &str,
    text: &str,
    is_list: bool,
) -> Result<(), Failure> {
    let mut beside = 0;
    for (line, image, parts) in sources(text) {
        let at = format!("{place}:{line}");
        let reference = Reference::parse(image).map_err(|error| Failure::usage(format!("{at}: {error}")))?;
        if !is_list && gathered.get(&reference).is_none() {
            beside += 1;
            continue;
        }
        for part in parts {
            let why = Why {
                source: source.to_owned(),
                part: described(part),
                place: Some(at.clone()),
                guess: false,
            };
            gathered.add(image, reference.clone(), why);
        }
    }
    if beside > 0 {
        let message = format!("{beside} of its images are not in the list, and were left out");
        gathered.remark(source, Some(place.to_owned()), message);
    }
    Ok(())
}

/// A source word of Rancher's, for people: charts are `name:version`.
fn described(part: &str) -> String {
    match part.split_once(':') {
        Some((chart, version)) => format!("chart {chart} {version}"),
        None => part.to_owned(),
    }
}

/// Which code an image is built from, by its name without `rancher/` and tag.
fn add_origins(gathered: &mut Gathered, source: &str, place: &str, text: &str) {
    let known: HashMap<_, _> = origins(text)
        .map(|(line, name, url)| (name, (line, url)))
        .collect();
    let mut built = BTreeMap::new();
    for (text, wanted) in gathered.iter() {
        let path = wanted.reference.repository().as_str();
        let name = path.strip_prefix("rancher/").unwrap_or(path);
        if let Some((line, url)) = known.get(name) {
            let why = Why {
                source: source.to_owned(),
                part: format!("built from {url}"),
                place: Some(format!("{place}:{line}")),
                guess: false,
            };
            built.insert(text.to_owned(), (wanted.reference.clone(), why));
        }
    }
    for (text, (reference, why)) in built {
        gathered.add(&text, reference, why);
    }
}

/// Remarks upon what the list is known to lack; what is certain is added when wanted.
fn lacking(gathered: &mut Gathered, add_missing: bool) {
    let images = gathered.iter().map(|(text, wanted)| (text, &wanted.reference));
    for missing in missing(images) {
        let because = format!("wanted by {}: {}", missing.wanted_by, missing.because);
        match missing.name {
            Some(name) if add_missing && missing.certain => {
                let why = Why {
                    source: "known to be missing".to_owned(),
                    part: because,
                    place: None,
                    guess: false,
                };
                let _ = gathered.add_text(&name, why);
            }
            Some(name) => {
                let advice = if missing.certain {
                    " (--add-missing adds it)"
                } else {
                    ""
                };
                gathered.remark("missing", None, format!("{name} is {because}{advice}"));
            }
            None => gathered.remark(
                "missing",
                None,
                format!("{}: {}", missing.wanted_by, missing.because),
            ),
        }
    }
}
