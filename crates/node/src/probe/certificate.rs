//! A certificate as a person wants to see it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use landfall_oci::Algorithm;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Host names and addresses that it is for.
    pub names: Vec<String>,
    /// Valid from, in UTC.
    pub not_before: String,
    /// Valid until, in UTC.
    pub not_after: String,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Whether it vouches for itself.
    pub is_self_signed: bool,
    /// The SHA-256 of its bytes, in hex.
    pub fingerprint: String,
    #[serde(skip)]
    pub(super) ends: i64,
    #[serde(skip)]
    pub(super) begins: i64,
    #[serde(skip)]
    raw_subject: Vec<u8>,
    #[serde(skip)]
    raw_issuer: Vec<u8>,
}

impl Certificate {
    /// Reads one; `None` when it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let names = alternative.map(|names| names.value.general_names.iter().filter_map(shown).collect());
        let validity = parsed.validity();
        Some(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names: names.unwrap_or_default(),
            not_before: date(validity.not_before),
            not_after: date(validity.not_after),
            is_authority: parsed.is_ca(),
            is_self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
            fingerprint: landfall_hash::digest(Algorithm::Sha256, der).hex(),
            ends: validity.not_after.timestamp(),
            begins: validity.not_before.timestamp(),
            raw_subject: parsed.subject().as_raw().to_owned(),
            raw_issuer: parsed.issuer().as_raw().to_owned(),
        })
    }

    /// Whether `other` has the name of this one's issuer, or is this one.
    pub(super) fn may_be_signed_by(&self, other: &Self) -> bool {
        self.raw_issuer == other.raw_subject || self.fingerprint == other.fingerprint
    }
}

fn shown(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn date(time: ASN1Time) -> String {
    let at = time.to_datetime();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute()
    )
}

/// The authorities in the files that the configuration names.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities(Vec<(PathBuf, Certificate)>);

impl Authorities {
    /// Reads what can be read: what cannot is reported by whoever uses it.
    pub(super) fn read(files: &[PathBuf]) -> Self {
        let mut found = Vec::new();
        for file in files {
            let Ok(certificates) = CertificateDer::pem_file_iter(file) else {
                continue;
            };
            let certificates = certificates.flatten().filter_map(|der| Certificate::read(&der));
            found.extend(certificates.map(|certificate| (file.clone(), certificate)));
        }
        Self(found)
    }

    /// The file whose authority a chain leads to.
    pub(super) fn source_of(&self, chain: &[Certificate]) -> Option<&Path> {
        let leads = |authority: &Certificate| chain.iter().any(|member| member.may_be_signed_by(authority));
        let known = self.0.iter().find(|(_, authority)| leads(authority));
        known.map(|(file, _)| file.as_path())
    }

    /// An authority of the wanted name, of another key or time.
    pub(super) fn namesake(&self, chain: &[Certificate]) -> Option<&(PathBuf, Certificate)> {
        let last = chain.last()?;
        self.0
            .iter()
            .find(|(_, authority)| last.may_be_signed_by(authority))
    }

    /// Who they are.
    pub(super) fn subjects(&self) -> Vec<String> {
        let shown = self.0.iter();
        shown
            .map(|(file, authority)| format!("`{}` in {}", authority.subject, file.display()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let names = ["a.example", "10.0.0.1", "fd00::1"].map(str::to_owned);
        let mut params = rcgen::CertificateParams::new(names.to_vec()).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 2, 29);
        params.not_after = rcgen::date_time_ymd(2051, 12, 31);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "somebody");
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        let read = Certificate::read(&der).unwrap();
        assert_eq!(read.names, names);
        assert_eq!(read.not_before, "2020-02-29 00:00 UTC");
        assert_eq!(read.not_after, "2051-12-31 00:00 UTC");
        assert!(read.is_self_signed && !read.is_authority);
        assert!(read.subject.contains("somebody"), "{}", read.subject);
        assert_eq!(read.fingerprint.len(), 64);
        for end in 0..der.len() {
            assert_eq!(Certificate::read(&der[..end]), None);
        }
    }
}
