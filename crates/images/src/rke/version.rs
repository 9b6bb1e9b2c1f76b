//! How versions of Kubernetes and of RKE are told apart and put in order, in each of the ways that RKE has.

use std::cmp::Ordering;

/// All numbers in a text: RKE's Kubernetes versions are in this order (`v1.10.1-rancher2-1` after `v1.9.7-rancher2-2`).
pub(crate) fn numbers(text: &str) -> Vec<u64> {
    text.split(|letter: char| !letter.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap_or(u64::MAX))
        .collect()
}

/// RKE's releases, with or without `v`: by their numbers, and what is no release yet (`-rc1`) before it.
pub(crate) fn compare_releases(one: &str, other: &str) -> Ordering {
    release_key(one).cmp(&release_key(other))
}

fn release_key(text: &str) -> (Vec<u64>, bool, Vec<u64>) {
    let (core, pre) = text.split_once('-').unwrap_or((text, ""));
    (numbers(core), pre.is_empty(), numbers(pre))
}

/// Whether a release is one: not a state between two of them.
pub(crate) fn is_final(release: &str) -> bool {
    !release.contains('-') && numbers(release).get(2).is_none_or(|patch| *patch < 99)
}

/// The minor version of a Kubernetes version, `v1.30`, as RKE cuts it out.
pub(crate) fn minor(version: &str) -> &str {
    version
        .match_indices('.')
        .nth(1)
        .map_or(version, |(at, _)| &version[..at])
}

/// A version in semantic versioning's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Semver {
    core: [u64; 3],
    is_pre: bool,
}

impl Semver {
    /// Reads one without its `v`, as strictly as RKE's library does.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let mut parts = core.split('.').map(number);
        let core = [parts.next()??, parts.next()??, parts.next()??];
        let is_whole = parts.next().is_none();
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let pre_word = |text: &str| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            word(text) && (!is_number || number(text).is_some())
        };
        let is_sound = is_whole
            && pre.is_none_or(|pre| pre.split('.').all(pre_word))
            && build.is_none_or(|build| build.split('.').all(word));
        is_sound.then_some(Self {
            core,
            is_pre: pre.is_some(),
        })
    }

    /// Whether it comes before a release: `1.14.0-rancher1` comes before 1.14.0.
    pub(crate) fn is_before(&self, release: [u64; 3]) -> bool {
        match self.core.cmp(&release) {
            Ordering::Equal => self.is_pre,
            order => order == Ordering::Less,
        }
    }

    /// Whether its minor version is at least this one, pre-releases of it included.
    pub(crate) fn is_at_least(&self, major: u64, minor: u64) -> bool {
        [self.core[0], self.core[1]] >= [major, minor]
    }
}

/// A number without a leading zero.
fn number(digits: &str) -> Option<u64> {
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_zero = digits.len() > 1 && digits.starts_with('0');
    (is_plain && !has_zero).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        assert!(numbers("v1.10.1-rancher2-1") > numbers("v1.10.1-rancher1"));
        assert!(numbers("v1.9.7-rancher2-2") < numbers("v1.10.0-rancher1-1"));
        assert_eq!(compare_releases("v1.1.2-rc0", "1.1.2"), Ordering::Less);
        assert_eq!(compare_releases("v1.1.10", "v1.1.9"), Ordering::Greater);
        assert_eq!(minor("v1.30.5-rancher1-1"), "v1.30");
        assert_eq!(minor("v1.30"), "v1.30");
        assert!(is_final("v1.6.3") && !is_final("v1.7.0-dev") && !is_final("v1.8.99"));
    }

    #[test]
    fn semantic_versions_are_read_strictly() {
        for good in ["1.30.5-rancher1-1", "1.2.3", "1.2.3-a.b+c", "1.2.3--"] {
            assert!(Semver::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "1",
            "1.30",
            "1.30.x",
            "01.2.3",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "v1.2.3",
            "1.2.3.4",
        ] {
            assert!(Semver::parse(bad).is_none(), "{bad}");
        }
        let coredns = |text| !Semver::parse(text).unwrap().is_before([1, 14, 0]);
        assert!(coredns("1.14.0") && coredns("1.14.1-rancher1") && !coredns("1.14.0-rancher1"));
        assert!(Semver::parse("1.30.0-rancher0").unwrap().is_at_least(1, 30));
    }
}
