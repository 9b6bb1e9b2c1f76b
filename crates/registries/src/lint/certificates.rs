//! What is in a certificate file, as Go reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use landfall_diag::Severity;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::ber::BerObjectContent;
use x509_parser::der_parser::der::parse_der;
use x509_parser::pem::Pem;
use x509_parser::prelude::{ASN1Time, FromDer};
use x509_parser::public_key::PublicKey;

/// For what a file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Authority,
    Certificate,
    Key,
}

/// What is wrong with a file.
pub(super) struct Fault {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) label: String,
    /// What Go says, where the whole pull fails.
    pub(super) words: Option<String>,
    /// What happens otherwise.
    pub(super) consequence: String,
    pub(super) help: String,
}

impl Fault {
    fn fatal(message: &str, label: &str, words: &str, help: &str) -> Self {
        Self {
            severity: Severity::Error,
            message: message.to_owned(),
            label: label.to_owned(),
            words: Some(words.to_owned()),
            consequence: String::new(),
            help: help.to_owned(),
        }
    }

    pub(super) fn mismatch() -> Self {
        Self::fatal(
            "this key does not belong to the certificate",
            "another key",
            "failed to load X509 key pair: tls: private key does not match public key",
            "take certificate and key from the same place",
        )
    }
}

pub(super) fn fault(bytes: &[u8], role: Role, now: Option<SystemTime>) -> Option<Fault> {
    let blocks: Vec<Pem> = Pem::iter_from_buffer(bytes).filter_map(Result::ok).collect();
    let has = |wanted: &str| blocks.iter().any(|block| block.label == wanted);
    let key = blocks.iter().any(is_key);
    match role {
        Role::Key if key => None,
        Role::Key => Some(no_key(bytes, has("CERTIFICATE"))),
        _ if !has("CERTIFICATE") => Some(no_certificate(bytes, role, key, has("TRUSTED CERTIFICATE"))),
        Role::Authority => authority(&blocks, now),
        Role::Certificate => client(&blocks, now),
    }
}

fn is_key(block: &Pem) -> bool {
    block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY")
}

/// A SEQUENCE of more than a few bytes: the binary form.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x81..=0x83, ..])
}

fn no_key(bytes: &[u8], certificate: bool) -> Fault {
    let words = "failed to load X509 key pair: tls: failed to find any PEM data in key input";
    if certificate {
        return Fault::fatal(
            "this is a certificate, not a key",
            "no private key in it",
            "failed to load X509 key pair: tls: found a certificate rather than a key in the PEM for the private key",
            "write the path of the private key; perhaps `cert_file` and `key_file` are swapped",
        );
    }
    match is_der(bytes) {
        true => Fault::fatal(
            "this key is not PEM",
            "DER (binary)",
            words,
            "convert it: openssl pkey -inform der -in <file> -out <file>.pem",
        ),
        false => Fault::fatal(
            "this is not a private key in PEM",
            "no PEM in it",
            words,
            "the file has to hold a block -----BEGIN PRIVATE KEY-----",
        ),
    }
}

fn no_certificate(bytes: &[u8], role: Role, key: bool, trusted: bool) -> Fault {
    let words = match (role, key) {
        (Role::Authority, _) => "unable to load CA cert",
        (_, true) => {
            "failed to load X509 key pair: tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"
        }
        (_, false) => "failed to load X509 key pair: tls: failed to find any PEM data in certificate input",
    };
    match () {
        () if key => Fault::fatal(
            "this is a key, not a certificate",
            "no certificate in it",
            words,
            "write the path of the certificate; perhaps `cert_file` and `key_file` are swapped",
        ),
        () if trusted => Fault::fatal(
            "this is OpenSSL's own kind of certificate",
            "TRUSTED CERTIFICATE",
            words,
            "convert it: openssl x509 -in <file> -out <file>.pem",
        ),
        () if is_der(bytes) => Fault::fatal(
            "this certificate is not PEM",
            "DER (binary)",
            words,
            "convert it: openssl x509 -inform der -in <file> -out <file>.pem",
        ),
        () if bytes.is_empty() => Fault::fatal(
            "this file is empty",
            "nothing in it",
            words,
            "put the certificate into it",
        ),
        () => Fault::fatal(
            "this is not a certificate in PEM",
            "no PEM in it",
            words,
            "the file has to hold a block -----BEGIN CERTIFICATE-----",
        ),
    }
}

/// All certificates that can be read.
fn certificates(blocks: &[Pem]) -> Vec<X509Certificate<'_>> {
    let blocks = blocks.iter().filter(|block| block.label == "CERTIFICATE");
    blocks
        .filter_map(|block| X509Certificate::from_der(&block.contents).ok())
        .map(|(_, certificate)| certificate)
        .collect()
}

fn authority(blocks: &[Pem], now: Option<SystemTime>) -> Option<Fault> {
    let all = certificates(blocks);
    if all.is_empty() {
        return Some(Fault::fatal(
            "no certificate in this file can be read",
            "damaged",
            "unable to load CA cert",
            "copy the file once more",
        ));
    }
    let now = time(now)?;
    // One good one may be all that is needed.
    let all: Option<Vec<(&str, String)>> = all
        .iter()
        .map(|certificate| out_of_time(certificate, now))
        .collect();
    let (when, date) = all?.into_iter().next()?;
    Some(Fault {
        severity: Severity::Error,
        message: format!("this CA {when}"),
        label: date,
        words: None,
        consequence: "the registry's certificate is refused (`x509: certificate has expired or is not yet valid`), and the next endpoint is tried".to_owned(),
        help: "put the registry's present CA here, and look at the node's clock".to_owned(),
    })
}

fn client(blocks: &[Pem], now: Option<SystemTime>) -> Option<Fault> {
    let all = certificates(blocks);
    let Some(first) = all.first() else {
        return Some(Fault::fatal(
            "this certificate cannot be read",
            "damaged",
            "failed to load X509 key pair: x509: malformed certificate",
            "copy the file once more",
        ));
    };
    let (when, date) = out_of_time(first, time(now)?)?;
    Some(Fault {
        severity: Severity::Error,
        message: format!("this client certificate {when}"),
        label: date,
        words: None,
        consequence: "it is sent all the same, and the registry refuses the connection".to_owned(),
        help: "renew it, and look at the node's clock".to_owned(),
    })
}

fn time(now: Option<SystemTime>) -> Option<ASN1Time> {
    let seconds = now?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    ASN1Time::from_timestamp(i64::try_from(seconds).ok()?).ok()
}

fn out_of_time(certificate: &X509Certificate<'_>, now: ASN1Time) -> Option<(&'static str, String)> {
    let validity = certificate.validity();
    if now > validity.not_after {
        return Some(("has expired", format!("valid until {}", validity.not_after)));
    }
    (now < validity.not_before).then(|| ("is not valid yet", format!("valid from {}", validity.not_before)))
}

/// Whether a key is that of a certificate. `None` where the key's file does not carry its public part, and it would
/// have to be computed.
pub(super) fn belong_together(certificate: &[u8], key: &[u8]) -> Option<bool> {
    let blocks: Vec<Pem> = Pem::iter_from_buffer(certificate)
        .filter_map(Result::ok)
        .collect();
    let certificates = certificates(&blocks);
    let public = certificates.first()?.public_key();
    let key = Pem::iter_from_buffer(key).filter_map(Result::ok).find(is_key)?;
    let inner = match key.label.as_str() {
        "PRIVATE KEY" => octets(&key.contents)?,
        _ => key.contents.clone(),
    };
    match public.parsed().ok()? {
        PublicKey::RSA(rsa) => {
            let (_, sequence) = parse_der(&inner).ok()?;
            let modulus = sequence.as_sequence().ok()?.get(1)?.as_slice().ok()?.to_vec();
            Some(without_zeros(&modulus) == without_zeros(rsa.modulus))
        }
        PublicKey::EC(point) => {
            let (_, sequence) = parse_der(&inner).ok()?;
            let last = sequence.as_sequence().ok()?.last()?.clone();
            Some(bits(&last)? == point.data())
        }
        _ => None,
    }
}

/// The key inside PKCS #8.
fn octets(der: &[u8]) -> Option<Vec<u8>> {
    let (_, sequence) = parse_der(der).ok()?;
    Some(sequence.as_sequence().ok()?.get(2)?.as_slice().ok()?.to_vec())
}

/// The public key of an elliptic curve's private one: `[1] BIT STRING`.
fn bits(object: &x509_parser::der_parser::der::DerObject<'_>) -> Option<Vec<u8>> {
    let BerObjectContent::Unknown(any) = &object.content else {
        return None;
    };
    if any.tag().0 != 1 {
        return None;
    }
    let (_, inner) = parse_der(any.data).ok()?;
    Some(inner.as_bitstring().ok()?.data.to_vec())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
