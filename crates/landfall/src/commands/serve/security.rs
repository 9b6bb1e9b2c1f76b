//! How connections are protected: TLS from files, self-signed, or none, which must be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use landfall_net::server::{ClientAuthority, Security, TlsFiles};
use landfall_server::self_signed;

use super::{Settings, setup};
use crate::failure::Failure;

/// How often a certificate of our own is looked at: it lasts for two years, and is made anew within the last of them.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(24 * 3600);

/// TLS from files, self-signed, or none: on loopback by default, elsewhere only when asked for.
/// `addresses` are those that are really listened on.
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
        let names = names(settings, addresses);
        let made = self_signed(folder, &names).await.map_err(setup)?;
        tokio::spawn(keep_fresh(folder.clone(), names));
        return Ok(files(made.certificate, made.key));
    }
    let elsewhere = addresses.iter().find(|address| !address.ip().is_loopback());
    match elsewhere.filter(|_| !settings.plain_http.unwrap_or_default()) {
        None => Ok(Security::Plain),
        Some(address) => Err(Failure::usage(format!(
            "{address} can be reached from elsewhere: use --tls-self-signed DIR, or --tls-cert and --tls-key, or say \
             --plain-http"
        ))),
    }
}

/// Makes the certificate anew when its end comes near, for servers that run for years; the listener sees the new file.
async fn keep_fresh(folder: PathBuf, names: Vec<String>) {
    loop {
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        if let Err(error) = self_signed(&folder, &names).await {
            tracing::error!(%error, folder = %folder.display(), "the certificate cannot be made anew");
        }
    }
}

/// What a self-signed certificate is for: this machine's name, loopback, the addresses listened on, and what was named.
fn names(settings: &Settings, addresses: &[SocketAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.extend((!host.is_empty()).then_some(host));
    let known = addresses.iter().filter(|address| !address.ip().is_unspecified());
    names.extend(known.map(|address| address.ip().to_string()));
    names.extend(settings.tls_name.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_http_must_be_asked_for_wherever_somebody_else_can_come() {
        let settings = |plain_http| Settings {
            plain_http,
            ..Settings::default()
        };
        let ask = async |addresses: &[&str], plain_http| {
            let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            security(&settings(plain_http), &addresses).await.is_ok()
        };
        assert!(ask(&["127.0.0.1:5000", "[::1]:5000"], None).await);
        // What a service manager has opened, whatever `listen` would be.
        assert!(!ask(&["0.0.0.0:5000"], None).await);
        assert!(!ask(&["127.0.0.1:5000", "[::]:5000"], Some(false)).await);
        assert!(ask(&["[::]:5000"], Some(true)).await);
    }
}
