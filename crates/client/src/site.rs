//! Where on a host the API is, and for which registry the host answers there.
//!
//! A mirror keeps a registry's repositories below a path of its own (`/v2/mirrors/hub`), or has to be told with `?ns=`
//! whose they are. Neither changes what is asked: hence a property of the client and not of each question.

use http::uri::PathAndQuery;
use landfall_oci::Registry;

use crate::ClientError;

/// The way to the API of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    prefix: String,
    namespace: Option<Registry>,
}

impl Default for Site {
    /// As the specification has it: `/v2`, for the host itself.
    fn default() -> Self {
        Self {
            prefix: "/v2".to_owned(),
            namespace: None,
        }
    }
}

impl Site {
    /// `prefix` is all of the path above the repositories, `/v2` included where the host has it; slashes at its end do
    /// not count. `namespace` is the registry for which the host answers, where it is another one.
    ///
    /// # Errors
    /// [`ClientError::Impossible`] when the prefix is not the path of a URL.
    pub fn new(prefix: &str, namespace: Option<Registry>) -> Result<Self, ClientError> {
        let trimmed = prefix.trim_end_matches('/');
        let is_path = trimmed.is_empty()
            || trimmed.starts_with('/')
                && !trimmed.contains(['?', '#'])
                && trimmed.parse::<PathAndQuery>().is_ok();
        match is_path {
            true => Ok(Self {
                prefix: trimmed.to_owned(),
                namespace,
            }),
            false => Err(ClientError::Impossible {
                what: format!("asking below `{prefix}`"),
                reason: "it is not the path of a URL".to_owned(),
            }),
        }
    }

    /// The path above the repositories, without a slash at its end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The registry that is told as `?ns=`.
    #[must_use]
    pub fn namespace(&self) -> Option<&Registry> {
        self.namespace.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_and_nothing_more() {
        for (given, kept) in [
            ("/v2", "/v2"),
            ("/v2///", "/v2"),
            ("", ""),
            ("/", ""),
            ("/a/v2/b/", "/a/v2/b"),
        ] {
            assert_eq!(Site::new(given, None).unwrap().prefix(), kept);
        }
        for wrong in ["v2", "/v2?x=1", "/v2#x", "/a b", "//host\n"] {
            assert!(Site::new(wrong, None).is_err(), "{wrong}");
        }
        assert_eq!(Site::new("/v2/", None).unwrap(), Site::default());
    }
}
