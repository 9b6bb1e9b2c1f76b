//! Profiles: named settings in `~/.aws/credentials` and `~/.aws/config`, which may name each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ini::{self, Sections};
use super::sts::Role;
use super::{Aws, Identity, Keys};
use crate::Secret;
use crate::cloud::calls::{read_file, read_named};
use crate::cloud::failure::Failure;

/// Profiles that may name one another in a row.
const MAX_CHAIN: usize = 5;

/// All profiles, those of the credentials file over those of the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Profiles {
    by_name: BTreeMap<String, BTreeMap<String, String>>,
}

impl Profiles {
    fn merge(config: Sections, credentials: Sections) -> Self {
        let mut by_name = Sections::new();
        for (name, settings) in config {
            // `[sso-session x]` and `[services x]` are no profiles; `[profile default]` wins over `[default]`.
            match name.strip_prefix("profile ") {
                Some(name) => by_name.entry(name.to_owned()).or_default().extend(settings),
                None if name == "default" => {
                    let own = by_name.entry(name).or_default();
                    for (key, value) in settings {
                        own.entry(key).or_insert(value);
                    }
                }
                None => {}
            }
        }
        for (name, settings) in credentials {
            by_name.entry(name).or_default().extend(settings);
        }
        Self { by_name }
    }

    /// One setting of a profile; an empty one is none.
    pub(super) fn setting(&self, profile: &str, key: &str) -> Option<&str> {
        let value = self.by_name.get(profile)?.get(key)?;
        (!value.is_empty()).then_some(value.as_str())
    }
}

impl Aws<'_> {
    /// Reads both files.
    pub(super) async fn profiles(&self) -> Result<Profiles, Failure> {
        let config = self.sections("AWS_CONFIG_FILE", "config").await?;
        let credentials = self
            .sections("AWS_SHARED_CREDENTIALS_FILE", "credentials")
            .await?;
        Ok(Profiles::merge(config, credentials))
    }

    async fn sections(&self, variable: &'static str, name: &str) -> Result<Sections, Failure> {
        let given = self.variables.path(variable);
        let usual = || Some(self.home?.join(".aws").join(name));
        let Some(path): Option<PathBuf> = given.or_else(usual) else {
            return Ok(Sections::new());
        };
        match read_file(&path).await {
            Ok(text) => Ok(text.as_deref().map(ini::parse).unwrap_or_default()),
            Err(error) => Err(Failure::unusable(
                format!(
                    "the file {} of AWS profiles cannot be read: {error}",
                    path.display()
                ),
                "see who may read it",
            )),
        }
    }

    /// The identity of a profile. `None`: there is no such profile, or no identity in it.
    pub(super) async fn profile(&self, files: &Profiles, name: &str) -> Result<Option<Identity>, Failure> {
        if files.by_name.contains_key(name) {
            return self.resolve(files, name).await;
        }
        match name {
            "default" => Ok(None),
            name => Err(Failure::unusable(
                format!("AWS_PROFILE names the profile `{name}`, which is in neither file of AWS profiles"),
                "correct the name, or add the profile",
            )),
        }
    }

    /// Follows `source_profile` to keys, then takes the roles on the way back.
    async fn resolve(&self, files: &Profiles, name: &str) -> Result<Option<Identity>, Failure> {
        let mut names = vec![name];
        let mut identity = loop {
            let last = names.last().copied().unwrap_or(name);
            let is_role = files.setting(last, "role_arn").is_some();
            let source = files.setting(last, "source_profile").filter(|_| is_role);
            // A role that names its own profile as source means the keys in it.
            match source.filter(|source| *source != last) {
                Some(source) if names.contains(&source) || names.len() == MAX_CHAIN => {
                    return Err(bad(name, "its source_profile leads in a circle, or too far"));
                }
                Some(source) if !files.by_name.contains_key(source) => {
                    return Err(bad(
                        last,
                        &format!("its source_profile `{source}` does not exist"),
                    ));
                }
                Some(source) => names.push(source),
                None => break self.own(files, last, source.is_some()).await?,
            }
        };
        // Whoever has no source is done; the others take their role with what the one behind them has.
        let takers = match names.last() {
            Some(last) if files.setting(last, "source_profile") == Some(last) => names.len(),
            _ => names.len() - 1,
        };
        for taker in names.iter().take(takers).rev() {
            let Some(by) = identity else {
                return Err(bad(
                    taker,
                    "there are no keys in the profile that its source_profile names",
                ));
            };
            let role = self.role(files, taker)?;
            let from = format!("the profile `{taker}` ({})", role.arn);
            identity = Some(self.assume(&role, &by, &from).await?);
        }
        Ok(identity)
    }

    /// What a profile has by itself.
    async fn own(&self, files: &Profiles, name: &str, keys_only: bool) -> Result<Option<Identity>, Failure> {
        let get = |key| files.setting(name, key);
        let from = format!("the profile `{name}`");
        if get("role_arn").is_some() && !keys_only {
            return self.role_without_profile(files, name, &from).await.map(Some);
        }
        match (get("aws_access_key_id"), get("aws_secret_access_key")) {
            (Some(id), Some(secret)) => {
                return Ok(Some(Identity {
                    keys: Keys {
                        id: id.to_owned(),
                        secret: Secret::new(secret),
                        session: get("aws_session_token").map(Secret::new),
                    },
                    ends: None,
                    from,
                }));
            }
            (None, None) => {}
            _ => {
                return Err(bad(
                    name,
                    "it has one of aws_access_key_id and aws_secret_access_key, not both",
                ));
            }
        }
        if ["sso_session", "sso_start_url", "sso_account_id", "login_session"]
            .into_iter()
            .any(|key| get(key).is_some())
        {
            return Err(Failure::unusable(
                format!(
                    "the AWS profile `{name}` logs in with a browser (IAM Identity Center), which is not done here"
                ),
                "run `aws configure export-credentials --format env` and set what it prints",
            ));
        }
        match get("credential_process") {
            Some(command) => self.process(command, &from).await.map(Some),
            None => Ok(None),
        }
    }

    /// A role whose source is no profile: a token in a file, the environment, a container, the instance.
    async fn role_without_profile(
        &self,
        files: &Profiles,
        name: &str,
        from: &str,
    ) -> Result<Identity, Failure> {
        let role = self.role(files, name)?;
        let from = format!("{from} ({})", role.arn);
        if let Some(file) = files.setting(name, "web_identity_token_file") {
            let token = read_named(file.as_ref(), "web_identity_token_file").await?;
            return self.web_identity(&role, token.trim(), &from).await;
        }
        let source = files.setting(name, "credential_source");
        let by = match source.map(str::to_ascii_lowercase).as_deref() {
            Some("environment") => self.environment()?,
            Some("ecscontainer") => self.container().await?,
            Some("ec2instancemetadata") => Some(self.instance().await?),
            Some(_) => return Err(bad(name, "its credential_source is not known")),
            None => {
                return Err(bad(
                    name,
                    "it has a role_arn, but neither source_profile nor credential_source",
                ));
            }
        };
        let by = by.ok_or_else(|| bad(name, "there are no credentials where its credential_source says"))?;
        self.assume(&role, &by, &from).await
    }

    fn role(&self, files: &Profiles, name: &str) -> Result<Role, Failure> {
        let get = |key| files.setting(name, key).map(str::to_owned);
        if get("mfa_serial").is_some() {
            return Err(bad(
                name,
                "its role wants a code of an MFA device, which nobody can be asked for here",
            ));
        }
        Ok(Role {
            arn: get("role_arn").ok_or_else(|| bad(name, "it has no role_arn"))?,
            session: get("role_session_name"),
            external_id: get("external_id"),
            seconds: get("duration_seconds"),
            region: self.region(files, name),
        })
    }
}

fn bad(profile: &str, reason: &str) -> Failure {
    Failure::unusable(
        format!("the AWS profile `{profile}` cannot be used: {reason}"),
        "correct ~/.aws/config, or choose another profile with AWS_PROFILE",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_win_over_the_configuration() {
        let config = ini::parse(
            "[default]\nregion=a\nrole_arn=x\n[profile default]\nregion=b\n[sso-session s]\nregion=c\n[profile p]\nregion=d",
        );
        let credentials = ini::parse("[default]\naws_access_key_id=K\nregion=\n[p]\nregion=e");
        let files = Profiles::merge(config, credentials);
        assert_eq!(files.setting("default", "aws_access_key_id"), Some("K"));
        assert_eq!(files.setting("default", "region"), None, "an empty one is none");
        assert_eq!(files.setting("default", "role_arn"), Some("x"));
        assert_eq!(files.setting("p", "region"), Some("e"));
        assert!(!files.by_name.contains_key("sso-session s"));
    }
}
