//! A name that was asked for, found among the images, or the nearest ones in its place.

use landfall_diag::nearest;
use landfall_oci::Reference;

use super::{Gathered, Wanted};

/// As many names as a person reads.
const MOST: usize = 5;

impl Gathered {
    /// The images that this name means: the one it names, or, where it says neither tag nor digest and `latest` is
    /// not among them, all of its repository.
    #[must_use]
    pub fn find(&self, name: &Reference) -> Vec<(&str, &Wanted)> {
        if let Some(found) = self.get(name) {
            return vec![found];
        }
        let bare = name.tag().is_none() && name.digest().is_none();
        if !bare {
            return Vec::new();
        }
        let same = |wanted: &Wanted| is_same_place(&wanted.reference, name);
        self.iter().filter(|(_, wanted)| same(wanted)).collect()
    }

    /// Names that may have been meant: the repository's other tags, then repositories whose last part is the same,
    /// then the name that differs by a slip.
    #[must_use]
    pub fn near(&self, name: &Reference) -> Vec<&str> {
        let tags: Vec<_> = self.texts_where(|other| is_same_place(other, name));
        if !tags.is_empty() {
            return tags;
        }
        let last = last_part(name);
        let namesakes = self.texts_where(|other| {
            let other = last_part(other);
            other == last || other.strip_suffix(last).is_some_and(|rest| rest.ends_with('-'))
        });
        if !namesakes.is_empty() {
            return namesakes;
        }
        let names: Vec<_> = self
            .iter()
            .map(|(text, wanted)| (wanted.reference.familiar_name(), text))
            .collect();
        let meant = name.familiar_name();
        let Some(found) = nearest(&meant, names.iter().map(|(name, _)| name.as_str())) else {
            return Vec::new();
        };
        let of_it = names.iter().filter(|(name, _)| name == found);
        of_it.map(|(_, text)| *text).take(MOST).collect()
    }

    fn texts_where(&self, wanted: impl Fn(&Reference) -> bool) -> Vec<&str> {
        let found = self.iter().filter(|(_, image)| wanted(&image.reference));
        found.map(|(text, _)| text).take(MOST).collect()
    }
}

fn is_same_place(one: &Reference, other: &Reference) -> bool {
    one.registry() == other.registry() && one.repository() == other.repository()
}

fn last_part(name: &Reference) -> &str {
    let path = name.repository().as_str();
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use crate::List;

    use super::*;

    fn gathered() -> Gathered {
        let list = List::parse(
            "rancher/mirrored-coredns-coredns:1.9.4\nrancher/mirrored-coredns-coredns:1.9.1\nquay.io/a/nginx:1\nbusybox\n",
        );
        let mut gathered = Gathered::default();
        gathered.add_list(&list, "list", "", "x.txt");
        gathered
    }

    fn near(name: &str) -> Vec<String> {
        let near = |name: &Reference| gathered().near(name).into_iter().map(str::to_owned).collect();
        near(&name.parse().unwrap())
    }

    #[test]
    fn a_name_without_tag_means_all_of_its_repository() {
        let gathered = gathered();
        let found = |name: &str| gathered.find(&name.parse().unwrap()).len();
        assert_eq!(found("docker.io/rancher/mirrored-coredns-coredns"), 2);
        assert_eq!(found("rancher/mirrored-coredns-coredns:1.9.4"), 1);
        assert_eq!(found("rancher/mirrored-coredns-coredns:1"), 0);
        assert_eq!(found("docker.io/library/busybox"), 1);
    }

    #[test]
    fn near_names() {
        let both = [
            "rancher/mirrored-coredns-coredns:1.9.1",
            "rancher/mirrored-coredns-coredns:1.9.4",
        ];
        assert_eq!(near("rancher/mirrored-coredns-coredns:1.9.9"), both);
        assert_eq!(near("coredns"), both);
        assert_eq!(near("nginx:2"), ["quay.io/a/nginx:1"]);
        assert_eq!(near("busybx"), ["busybox"]);
        assert!(near("ghcr.io/entirely/different:1").is_empty());
    }
}
