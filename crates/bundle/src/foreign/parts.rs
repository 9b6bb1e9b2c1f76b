//! Archives that were cut into several files: `haul.tar.zst.001`, `haul_0.tar.zst`, `zarf-package.tar.part001`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use landfall_codec::Compression;
use landfall_oci::tar;

use crate::BundleError;

/// The archive's files in their order, of which the first was named.
pub(super) fn open(path: &Path) -> Result<Vec<File>, BundleError> {
    let mut files = vec![open_one(path)?];
    let Some(series) = Series::of(path) else {
        return Ok(files);
    };
    for number in series.first + 1.. {
        let next = series.name(number);
        if !next.is_file() {
            break;
        }
        let file = open_one(&next)?;
        // An archive of its own that is merely numbered, too.
        if series.is_doubtful && begins(&file) {
            break;
        }
        files.push(file);
    }
    Ok(files)
}

fn open_one(path: &Path) -> Result<File, BundleError> {
    File::open(path).map_err(BundleError::io("open", path))
}

/// Whether an archive begins here.
pub(super) fn begins(file: &File) -> bool {
    let mut head = [0; tar::BLOCK as usize];
    let is_read = file.read_exact_at(&mut head, 0).is_ok();
    Compression::sniff(&head) != Compression::None || is_read && matches!(tar::decode(&head), Ok(Some(_)))
}

struct Series {
    folder: PathBuf,
    before: String,
    digits: usize,
    after: String,
    first: u64,
    /// Other archives have such names, too.
    is_doubtful: bool,
}

impl Series {
    fn of(path: &Path) -> Option<Self> {
        let folder = path.parent()?.to_owned();
        let name = path.file_name()?.to_str()?;
        let (before, after) = match name.rsplit_once('.') {
            Some((_, last)) if last.ends_with(|c: char| c.is_ascii_digit()) => (name, ""),
            _ => {
                let cut = name.find('.').unwrap_or(name.len());
                (&name[..cut], &name[cut..])
            }
        };
        let stem = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = &before[stem.len()..];
        let is_doubtful = !after.is_empty();
        let is_series = match is_doubtful {
            true => stem.ends_with('_'),
            false => digits.len() >= 3 && (stem.ends_with('.') || stem.ends_with(".part")),
        };
        let first: u64 = digits.parse().ok()?;
        (is_series && first <= 1).then(|| Self {
            folder,
            before: stem.to_owned(),
            digits: digits.len(),
            after: after.to_owned(),
            first,
            is_doubtful,
        })
    }

    fn name(&self, number: u64) -> PathBuf {
        let name = format!(
            "{}{number:0width$}{}",
            self.before,
            self.after,
            width = self.digits
        );
        self.folder.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_from_names_with_numbers() {
        let next = |name: &str| Series::of(Path::new(name)).map(|series| series.name(series.first + 1));
        assert_eq!(
            next("a/haul.tar.zst.001").unwrap(),
            Path::new("a/haul.tar.zst.002")
        );
        assert_eq!(next("p.tar.zst.part001").unwrap(), Path::new("p.tar.zst.part002"));
        assert_eq!(next("haul_0.tar.zst").unwrap(), Path::new("haul_1.tar.zst"));
        for none in [
            "haul.tar.zst",
            "haul_7.tar.zst",
            "v1.26",
            "a.tar.002",
            "images1.tar",
        ] {
            assert_eq!(next(none), None, "{none}");
        }
    }
}
