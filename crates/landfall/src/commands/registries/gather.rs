//! The files of a configuration: found, read, and told apart.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use landfall_diag::{Source, SourceId, Sources};
use landfall_registries::runtimes::InFile;

use crate::args::Format;
use crate::failure::Failure;

/// No configuration is larger.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Nor has more files.
const MAX_FILES: usize = 20_000;
/// Nor lies deeper below the folder that was named.
const MAX_DEPTH: usize = 8;

/// A configuration's files, in the order of their names.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) sources: Sources,
    pub(super) format: Format,
    /// The folder that was named, or the folder of the file that was.
    pub(super) root: PathBuf,
    pub(super) files: Vec<Found>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) source: SourceId,
    /// Empty for certificates and keys: only their names count.
    pub(super) bytes: Vec<u8>,
    pub(super) text: String,
    pub(super) link: Option<String>,
}

impl Gathered {
    /// Reads files and folders (`-`: standard input) of one configuration.
    pub(super) fn read(paths: &[PathBuf], format: Option<Format>) -> Result<Self, Failure> {
        let mut sources = Sources::default();
        let mut files = Vec::new();
        for path in paths {
            for found in walk(path)? {
                let (bytes, link) = content(&found)?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let path = found.display().to_string();
                let source = sources.add(Source::new(path.clone(), text.clone()));
                files.push(Found {
                    path,
                    source,
                    bytes,
                    text,
                    link,
                });
            }
        }
        let Some(first) = paths.first() else {
            return Err(Failure::usage("name a configuration file"));
        };
        let format = match format {
            Some(format) => format,
            None => told_by(&files).ok_or_else(|| unknown(first))?,
        };
        let root = match first.is_dir() {
            true => first.clone(),
            false => first.parent().map(Path::to_owned).unwrap_or_default(),
        };
        Ok(Self {
            sources,
            format,
            root,
            files,
        })
    }

    /// As the readers of formats take them.
    pub(super) fn in_files(&self) -> Vec<InFile<'_>> {
        self.files.iter().map(Found::in_file).collect()
    }

    /// The one file of a format that has one.
    pub(super) fn only(&self) -> Result<&Found, Failure> {
        match self.files.as_slice() {
            [only] => Ok(only),
            _ => Err(Failure::usage(format!(
                "{}: give one file of this kind at a time",
                self.root.display()
            ))),
        }
    }
}

fn unknown(path: &Path) -> Failure {
    Failure::usage(format!(
        "{}: it cannot be told what kind of configuration this is; say it with --format",
        path.display()
    ))
}

impl Found {
    fn in_file(&self) -> InFile<'_> {
        InFile {
            path: &self.path,
            source: self.source,
            text: &self.text,
            link: self.link.as_deref(),
        }
    }
}

/// A file itself, or all files below a folder.
fn walk(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    below(path, 0, &mut found)?;
    if found.is_empty() {
        return Err(Failure::usage(format!("{}: no file in it", path.display())));
    }
    found.sort();
    Ok(found)
}

fn below(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error| Failure::local("read", path, &error);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        if found.len() == MAX_FILES {
            return Err(Failure::usage(format!(
                "{}: more than {MAX_FILES} files are no configuration",
                path.display()
            )));
        }
        found.push(path.to_owned());
        return Ok(());
    }
    if depth == MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        // A link that leads nowhere is a file that is not there.
        if entry.exists() {
            below(&entry, depth + 1, found)?;
        }
    }
    Ok(())
}

/// The bytes of a file, and where it leads when it is a link.
fn content(path: &Path) -> Result<(Vec<u8>, Option<String>), Failure> {
    let failed = |error| Failure::local("read", path, &error);
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        let mut input = std::io::stdin().lock().take(MAX_FILE_BYTES);
        input.read_to_end(&mut bytes).map_err(failed)?;
        return Ok((bytes, None));
    }
    let link = fs::read_link(path).ok().map(|to| to.display().to_string());
    let is_key = path
        .extension()
        .is_some_and(|ending| ["crt", "cert", "key", "pem"].iter().any(|known| ending == *known));
    if !is_key {
        let file = fs::File::open(path).map_err(failed)?;
        file.take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    if bytes.len() as u64 == MAX_FILE_BYTES {
        return Err(Failure::usage(format!(
            "{}: too large for a configuration",
            path.display()
        )));
    }
    Ok((bytes, link))
}

/// What kind of configuration the files are: by a name that is reserved for it, else by words that only it has.
fn told_by(files: &[Found]) -> Option<Format> {
    let has = |name: &str| {
        files
            .iter()
            .any(|file| Path::new(&file.path).file_name().is_some_and(|it| it == name))
    };
    const NAMES: [(&str, Format); 7] = [
        ("hosts.toml", Format::HostsToml),
        ("registries.conf", Format::RegistriesConf),
        ("daemon.json", Format::DaemonJson),
        ("registries.yaml", Format::RegistriesYaml),
        ("config.toml", Format::ContainerdConfig),
        ("cluster.yml", Format::ClusterYml),
        ("cluster.yaml", Format::ClusterYml),
    ];
    if let Some((_, format)) = NAMES.iter().find(|(name, _)| has(name)) {
        return Some(*format);
    }
    let [only] = files else { return None };
    const WORDS: [(&str, Format); 8] = [
        ("[[registry]]", Format::RegistriesConf),
        ("unqualified-search-registries", Format::RegistriesConf),
        ("[host", Format::HostsToml),
        ("[plugins", Format::ContainerdConfig),
        ("registry-mirrors", Format::DaemonJson),
        ("insecure-registries", Format::DaemonJson),
        ("private_registries", Format::ClusterYml),
        ("machine:", Format::Talos),
    ];
    let said = WORDS.iter().find(|(word, _)| only.text.contains(word));
    Some(said.map_or(Format::RegistriesYaml, |(_, format)| *format))
}
