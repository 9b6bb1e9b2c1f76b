//! Certificates of our own making, for a registry that has none: an authority that nodes can trust, and a server
//! certificate signed by it. Made on the first run and kept; the authority stays the same when names change, so
//! that nodes need not be told again.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::error::ServerError;

/// Years that the authority lasts.
const AUTHORITY_YEARS: u64 = 20;
/// Years that a server certificate lasts; it is made anew at a start within the last of them.
const SERVER_YEARS: u64 = 2;

/// Files of a self-signed server.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// The authority's certificate: what clients and nodes must trust.
    pub authority: PathBuf,
    /// The server's certificate chain.
    pub certificate: PathBuf,
    /// The server's private key (mode 0600).
    pub key: PathBuf,
}

/// Makes (or finds) the files in `folder`, for these host names and IP addresses.
///
/// # Errors
/// [`ServerError`] when the folder cannot be written, a name is none, or what lies there cannot be used.
pub async fn self_signed(folder: &Path, names: &[String]) -> Result<SelfSigned, ServerError> {
    let (folder, names) = (folder.to_owned(), names.to_vec());
    tokio::task::spawn_blocking(move || make(&folder, &names))
        .await
        .unwrap_or(Err(ServerError::Stopped))
}

fn make(folder: &Path, names: &[String]) -> Result<SelfSigned, ServerError> {
    let files = SelfSigned {
        authority: folder.join("ca.crt"),
        certificate: folder.join("server.crt"),
        key: folder.join("server.key"),
    };
    fs::create_dir_all(folder).map_err(ServerError::io("make the folder", folder))?;
    let year = year_now();
    let authority = authority(folder, &files, year)?;
    // Beside the certificate: what it was made for, because reading that back out of it needs a parser.
    let made_for = folder.join("server.names");
    let wanted = names.join("\n");
    let text = fs::read_to_string(&made_for).unwrap_or_default();
    let (until, found) = text.split_once('\n').unwrap_or_default();
    let lasts = until.parse().is_ok_and(|until: u64| year < until);
    if found == wanted && lasts && files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    let wrong = |error: rcgen::Error| ServerError::Certificate {
        path: folder.to_owned(),
        reason: error.to_string(),
    };
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    params.distinguished_name.push(
        DnType::CommonName,
        names.first().map_or("landfall", String::as_str),
    );
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_years(&mut params, year, SERVER_YEARS);
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.signed_by(&key, &authority).map_err(wrong)?;
    write(&files.key, key.serialize_pem().as_bytes(), 0o600)?;
    write(&files.certificate, certificate.pem().as_bytes(), 0o644)?;
    let text = format!("{}\n{wanted}", year + SERVER_YEARS - 1);
    write(&made_for, text.as_bytes(), 0o644)?;
    Ok(files)
}

/// The authority: its key from the disk, or made now.
fn authority(folder: &Path, files: &SelfSigned, year: u64) -> Result<Issuer<'static, KeyPair>, ServerError> {
    let wrong = |error: rcgen::Error| ServerError::Certificate {
        path: folder.to_owned(),
        reason: format!("ca.key: {error}"),
    };
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Landfall registry authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_years(&mut params, year, AUTHORITY_YEARS);
    let path = folder.join("ca.key");
    if path.exists() && files.authority.exists() {
        let pem = fs::read_to_string(&path).map_err(ServerError::io("read", &path))?;
        let key = KeyPair::from_pem(&pem).map_err(wrong)?;
        // Name and key are what a signature refers to; both are those of the certificate that lies there.
        return Ok(Issuer::new(params, key));
    }
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    write(&path, key.serialize_pem().as_bytes(), 0o600)?;
    write(&files.authority, certificate.pem().as_bytes(), 0o644)?;
    Ok(Issuer::new(params, key))
}

fn set_years(params: &mut CertificateParams, year: u64, lasts: u64) {
    let january = |year: u64| date_time_ymd(i32::try_from(year).unwrap_or(i32::MAX), 1, 1);
    // From last year on: clocks behind an air gap are not to be trusted.
    params.not_before = january(year - 1);
    params.not_after = january(year + lasts);
}

/// The year by the calendar, to within a day: good enough for a lifetime in years.
fn year_now() -> u64 {
    const SECONDS_PER_YEAR: u64 = 31_556_952;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    1970 + since.as_secs() / SECONDS_PER_YEAR
}

/// Writes a file whole or not at all, with this mode from its first byte on.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ServerError> {
    let temporary = path.with_extension("new");
    let written = || {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    written().map_err(ServerError::io("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test]
    async fn made_once_and_again_for_other_names_by_the_same_authority() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tls");
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let first = self_signed(&path, &names(&["localhost", "127.0.0.1"]))
            .await
            .unwrap();
        let (authority, certificate) = (read(&first.authority), read(&first.certificate));
        for key in [&first.key, &path.join("ca.key")] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
        self_signed(&path, &names(&["localhost", "127.0.0.1"]))
            .await
            .unwrap();
        assert_eq!(read(&first.certificate), certificate);
        self_signed(&path, &names(&["registry.example"])).await.unwrap();
        assert_ne!(read(&first.certificate), certificate);
        assert_eq!(read(&first.authority), authority);
        // About to end: made anew, by the same authority.
        let current = read(&first.certificate);
        fs::write(
            path.join("server.names"),
            format!("{}\nregistry.example", year_now()),
        )
        .unwrap();
        self_signed(&path, &names(&["registry.example"])).await.unwrap();
        assert_ne!(read(&first.certificate), current);
        assert_eq!(read(&first.authority), authority);
    }

    #[test]
    fn it_is_this_year() {
        assert!((2025..2200).contains(&year_now()));
    }
}
