//! Whose keys are used: the order in which AWS's own clients look.

use super::sts::Role;
use super::{Aws, Identity, Keys};
use crate::Secret;
use crate::cloud::calls::read_named;
use crate::cloud::failure::Failure;

impl Aws<'_> {
    /// The identity of this process: environment, web identity, profile, container, instance. What is set and cannot be
    /// used ends the search; what is not there does not.
    pub(crate) async fn identity(&self) -> Result<Identity, Failure> {
        if let Some(identity) = self.environment()? {
            return Ok(identity);
        }
        let files = self.profiles().await?;
        if let Some(identity) = self.web_identity_of_environment(&files).await? {
            return Ok(identity);
        }
        let name = self.profile_name();
        if let Some(identity) = self.profile(&files, name).await? {
            return Ok(identity);
        }
        if let Some(identity) = self.container().await? {
            return Ok(identity);
        }
        match self.instance().await {
            Err(Failure::Absent(reason)) => Err(Failure::Absent(format!(
                "no AWS credentials: none in the environment, no profile `{name}`, no container's, and {reason}"
            ))),
            other => other,
        }
    }

    /// Keys in the environment.
    pub(super) fn environment(&self) -> Result<Option<Identity>, Failure> {
        let get = |name| self.variables.get(name);
        let (id, secret) = match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => (id, secret),
            (one, _) => {
                let (set, missing) = match one {
                    Some(_) => ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
                    None => ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
                };
                return Err(Failure::unusable(
                    format!("{set} is set, but {missing} is not"),
                    "set both, or none",
                ));
            }
        };
        Ok(Some(Identity {
            keys: Keys {
                id: id.trim().to_owned(),
                secret: Secret::new(secret.trim()),
                session: get("AWS_SESSION_TOKEN").map(|token| Secret::new(token.trim())),
            },
            ends: None,
            from: "the keys in the environment".to_owned(),
        }))
    }

    /// A role for a token that Kubernetes or a CI system put into a file.
    async fn web_identity_of_environment(
        &self,
        files: &super::profile::Profiles,
    ) -> Result<Option<Identity>, Failure> {
        let Some(path) = self.variables.path("AWS_WEB_IDENTITY_TOKEN_FILE") else {
            return Ok(None);
        };
        let Some(arn) = self.variables.get("AWS_ROLE_ARN") else {
            return Err(Failure::unusable(
                "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not",
                "set both, or none",
            ));
        };
        let token = read_named(&path, "AWS_WEB_IDENTITY_TOKEN_FILE").await?;
        let role = Role {
            arn: arn.to_owned(),
            session: self.variables.get("AWS_ROLE_SESSION_NAME").map(str::to_owned),
            region: self.region(files, self.profile_name()),
            ..Role::default()
        };
        let from = format!("the web identity of {arn}");
        Ok(Some(self.web_identity(&role, token.trim(), &from).await?))
    }

    pub(super) fn profile_name(&self) -> &str {
        let set = self.variables.get("AWS_PROFILE");
        set.or_else(|| self.variables.get("AWS_DEFAULT_PROFILE"))
            .unwrap_or("default")
    }

    /// The region whose STS is asked: the configured one, when it is of the registry's partition.
    pub(super) fn region(&self, files: &super::profile::Profiles, profile: &str) -> String {
        let set = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let set = set.into_iter().find_map(|name| self.variables.get(name));
        set.or_else(|| files.setting(profile, "region"))
            .filter(|region| super::host::is_region(region) && self.host.shares_partition_with(region))
            .unwrap_or(&self.host.region)
            .to_owned()
    }
}
