//! What certs.d shall hold.

use std::collections::BTreeMap;
use std::fmt;

use super::mark;
use crate::NodeError;

/// The file that containerd reads in each folder.
pub(super) const HOSTS_TOML: &str = "hosts.toml";
/// What our files under way are called. The dot keeps containerd from taking one for a registry's folder.
pub(super) const TEMPORARY: &str = ".landfall-tmp-";

/// The whole tree that is wanted: a folder for each registry (`quay.io`, `registry.example:5000`, `_default`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By the folder's name.
    pub directories: BTreeMap<String, WantedDirectory>,
}

/// One registry's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedDirectory {
    /// `hosts.toml`, without our mark, which is added when it is written.
    pub hosts_toml: WantedFile,
    /// Files beside it, such as `ca.crt`.
    pub files: BTreeMap<String, WantedFile>,
}

/// One file.
#[derive(Clone, PartialEq, Eq)]
pub struct WantedFile {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Who may read it.
    pub mode: FileMode,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileMode {
    /// Everybody: 0644.
    #[default]
    Public,
    /// Its owner: 0600. For keys, and for a `hosts.toml` with secret headers.
    Private,
}

impl FileMode {
    pub(super) fn bits(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Private => 0o600,
        }
    }
}

impl WantedFile {
    /// A file that everybody may read.
    #[must_use]
    pub fn public(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            mode: FileMode::Public,
        }
    }

    /// A file that its owner alone may read.
    #[must_use]
    pub fn private(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            mode: FileMode::Private,
        }
    }
}

impl fmt::Debug for WantedFile {
    // A private file is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes ({:o})", self.content.len(), self.mode.bits())
    }
}

impl WantedDirectory {
    /// A folder with nothing but `hosts.toml`.
    #[must_use]
    pub fn of(hosts_toml: impl Into<Vec<u8>>) -> Self {
        Self {
            hosts_toml: WantedFile::public(hosts_toml),
            files: BTreeMap::new(),
        }
    }

    /// All files as they lie on the disk, `hosts.toml` with its mark.
    pub(super) fn on_disk(&self) -> BTreeMap<String, WantedFile> {
        let mut files = self.files.clone();
        let hosts_toml = WantedFile {
            content: mark::mark(&self.hosts_toml.content, &self.files),
            mode: self.hosts_toml.mode,
        };
        files.insert(HOSTS_TOML.to_owned(), hosts_toml);
        files
    }
}

impl Wanted {
    /// Refuses names that would lead elsewhere, or that containerd would never look at.
    pub(super) fn check(&self) -> Result<(), NodeError> {
        for (name, directory) in &self.directories {
            check_name(name)?;
            if name == "_backup" {
                return Err(bad_name(name, "another program keeps its backups under it"));
            }
            for file in directory.files.keys() {
                check_name(file)?;
                if file == HOSTS_TOML {
                    return Err(bad_name(file, "it is given apart from the other files"));
                }
                if file.contains(char::is_whitespace) {
                    return Err(bad_name(file, "it holds white space"));
                }
            }
        }
        Ok(())
    }
}

fn bad_name(name: &str, reason: &'static str) -> NodeError {
    NodeError::Name {
        name: name.to_owned(),
        reason,
    }
}

fn check_name(name: &str) -> Result<(), NodeError> {
    let reason = match name {
        "" => "it is empty",
        _ if name.contains('/') => {
            "it holds a slash: containerd never looks into a folder within a folder, and the outer one would hide \
             `_default`"
        }
        _ if name.starts_with('.') => "it begins with a dot",
        _ if name.chars().any(char::is_control) => "it holds a control character",
        // Room for the temporary name.
        _ if name.len() + TEMPORARY.len() > 255 => "it is too long",
        _ => return Ok(()),
    };
    Err(bad_name(name, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let wanted = |directory: &str, file: &str| Wanted {
            directories: BTreeMap::from([(
                directory.to_owned(),
                WantedDirectory {
                    hosts_toml: WantedFile::public(""),
                    files: BTreeMap::from([(file.to_owned(), WantedFile::public(""))]),
                },
            )]),
        };
        for good in ["_default", "quay.io", "h:5000", "[fd00::1]:5000", "h_5000_"] {
            assert!(wanted(good, "ca.crt").check().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/etc",
            ".x",
            "_backup",
            "a\0b",
            "a\nb",
            &"x".repeat(250),
        ] {
            assert!(wanted(bad, "ca.crt").check().is_err(), "{bad:?}");
        }
        for bad in ["hosts.toml", "../x", "", ".hidden", "a b"] {
            assert!(wanted("h", bad).check().is_err(), "{bad:?}");
        }
        assert!(!format!("{:?}", WantedFile::private("hunter2")).contains("hunter2"));
    }
}
