//! The one name that a client's certificate gives to its holder.
//!
//! It is the common name of the subject: what is written there by those who make client certificates for people,
//! machines and clusters (Kubernetes takes a user's name from the same place). A certificate without one, as workload
//! identities have it, goes by its first alternative name: a URI before a DNS name before a mail address. It is one
//! name, so that a rule and a line of a log can mean one certificate; what could mean two goes by none.

use std::sync::Arc;

use crate::client::der::{after_issuer, element};

/// No name is longer.
const MAX_BYTES: usize = 256;
/// `2.5.4.3`, the attribute commonName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// `2.5.29.17`, the extension subjectAltName.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// A URI, a DNS name, a mail address: the order of preference.
const KINDS: [u8; 3] = [0x86, 0x82, 0x81];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
/// `UTF8String`, `PrintableString`, `IA5String`.
const STRINGS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The name in a certificate that was verified; `None` where there is none that could be shown and compared.
pub(super) fn name(certificate: &[u8]) -> Option<Arc<str>> {
    let (_validity, rest) = tagged(after_issuer(certificate)?, SEQUENCE)?;
    let (subject, rest) = tagged(rest, SEQUENCE)?;
    match common_names(subject)?[..] {
        [] => {}
        [one] => return readable(one),
        _ => return None,
    }
    let (_key, rest) = tagged(rest, SEQUENCE)?;
    let names = alternative_names(rest)?;
    let found = KINDS.iter().find_map(|kind| {
        let mut same = names.iter().filter(|(found, _)| found == kind);
        same.next().map(|(_, name)| *name)
    });
    readable(found?)
}

fn tagged(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// All elements of a content, one after another.
fn elements(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = element(bytes)?;
        found.push((tag, content));
        bytes = rest;
    }
    Some(found)
}

fn common_names(subject: &[u8]) -> Option<Vec<&[u8]>> {
    let mut names = Vec::new();
    for (tag, set) in elements(subject)? {
        for (_, attribute) in elements(set).filter(|_| tag == SET)? {
            let (kind, value) = tagged(attribute, OBJECT)?;
            if kind == COMMON_NAME {
                let (tag, text, _) = element(value)?;
                names.push(STRINGS.contains(&tag).then_some(text)?);
            }
        }
    }
    Some(names)
}

fn alternative_names(fields: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    // The extensions are the field with the tag 3; the two unique identifiers may stand before them.
    let fields = elements(fields)?;
    let (_, wrapped) = fields.into_iter().find(|(tag, _)| *tag == 0xa3)?;
    for (_, extension) in elements(tagged(wrapped, SEQUENCE)?.0)? {
        let (kind, rest) = tagged(extension, OBJECT)?;
        if kind == ALTERNATIVE_NAMES {
            let (_, value) = elements(rest)?.into_iter().find(|(tag, _)| *tag == OCTETS)?;
            return elements(tagged(value, SEQUENCE)?.0);
        }
    }
    None
}

/// As text, if nothing in it could break a line of a log or look like another name.
fn readable(bytes: &[u8]) -> Option<Arc<str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let good = !text.is_empty()
        && text.len() <= MAX_BYTES
        && text.trim() == text
        && !text.chars().any(char::is_control);
    good.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn named(common: &[DnValue], alternative: Vec<SanType>) -> Option<Arc<str>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "org");
        for name in common {
            params.distinguished_name.push(DnType::CommonName, name.clone());
        }
        params.subject_alt_names = alternative;
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        name(der.der())
    }

    fn text(name: &str) -> DnValue {
        DnValue::Utf8String(name.to_owned())
    }

    #[test]
    fn the_common_name_or_else_the_first_alternative_name() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let uri = || SanType::URI("spiffe://site/ns/a".try_into().unwrap());
        let mail = || SanType::Rfc822Name("ann@example".try_into().unwrap());
        for (common, alternative, expected) in [
            (vec![text("node-1")], vec![dns("other")], Some("node-1")),
            (vec![text("Änne")], vec![], Some("Änne")),
            (
                vec![DnValue::PrintableString("p".try_into().unwrap())],
                vec![],
                Some("p"),
            ),
            (
                vec![],
                vec![mail(), dns("a.example"), dns("b.example"), uri()],
                Some("spiffe://site/ns/a"),
            ),
            (
                vec![],
                vec![mail(), dns("a.example"), dns("b.example")],
                Some("a.example"),
            ),
            (vec![], vec![mail()], Some("ann@example")),
            (vec![], vec![], None),
            // Nothing that could break a log line, or hide in one; and no way around it to another name.
            (vec![text("a\nb")], vec![dns("other")], None),
            (vec![text(" a")], vec![dns("other")], None),
            (vec![text("")], vec![dns("other")], None),
            (vec![text(&"x".repeat(300))], vec![dns("other")], None),
            (
                vec![DnValue::BmpString("b".try_into().unwrap())],
                vec![dns("other")],
                None,
            ),
        ] {
            assert_eq!(named(&common, alternative).as_deref(), expected, "{common:?}");
        }
    }

    #[test]
    fn two_common_names_are_none() {
        let attribute = |name: &str| {
            let inner = [COMMON_NAME_DER, &[0x0c, name.len() as u8], name.as_bytes()].concat();
            let sequence = [&[SEQUENCE, inner.len() as u8], &inner[..]].concat();
            [&[SET, sequence.len() as u8], &sequence[..]].concat()
        };
        let one = attribute("a");
        assert_eq!(common_names(&one).unwrap(), [b"a"]);
        let two = [attribute("a"), attribute("b")].concat();
        assert_eq!(common_names(&two).unwrap().len(), 2);
    }

    const COMMON_NAME_DER: &[u8] = &[0x06, 3, 0x55, 0x04, 0x03];

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(0_u8.., 0..300)) {
            let _ = name(&bytes);
        }
    }
}
