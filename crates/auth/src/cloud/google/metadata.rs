//! The token of the machine's, or the pod's, service account, from the metadata service.

use http::Uri;
use landfall_net::client::Request;

use super::{Access, Google, access, refusal};
use crate::cloud::calls::{self, Answer, LINK_PATIENCE, get_with};
use crate::cloud::failure::Failure;

/// By its address, so that no DNS is asked on machines elsewhere.
const HOST: &str = "169.254.169.254";
const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default/";
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

impl Google<'_> {
    /// The token, and whose it is. [`Failure::Absent`]: this is no machine of Google's, or it has no account.
    pub(super) async fn metadata(&self) -> Result<(Access, String), Failure> {
        let none = |why: &str| Failure::Absent(format!("no Google credentials: no key file, and {why}"));
        if self.variables.is_on("NO_GCE_CHECK") {
            return Err(none("the metadata service is switched off (NO_GCE_CHECK)"));
        }
        let host = self.variables.get("GCE_METADATA_HOST").unwrap_or(HOST);
        let base = calls::url(&format!("http://{host}/"), "GCE_METADATA_HOST")?;
        let answer = self
            .calls
            .knock(get(&base, "email"))
            .await
            .map_err(|failure| match failure {
                Failure::Absent(why) => none(&format!("no metadata service ({why})")),
                other => other,
            })?;
        // Other clouds have something else at that address.
        if !is_google(&answer) {
            return Err(none("what answers as metadata service is not Google's"));
        }
        if answer.status.as_u16() == 404 {
            return Err(none("this machine has no service account"));
        }
        let whom = match answer.status.is_success() {
            true => format!("{} by the metadata service", super::said(answer.line(), &[])),
            false => return Err(refusal(&answer, asked(&base), "the metadata service", &[])),
        };
        let answer = self
            .calls
            .link(get(&base, "token").patience(LINK_PATIENCE))
            .await?;
        if !is_google(&answer) {
            return Err(Failure::unusable(
                "the metadata service's answer does not say that it is Google's",
                "see what answers there (GCE_METADATA_HOST)",
            ));
        }
        Ok((access(&answer, asked(&base), &whom, &[])?, whom))
    }
}

fn get(base: &Uri, what: &str) -> Request<'static> {
    get_with(calls::at(base, &format!("{ACCOUNT}{what}")), FLAVOR.0, FLAVOR.1)
}

fn is_google(answer: &Answer) -> bool {
    answer
        .headers
        .get(FLAVOR.0)
        .is_some_and(|value| value == FLAVOR.1)
}

fn asked(base: &Uri) -> String {
    format!("a token from the metadata service at {}", calls::shown(base))
}
