//! Windows versions: the words that tags use, and the build numbers that images state.

use std::fmt;
use std::str::FromStr;

use landfall_oci::{Platform, Tag};

/// Builds of Windows Server with the words for each, the most usual first (Microsoft, "Windows Server release
/// information"; the script for Windows takes the registry's ReleaseId, which stayed `2009` from 20H2 on).
const BUILDS: [(&str, &[&str]); 11] = [
    ("10.0.14393", &["ltsc2016", "2016", "1607"]),
    ("10.0.16299", &["1709"]),
    ("10.0.17134", &["1803"]),
    ("10.0.17763", &["1809", "ltsc2019", "2019"]),
    ("10.0.18362", &["1903"]),
    ("10.0.18363", &["1909"]),
    ("10.0.19041", &["2004"]),
    ("10.0.19042", &["20H2", "2009"]),
    ("10.0.20348", &["ltsc2022", "2022", "21H2"]),
    ("10.0.25398", &["23H2"]),
    ("10.0.26100", &["ltsc2025", "2025", "24H2"]),
];

/// A version as it was asked for: `1809`, `ltsc2022`, `10.0.17763`, or a word of which only the tags are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    word: String,
    build: Option<String>,
}

/// A word that cannot be part of a tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Windows version: `{text}` (write them as the tags have them, as in 1809,ltsc2022, or as builds: 10.0.17763)"
)]
pub struct VersionError {
    /// The text as given.
    pub text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let word = text.trim();
        let error = || VersionError {
            text: text.to_owned(),
        };
        // Whatever may stand in a tag: other publishers have words of their own.
        if word.is_empty() || word.len() > 64 || format!("1-windows-{word}").parse::<Tag>().is_err() {
            return Err(error());
        }
        let is_build = |text: &str| {
            let parts: Vec<_> = text.split('.').collect();
            (3..=4).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u32>().is_ok())
        };
        let known = BUILDS
            .iter()
            .find(|(_, words)| words.iter().any(|known| known.eq_ignore_ascii_case(word)));
        Ok(Self {
            build: match known {
                Some((build, _)) => Some((*build).to_owned()),
                None => is_build(word).then(|| word.to_owned()),
            },
            word: word.to_owned(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

impl Version {
    /// The word, as tags have it.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }

    /// The build that its images state in `os.version`, where it is known: `10.0.17763`.
    #[must_use]
    pub fn build(&self) -> Option<&str> {
        self.build.as_deref()
    }

    /// Whether an image that states this platform is for this version; `None` when nobody can say.
    #[must_use]
    pub fn suits(&self, platform: &Platform) -> Option<bool> {
        let build = self.build()?;
        let wish = Platform {
            os_version: build.to_owned(),
            ..Platform::new("windows", &platform.architecture)
        };
        (!platform.os_version.is_empty()).then(|| wish.matches(platform))
    }

    /// What members of this version are called behind the image's tag, best first: under the word that was asked for.
    #[must_use]
    pub fn suffixes(&self) -> Vec<String> {
        suffixes(&self.word)
    }

    /// The same under the other words for the build.
    #[must_use]
    pub fn other_suffixes(&self) -> Vec<String> {
        let build = self.build.as_deref().unwrap_or_default();
        let words = BUILDS
            .iter()
            .find(|(known, _)| *known == slot(build))
            .map_or(&[][..], |(_, words)| words);
        let others = words.iter().filter(|word| **word != self.word);
        others.flat_map(|word| suffixes(word)).collect()
    }
}

fn suffixes(word: &str) -> Vec<String> {
    vec![format!("-windows-{word}"), format!("-windows-{word}-amd64")]
}

/// The part of an `os.version` that two images for one Windows share: all but the revision.
pub(super) fn slot(os_version: &str) -> &str {
    let end = os_version.match_indices('.').nth(2).map(|(at, _)| at);
    &os_version[..end.unwrap_or(os_version.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn words_and_builds_meet() {
        for (word, build) in [
            ("1809", "10.0.17763"),
            ("ltsc2019", "10.0.17763"),
            ("LTSC2022", "10.0.20348"),
            ("2022", "10.0.20348"),
            ("20H2", "10.0.19042"),
            ("2025", "10.0.26100"),
            ("10.0.17763.5458", "10.0.17763.5458"),
        ] {
            assert_eq!(version(word).build(), Some(build), "{word}");
            assert_eq!(version(word).to_string(), word);
        }
        assert_eq!(version("insider").build(), None);
        for wrong in ["", " ", "18/09", "1809 2022", &"9".repeat(65), "-windows:"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tags_are_looked_for_under_the_word_asked_for_first() {
        let ours = version("1809");
        assert_eq!(ours.suffixes(), ["-windows-1809", "-windows-1809-amd64"]);
        assert_eq!(
            ours.other_suffixes(),
            [
                "-windows-ltsc2019",
                "-windows-ltsc2019-amd64",
                "-windows-2019",
                "-windows-2019-amd64"
            ]
        );
        assert!(version("insider").other_suffixes().is_empty());
        assert_eq!(version("10.0.17763.1").other_suffixes()[0], "-windows-1809");
    }

    #[test]
    fn a_build_suits_by_whole_parts() {
        let suits = |word: &str, os_version: &str| {
            let platform = Platform {
                os_version: os_version.to_owned(),
                ..Platform::new("windows", "amd64")
            };
            version(word).suits(&platform)
        };
        assert_eq!(suits("1809", "10.0.17763.5458"), Some(true));
        assert_eq!(suits("1809", "10.0.177630.1"), Some(false));
        assert_eq!(suits("ltsc2022", "10.0.17763.5458"), Some(false));
        assert_eq!(suits("1809", ""), None);
        assert_eq!(suits("insider", "10.0.17763.5458"), None);
        assert_eq!(
            (slot("10.0.17763.5458"), slot("10.0.17763"), slot("")),
            ("10.0.17763", "10.0.17763", "")
        );
    }
}
