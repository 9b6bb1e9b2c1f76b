//! AWS: which registries are ECR's, whose keys are used there, and the calls that are signed with them.

mod chain;
mod container;
mod ecr;
mod error;
mod host;
mod imds;
mod ini;
mod keys;
mod process;
mod profile;
mod sign;
mod sts;

use std::path::Path;

use http::Uri;

use super::calls::{self, Calls};
use super::clock::Clock;
use super::failure::Failure;
use super::variables::Variables;

pub use ecr::{Created, NewRepository};
pub(crate) use ecr::{create_repository, token};
pub(crate) use host::EcrHost;
pub use host::is_ecr;
pub use keys::EcrKeys;
pub(crate) use keys::{Identity, Keys};

/// What every step of the way to AWS works with.
#[derive(Clone, Copy)]
pub(crate) struct Aws<'a> {
    pub(crate) calls: &'a Calls,
    pub(crate) variables: &'a Variables,
    pub(crate) home: Option<&'a Path>,
    pub(crate) clock: &'a Clock,
    /// Where the registry is.
    pub(crate) host: &'a EcrHost,
}

impl Aws<'_> {
    /// Where a service is asked: as the environment says, else by the rules of its region.
    fn endpoint(&self, variable: &'static str, usual: &str) -> Result<Uri, Failure> {
        if !self.variables.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            for name in [variable, "AWS_ENDPOINT_URL"] {
                if let Some(text) = self.variables.get(name) {
                    return calls::url(text, name);
                }
            }
        }
        calls::url(&format!("https://{usual}/"), "the name of the region")
    }
}

/// `host:port` of the endpoints that the environment gives without TLS.
pub(crate) fn plain_endpoints(variables: &Variables) -> Vec<String> {
    let names = [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_ECR",
        "AWS_ENDPOINT_URL_ECR_PUBLIC",
        "AWS_ENDPOINT_URL_STS",
    ];
    let urls = names
        .into_iter()
        .filter_map(|name| variables.get(name)?.parse::<Uri>().ok());
    urls.filter(|url| url.scheme_str() == Some("http"))
        .filter_map(|url| Some(url.authority()?.as_str().to_owned()))
        .collect()
}
