//! How connections are protected: TLS from files, self-signed, or none, which must be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use landfall_net::server::{ClientAuthority, Security, TlsFiles};
use landfall_server::self_signed;

use super::{Settings, setup};
use crate::failure::Failure;

/// TLS from files, self-signed, or none: on loopback by default, elsewhere only when asked for.
pub(super) async fn security(settings: &Settings, addresses: &[SocketAddr]) -> Result<Security, Failure> {
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
        let made = self_signed(folder, &names(settings, addresses))
            .await
            .map_err(setup)?;
        return Ok(files(made.certificate, made.key));
    }
    let reachable = addresses.iter().find(|address| !address.ip().is_loopback());
    match reachable.filter(|_| !settings.plain_http.unwrap_or_default()) {
        None => Ok(Security::Plain),
        Some(address) => Err(Failure::usage(format!(
            "{address} can be reached from elsewhere: use --tls-self-signed DIR, or --tls-cert and --tls-key, or say --plain-http"
        ))),
    }
}

/// What a self-signed certificate is for: this machine's name, loopback, the addresses listened on, and what was named.
fn names(settings: &Settings, addresses: &[SocketAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.extend((!host.is_empty()).then_some(host));
    let said = addresses.iter().map(SocketAddr::ip);
    names.extend(said.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
    names.extend(settings.tls_name.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that was handed over can be reached from elsewhere whatever `listen` says.
    #[tokio::test]
    async fn without_protection_every_address_must_be_this_machines_own() {
        let plain = Settings {
            plain_http: Some(true),
            ..Settings::default()
        };
        for (addresses, is_own) in [
            (vec!["127.0.0.1:1"], true),
            (vec!["127.0.0.1:1", "[::1]:1"], true),
            (vec!["0.0.0.0:1"], false),
            (vec!["127.0.0.1:1", "192.0.2.7:1"], false),
        ] {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let found = security(&Settings::default(), &addresses).await;
            assert_eq!(found.is_ok(), is_own, "{addresses:?}");
            assert!(security(&plain, &addresses).await.is_ok());
        }
    }
}
