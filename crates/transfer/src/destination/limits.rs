//! Names that the target cannot hold, found before the first byte moves. Only what the products document; a registry
//! that is not known has no limits here.

use std::fmt;

use landfall_oci::{Reference, Repository};

use super::Kind;
use crate::Image;

/// An image whose place the target cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The image.
    pub image: String,
    /// Where it would go.
    pub target: String,
    /// Which limit that breaks, and the way out.
    pub reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            image,
            target,
            reason,
        } = self;
        match image == target {
            true => write!(f, "`{target}`: {reason}"),
            false => write!(f, "`{image}` would become `{target}`: {reason}"),
        }
    }
}

/// What a product demands of a repository's path.
struct Limit {
    /// Parts that it must have, and may have.
    parts: (usize, usize),
    /// Bytes that it may have.
    bytes: usize,
    /// How its names are built.
    form: &'static str,
}

const ANY: usize = usize::MAX;

impl Limit {
    fn of(kind: Kind) -> Self {
        let limit = |parts, form| Self {
            parts,
            // The specification's own limit, which the grammar has checked.
            bytes: 255,
            form,
        };
        match kind {
            Kind::DockerHub => limit((2, 2), "NAMESPACE/NAME"),
            Kind::EcrPublic => Self {
                bytes: 205,
                ..limit((2, ANY), "ALIAS/NAME")
            },
            Kind::Gar => limit((3, ANY), "PROJECT/REPOSITORY/NAME"),
            Kind::Gcr => limit((2, ANY), "PROJECT/NAME"),
            Kind::Quay => limit((2, ANY), "NAMESPACE/NAME"),
            Kind::GitLab => limit((2, ANY), "GROUP/PROJECT[/NAME]"),
            Kind::Ghcr => limit((2, ANY), "OWNER/NAME"),
            Kind::Harbor => limit((2, ANY), "PROJECT/NAME"),
            Kind::Ecr | Kind::Acr | Kind::Other => limit((1, ANY), ""),
        }
    }
}

/// Every image whose target the registry cannot hold. `max_depth` replaces what is known of the depth.
pub(super) fn misfits(
    kind: Kind,
    images: &[Image],
    targets: &[Reference],
    max_depth: Option<u8>,
) -> Vec<Misfit> {
    let misfit = |(image, target): (&Image, &Reference)| {
        let problem = problem(kind, target.repository(), max_depth)?;
        let is_typed = image.reference == *target;
        Some(Misfit {
            image: image.reference.to_string(),
            target: target.to_string(),
            reason: format!("{}; {}", problem.text, way_out(&problem, image, is_typed)),
        })
    };
    images.iter().zip(targets).filter_map(misfit).collect()
}

/// What is wrong with a path.
struct Problem {
    text: String,
    is_shallow: bool,
}

fn problem(kind: Kind, repository: &Repository, max_depth: Option<u8>) -> Option<Problem> {
    let path = repository.as_str();
    let parts = path.split('/').count();
    let Limit {
        parts: (least, most),
        bytes,
        form,
    } = Limit::of(kind);
    let name = kind.name();
    let deep = |text| {
        Some(Problem {
            text,
            is_shallow: false,
        })
    };
    if parts < least {
        return Some(Problem {
            text: format!("{name} has {form} only, and this has {}", count(parts)),
            is_shallow: true,
        });
    }
    match max_depth.map(usize::from) {
        Some(depth) if parts > depth => {
            return deep(format!("this has {}, --max-depth allows {depth}", count(parts)));
        }
        None if parts > most => {
            return deep(format!("{name} has {form} only, and this has {}", count(parts)));
        }
        _ => {}
    }
    if path.len() > bytes {
        return deep(format!(
            "{name} allows {bytes} bytes, and this has {}",
            path.len()
        ));
    }
    match kind {
        Kind::DockerHub if path.starts_with("library/") => Some(Problem {
            text: "only Docker itself pushes to library/ of Docker Hub".to_owned(),
            is_shallow: true,
        }),
        Kind::Harbor => {
            let project = path.split('/').next().unwrap_or_default();
            let is_name = is_plain(project);
            (!is_name).then(|| Problem {
                text: format!(
                    "`{project}` cannot be a project of Harbor (one of . _ - between letters and digits)"
                ),
                is_shallow: false,
            })
        }
        Kind::Ecr if path.len() < 2 || !path.split('/').all(is_plain) => deep(
            "Amazon ECR wants at least two characters, and single . _ - between letters and digits"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Letters and digits with single separators between: what Harbor wants of a project and ECR of each part, and less than
/// the specification allows (`a__b`, `a--b`).
pub(super) fn is_plain(part: &str) -> bool {
    part.split(['.', '_', '-']).all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn count(parts: usize) -> String {
    match parts {
        1 => "one part".to_owned(),
        parts => format!("{parts} parts"),
    }
}

fn way_out(problem: &Problem, image: &Image, is_typed: bool) -> String {
    if is_typed {
        return "choose another name".to_owned();
    }
    let name = image.reference.name();
    let above = name.rsplit_once('/').map_or(name.as_str(), |(above, _)| above);
    match problem.is_shallow {
        true => format!("put something before it: -r REGISTRY/PATH, or --map {above}=PATH"),
        false => format!("choose its place with --map {above}=PATH"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: Kind, path: &str, max_depth: Option<u8>) -> String {
        let problem = problem(kind, &path.parse().unwrap(), max_depth);
        problem.map_or("fits".to_owned(), |problem| problem.text)
    }

    #[test]
    fn paths_that_fit_and_paths_that_do_not() {
        let long = format!("a/{}", "b".repeat(210));
        for (kind, path, expected) in [
            (Kind::DockerHub, "team/app", "fits"),
            (Kind::DockerHub, "team/sub/app", "3 parts"),
            (Kind::DockerHub, "app", "one part"),
            (Kind::DockerHub, "library/busybox", "only Docker itself"),
            (Kind::Harbor, "project/quay.io/a/b", "fits"),
            (Kind::Harbor, "nginx", "PROJECT/NAME only, and this has one part"),
            (Kind::Harbor, "a__b/x", "cannot be a project"),
            (Kind::Harbor, "quay.io/x", "fits"),
            (Kind::Ecr, "rancher/rancher", "fits"),
            (Kind::Ecr, "nginx", "fits"),
            (Kind::Ecr, "a/b__c", "single"),
            (Kind::Ecr, "a", "two characters"),
            (Kind::EcrPublic, "nginx", "ALIAS/NAME"),
            (Kind::EcrPublic, &long, "allows 205 bytes"),
            (Kind::Gar, "project/name", "PROJECT/REPOSITORY/NAME"),
            (Kind::Gar, "project/repository/a/b", "fits"),
            (Kind::Quay, "tenant/app/component", "fits"),
            (Kind::Quay, "app", "one part"),
            (Kind::Ghcr, "owner/a/b", "fits"),
            (Kind::Acr, "a/b/c/d/e", "fits"),
            (Kind::Other, "a", "fits"),
            (Kind::Other, &long, "fits"),
        ] {
            let said = said(kind, path, None);
            assert!(said.contains(expected), "{kind:?} {path}: {said}");
        }
    }

    #[test]
    fn a_depth_that_is_given_wins() {
        assert!(said(Kind::Other, "a/b/c", Some(2)).contains("--max-depth allows 2"));
        assert_eq!(said(Kind::Other, "a/b", Some(2)), "fits");
        assert_eq!(said(Kind::DockerHub, "a/b/c", Some(3)), "fits");
    }
}
