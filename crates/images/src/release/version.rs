//! Versions of K3s and RKE2: `v1.34.3+rke2r3`, which a tag writes as `v1.34.3-rke2r3`.

use std::fmt;

use super::Distribution;

/// A release's version, as its downloads write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no version of {distribution}: they are written like {example}")]
pub struct VersionError {
    /// The text as given.
    pub text: String,
    /// Of which distribution it should be one.
    pub distribution: Distribution,
    /// What one looks like.
    pub example: &'static str,
}

impl Version {
    /// Reads a version, also as tags write it (`v1.34.3-rke2r3`), with or without the `v`.
    ///
    /// # Errors
    /// It is none, or one of another distribution.
    pub fn parse(text: &str, distribution: Distribution) -> Result<Self, VersionError> {
        let (mark, example) = match distribution {
            Distribution::K3s => ("k3s", "v1.30.4+k3s1"),
            Distribution::Rke2 => ("rke2r", "v1.30.4+rke2r1"),
        };
        let read = || {
            let (kubernetes, build) = text.rsplit_once(['+', '-'])?;
            let build_number = build.strip_prefix(mark)?;
            let kubernetes = kubernetes.strip_prefix('v').unwrap_or(kubernetes);
            let (numbers, candidate) = kubernetes.split_once('-').unwrap_or((kubernetes, "rc0"));
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
            let good = is_number(build_number)
                && !candidate.is_empty()
                && candidate.bytes().all(is_word)
                && numbers.split('.').count() == 3
                && numbers.split('.').all(is_number);
            good.then(|| Self(format!("v{kubernetes}+{build}")))
        };
        read().ok_or_else(|| VersionError {
            text: text.to_owned(),
            distribution,
            example,
        })
    }

    /// As downloads write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As tags write it, which may not hold a `+`.
    #[must_use]
    pub fn tag(&self) -> String {
        self.0.replace('+', "-")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_version() {
        for text in ["v1.34.3+rke2r3", "v1.34.3-rke2r3", "1.34.3+rke2r3"] {
            let version = Version::parse(text, Distribution::Rke2).unwrap();
            assert_eq!(
                (version.as_str(), version.tag().as_str()),
                ("v1.34.3+rke2r3", "v1.34.3-rke2r3")
            );
        }
        let candidate = Version::parse("v1.34.3-rc1-k3s2", Distribution::K3s).unwrap();
        assert_eq!(candidate.as_str(), "v1.34.3-rc1+k3s2");
    }

    #[test]
    fn others_are_refused_with_an_example() {
        for text in [
            "",
            "v1.34.3",
            "v1.34.3+k3s1",
            "v1.34+rke2r1",
            "v1.34.3+rke2r",
            "v1.34.x+rke2r1",
            "v1.34.3-+rke2r1",
            "v1.3/../4.3+rke2r1",
        ] {
            let error = Version::parse(text, Distribution::Rke2).unwrap_err().to_string();
            assert!(error.contains("v1.30.4+rke2r1"), "{text}: {error}");
        }
    }
}
