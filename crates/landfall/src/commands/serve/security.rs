//! How connections are protected: TLS from files, self-signed, or none, which must be asked for.

use std::path::PathBuf;

use landfall_net::server::{ClientAuthority, Security, TlsFiles};
use landfall_server::self_signed;

use super::{Settings, setup};
use crate::failure::Failure;

/// TLS from files, self-signed, or none: on loopback by default, elsewhere only when asked for.
pub(super) async fn security(settings: &Settings) -> Result<Security, Failure> {
    let files = |certificate: PathBuf, key: PathBuf| {
        Security::Tls(TlsFiles {
            certificate,
            key,
            client_ca: settings.client_ca.clone().map(|file| ClientAuthority {
                file,
                required: settings.client_cert_required.unwrap_or_default(),
            }),
        })
    };
    if let (Some(certificate), Some(key)) = (&settings.tls_cert, &settings.tls_key) {
        return Ok(files(certificate.clone(), key.clone()));
    }
    if let Some(folder) = &settings.tls_self_signed {
        let made = self_signed(folder, &names(settings)).await.map_err(setup)?;
        return Ok(files(made.certificate, made.key));
    }
    match settings.listen().ip().is_loopback() || settings.plain_http.unwrap_or_default() {
        true => Ok(Security::Plain),
        false => Err(Failure::usage(format!(
            "{} can be reached from elsewhere: use --tls-self-signed DIR, or --tls-cert and --tls-key, or say --plain-http",
            settings.listen()
        ))),
    }
}

/// What a self-signed certificate is for: this machine's name, loopback, the address listened on, and what was named.
fn names(settings: &Settings) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.extend((!host.is_empty()).then_some(host));
    let address = settings.listen().ip();
    names.extend((!address.is_unspecified()).then(|| address.to_string()));
    names.extend(settings.tls_name.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
