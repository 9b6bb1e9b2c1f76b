//! Who is let in, from the settings.

use landfall_server::{Access, AccessControl, AccessOptions, TokenOptions};

use super::{Settings, setup};
use crate::failure::Failure;

/// Opens the files that say who may do what. Nothing set: everybody may do everything.
pub(super) async fn access(settings: &Settings) -> Result<Access, Failure> {
    let tokens = settings.tokens.unwrap_or_default();
    let named = settings.client_ca.is_some();
    if settings.htpasswd.is_none() && settings.rules.is_none() && !tokens && !named {
        return Ok(Access::Anyone);
    }
    let default = AccessOptions::default();
    let options = AccessOptions {
        htpasswd: settings.htpasswd.clone(),
        rules: settings.rules.clone(),
        tokens: settings
            .token_key()
            .filter(|_| tokens)
            .map(|key_file| TokenOptions {
                external_url: settings.external_url.clone(),
                ..TokenOptions::new(key_file)
            }),
        trusted_proxies: settings.trusted_proxies()?,
        ..default
    };
    Ok(Access::Controlled(
        AccessControl::open(options).await.map_err(setup)?,
    ))
}
