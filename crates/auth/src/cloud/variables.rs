//! The environment variables that clouds' own tools read, as a value. Some hold secrets, so none is ever shown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Every variable that is read.
const NAMES: [&str; 38] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "GCE_METADATA_HOST",
    "NO_GCE_CHECK",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

/// What was set. Empty variables count as unset.
#[derive(Clone, Default)]
pub struct Variables {
    values: BTreeMap<&'static str, OsString>,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Variables {
    /// Reads them through `lookup`, e.g. `std::env::var_os`.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let values = NAMES
            .into_iter()
            .filter_map(|name| Some((name, lookup(name).filter(|value| !value.is_empty())?)));
        Self {
            values: values.collect(),
        }
    }

    /// A variable's text. One that is not UTF-8 names nothing that a cloud knows.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.to_str()
    }

    /// A variable that names a file.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.values.get(name).map(PathBuf::from)
    }

    /// A switch: `true` in any spelling, or `1`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_and_not_shown() {
        let variables = Variables::from_lookup(|name| match name {
            "AWS_SECRET_ACCESS_KEY" => Some("hunter2".into()),
            "AWS_EC2_METADATA_DISABLED" => Some("True".into()),
            "AWS_PROFILE" => Some("".into()),
            _ => None,
        });
        assert_eq!(variables.get("AWS_SECRET_ACCESS_KEY"), Some("hunter2"));
        assert_eq!(variables.get("AWS_PROFILE"), None);
        assert!(variables.is_on("AWS_EC2_METADATA_DISABLED"));
        assert_eq!(
            format!("{variables:?}"),
            r#"{"AWS_EC2_METADATA_DISABLED", "AWS_SECRET_ACCESS_KEY"}"#
        );
    }
}
