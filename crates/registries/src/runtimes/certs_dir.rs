//! `certs.d/<host[:port]>/{ca.crt,client.cert,client.key}`: how Docker, Podman and CRI-O are told of certificates.

use std::collections::BTreeMap;

use landfall_diag::Spanned;

use super::file::Losses;
use super::{Import, InFile, OutFile};
use crate::Tls;
use crate::intent::{Intent, Subject, Trust, canonical_host};

/// Reads the files below all `certs.d` folders into the intent.
pub(super) fn read(files: &[InFile<'_>], import: &mut Import) {
    let mut hosts: BTreeMap<&str, Tls> = BTreeMap::new();
    for file in files {
        let Some((_, below)) = file.path.rsplit_once("certs.d/") else {
            continue;
        };
        let Some((host, name)) = below.split_once('/') else {
            continue;
        };
        let tls = hosts.entry(host).or_default();
        let place = |path: &str| Spanned::new(path.to_owned(), file.span());
        let target = file.link.unwrap_or(file.path);
        if name.ends_with(".crt") {
            tls.ca.push(place(target));
        } else if let Some(stem) = name.strip_suffix(".cert") {
            let key = format!(
                "{}/{stem}.key",
                file.path.rsplit_once('/').map_or("", |(folder, _)| folder)
            );
            match files.iter().find(|other| other.path == key) {
                Some(key) => tls.client.push((
                    place(target),
                    Spanned::new(key.link.unwrap_or(key.path).to_owned(), key.span()),
                )),
                None => import.diagnostics.push(missing(file, &format!("{stem}.key"))),
            }
        } else if let Some(stem) = name.strip_suffix(".key") {
            let certificate = file.path.strip_suffix(".key").map(|path| format!("{path}.cert"));
            if !files
                .iter()
                .any(|other| Some(other.path) == certificate.as_deref())
            {
                import.diagnostics.push(missing(file, &format!("{stem}.cert")));
            }
        }
    }
    for (host, tls) in hosts.into_iter().filter(|(_, tls)| *tls != Tls::default()) {
        merge(&mut import.intent, host, tls);
    }
}

fn missing(file: &InFile<'_>, other: &str) -> landfall_diag::Diagnostic {
    landfall_diag::Diagnostic::at(
        "C01",
        landfall_diag::Severity::Error,
        file.span(),
        format!("`{}` is there without `{other}`", file.name()),
    )
    .consequence("every pull from this host fails: certificate and key go together")
    .help("an authority's certificate ends with .crt, our own with .cert")
}

/// Adds certificates to what is known of a host.
fn merge(intent: &mut Intent, host: &str, tls: Tls) {
    let canonical = canonical_host(host);
    let same =
        |trust: &&mut Trust| matches!(&trust.subject.value, Subject::Host(known) if known == canonical);
    if let Some(known) = intent.trust.iter_mut().find(same) {
        known.tls.ca.extend(tls.ca);
        known.tls.client.extend(tls.client);
        return;
    }
    let Some(span) = tls
        .ca
        .first()
        .map(|ca| ca.span)
        .or_else(|| tls.client.first().map(|(certificate, _)| certificate.span))
    else {
        return;
    };
    intent.trust.push(Trust {
        subject: Spanned::new(Subject::Host(canonical.to_owned()), span),
        tls,
        plain_http: None,
    });
}

/// Links to all certificates of an intent, below `root`. What lies there already under its own name stays.
pub(super) fn write(intent: &Intent, root: &str, losses: &mut Losses) -> Vec<OutFile> {
    let mut files = Vec::new();
    for trust in &intent.trust {
        let Subject::Host(host) = &trust.subject.value else {
            continue;
        };
        let mut link = |name: String, target: &str| {
            let path = format!("{root}/{host}/{name}");
            if path != target {
                files.push(OutFile::link(path, target));
            }
        };
        for (number, ca) in trust.tls.ca.iter().enumerate() {
            link(numbered("ca", number, ".crt"), ca);
        }
        for (number, (certificate, key)) in trust.tls.client.iter().enumerate() {
            if certificate.is_empty() {
                losses.add(
                    key.span,
                    format!("the key for `{host}`"),
                    "there is no certificate that belongs to it, and with a key alone every pull fails",
                    "name the certificate too",
                );
                continue;
            }
            link(numbered("client", number, ".cert"), certificate);
            let key = if key.is_empty() { certificate } else { key };
            link(numbered("client", number, ".key"), key);
        }
    }
    files
}

/// `ca.crt`, `ca-2.crt`, …
fn numbered(stem: &str, number: usize, ending: &str) -> String {
    match number {
        0 => format!("{stem}{ending}"),
        _ => format!("{stem}-{}{ending}", number + 1),
    }
}
