//! Known refusals, and what to do about each. A table: what stands in no row is told in the registry's own words.

use std::fmt;

use landfall_client::{ClientError, Refusal};

use super::Kind;
use crate::Class;

/// A refusal whose cause is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advised {
    /// What was asked for.
    pub what: String,
    /// The registry's status.
    pub status: u16,
    /// Its words, with a separator before, or nothing.
    pub words: String,
    /// What to do.
    pub advice: &'static str,
    /// What it means for the run.
    pub class: Class,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            status,
            words,
            advice,
            ..
        } = self;
        write!(f, "the registry refuses {what} with {status}{words}; {advice}")
    }
}

/// A row of the table.
struct Row {
    /// Only of this product.
    kind: Option<Kind>,
    /// Only with one of these statuses; empty for any.
    statuses: &'static [u16],
    /// All words of one of these must stand in the answer, in small letters; empty for any answer.
    words: &'static [&'static [&'static str]],
    class: Class,
    advice: &'static str,
}

const ROW: Row = Row {
    kind: None,
    statuses: &[],
    words: &[],
    class: Class::Unusable,
    advice: "",
};

/// The first row that fits decides.
const ROWS: &[Row] = &[
    Row {
        words: &[
            &["exceed the configured upper limit"],
            &["quota", "exceed"],
            &["quota", "reached"],
        ],
        advice: "its quota is used up: have it raised (Harbor: Administration, Project Quotas), or delete what nobody needs",
        ..ROW
    },
    Row {
        statuses: &[404],
        words: &[&["repository with name", "does not exist"]],
        class: Class::NotFound,
        advice: "Amazon ECR does not make repositories on push: --create-missing makes them, or create it first",
        ..ROW
    },
    Row {
        kind: Some(Kind::Gar),
        statuses: &[404],
        words: &[&["not found"]],
        class: Class::NotFound,
        advice: "Artifact Registry does not make repositories on push: create it with `gcloud artifacts repositories create`",
    },
    Row {
        statuses: &[401, 403, 404],
        words: &[&["project", "not found"], &["project", "does not exist"]],
        class: Class::NotFound,
        advice: "the project is not there: --create-missing creates it in Harbor, or create it first",
        ..ROW
    },
    Row {
        kind: Some(Kind::Harbor),
        statuses: &[401, 403],
        words: &[&["action: push"], &["unauthorized to access repository"]],
        class: Class::Credentials,
        advice: "in Harbor a user needs the role Developer or more in the project, a robot account the permission to push; \
                 Harbor answers the same for a project that is not there, which --create-missing would create",
    },
    Row {
        kind: Some(Kind::Harbor),
        statuses: &[401, 403, 404],
        class: Class::Credentials,
        advice: "Harbor answers so to a user without rights in the project and also where there is no such project: \
                 log in as a member of it, or have it created with --create-missing",
        ..ROW
    },
    Row {
        words: &[&["does not allow updating"], &["cannot be updated"]],
        advice: "the repository's deployment policy forbids to replace what is there (Nexus: Deployment policy, Allow redeploy)",
        ..ROW
    },
    Row {
        statuses: &[400, 415],
        words: &[
            &["unsupported media type"],
            &["unknown media type"],
            &["invalid media type"],
            &["mediatype", "not supported"],
            &["media type", "not allowed"],
            &["manifest schema unsupported"],
            &["unsupported manifest"],
        ],
        advice: "this registry does not take this kind of content (an OCI index, a Helm chart or another artifact): allow it \
                 there (Quay: FEATURE_GENERAL_OCI_SUPPORT and ALLOWED_OCI_ARTIFACT_TYPES), use a newer version of it, or leave \
                 the image out",
        ..ROW
    },
    Row {
        statuses: &[400, 415],
        words: &[&["mediatype", "vnd.docker."]],
        advice: "this registry takes OCI manifests only, and this image has Docker's: allow Docker's there (zot from 2.1: \
                 `compat` with `docker2s2` below `http`)",
        ..ROW
    },
    Row {
        words: &[
            &["foreign layer"],
            &["url", "not allowed"],
            &["invalid url on layer"],
            &["non-distributable"],
        ],
        advice: "this registry does not take layers that rest elsewhere: allow their urls there (validation.manifests.urls)",
        ..ROW
    },
    Row {
        statuses: &[413],
        advice: "something before the registry limits the size of a request (nginx: client_max_body_size)",
        ..ROW
    },
    Row {
        statuses: &[507],
        class: Class::Unavailable,
        advice: "the registry's disk is full",
        ..ROW
    },
];

impl Row {
    fn fits(&self, kind: Kind, refusal: Refusal<'_>, said: &str) -> bool {
        let has_all = |words: &&[&str]| words.iter().all(|word| said.contains(word));
        self.kind.is_none_or(|wanted| wanted == kind)
            && (self.statuses.is_empty() || self.statuses.contains(&refusal.status))
            && (self.words.is_empty() || self.words.iter().any(has_all))
    }
}

/// What is known of a refusal, if anything.
pub(super) fn advice(kind: Kind, error: &ClientError) -> Option<Advised> {
    let refusal = error.refusal()?;
    let said = refusal.words.to_lowercase();
    let row = ROWS.iter().find(|row| row.fits(kind, refusal, &said))?;
    Some(Advised {
        what: refusal.what.to_owned(),
        status: refusal.status,
        words: refusal.words.to_owned(),
        advice: row.advice,
        class: row.class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, words: &str) -> ClientError {
        let (what, detail) = ("blob x of r/y".to_owned(), format!(": {words}"));
        let (registry, provenance) = ("r".to_owned(), "nothing".to_owned());
        match status {
            401 => ClientError::Unauthorized {
                what,
                registry,
                provenance,
                detail,
            },
            403 => ClientError::Denied {
                what,
                registry,
                provenance,
                detail,
            },
            404 => ClientError::NotFound {
                what,
                missing: landfall_client::Missing::Unsaid,
                detail,
            },
            status => ClientError::Refused {
                what,
                status,
                code: None,
                detail,
            },
        }
    }

    #[test]
    fn what_products_say() {
        let quota = "DENIED: adding 20.3 MiB of storage resource, which when updated to current usage of 1.0 GiB will exceed the configured upper limit of 1.0 GiB.";
        let ecr = "NAME_UNKNOWN: The repository with name 'a/b' does not exist in the registry with id '1'";
        for (kind, status, words, expected, class) in [
            (Kind::Harbor, 403, quota, "quota is used up", Class::Unusable),
            (Kind::Ecr, 404, ecr, "--create-missing", Class::NotFound),
            (
                Kind::Harbor,
                401,
                "UNAUTHORIZED: project x not found",
                "--create-missing",
                Class::NotFound,
            ),
            (
                Kind::Harbor,
                401,
                "UNAUTHORIZED: unauthorized to access repository: p/x, action: push",
                "Developer",
                Class::Credentials,
            ),
            (
                Kind::Other,
                400,
                "BLOB_UPLOAD_INVALID: blob upload invalid (Repository does not allow updating assets: docker)",
                "Allow redeploy",
                Class::Unusable,
            ),
            (
                Kind::Quay,
                415,
                "MANIFEST_INVALID: Unsupported media type",
                "ALLOWED_OCI_ARTIFACT_TYPES",
                Class::Unusable,
            ),
            (
                Kind::Other,
                415,
                "MANIFEST_INVALID: manifest invalid ([{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\"}])",
                "docker2s2",
                Class::Unusable,
            ),
            (Kind::Other, 413, "", "client_max_body_size", Class::Unusable),
        ] {
            let advised = advice(kind, &error(status, words)).unwrap_or_else(|| panic!("{words}"));
            assert!(advised.advice.contains(expected), "{words}: {advised}");
            assert_eq!(advised.class, class, "{words}");
            assert!(
                advised.to_string().contains(words),
                "the registry's own words stay: {advised}"
            );
        }
        assert_eq!(advice(Kind::Other, &error(403, "DENIED: no")), None);
        assert_eq!(
            advice(Kind::Other, &error(400, "MANIFEST_INVALID: manifest invalid")),
            None
        );
    }
}
