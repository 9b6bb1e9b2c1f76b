//! What Docker's files say.

use landfall_diag::yaml::Node;
use landfall_diag::{Diagnostic, Severity, Spanned};

use super::super::tree::Walker;
use super::super::{Import, InFile, auths, certs_dir, json};
use crate::Tls;
use crate::go::url::Url;
use crate::intent::{
    DOCKER_HUB, Endpoint, Match, Registry, Scheme, Subject, Trust, Upstream, canonical_host,
};

const REFUSED: &str = "dockerd does not start";

/// Reads `daemon.json`, `config.json` and all below `certs.d`.
#[must_use]
pub fn read(files: &[InFile<'_>]) -> Import {
    let mut import = Import::default();
    let (certificates, others): (Vec<InFile<'_>>, Vec<InFile<'_>>) =
        files.iter().partition(|file| file.path.contains("certs.d/"));
    for file in &others {
        match file.name() {
            "daemon.json" => daemon(file, &mut import),
            _ => auths::read(file, &mut import),
        }
    }
    certs_dir::read(&certificates, &mut import);
    import
}

fn daemon(file: &InFile<'_>, import: &mut Import) {
    if file.text.trim().is_empty() {
        return;
    }
    let root = match json::parse(file.source, file.text) {
        Ok(root) => root,
        Err(diagnostic) => return import.diagnostics.push(*diagnostic),
    };
    let mut walker = Walker {
        code: "D01",
        consequence: REFUSED,
        typed: true,
        diagnostics: &mut import.diagnostics,
    };
    for (key, value) in walker.pairs(&root, "the file") {
        match key.as_str() {
            "registry-mirrors" => {
                let endpoints = mirrors(&mut walker, value);
                if !endpoints.is_empty() {
                    import.intent.registries.push(Registry {
                        matches: Spanned::new(Match::Exact(DOCKER_HUB.to_owned()), key.span),
                        upstream: Spanned::new(Upstream::Allow, key.span),
                        endpoints,
                    });
                }
            }
            "insecure-registries" => {
                for item in walker.items(value, "insecure-registries") {
                    import.intent.trust.extend(insecure(&mut walker, item));
                }
            }
            _ => {}
        }
    }
}

fn mirrors(walker: &mut Walker<'_>, node: &Node) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in walker.items(node, "registry-mirrors") {
        let Some(text) = walker.text(item, "a mirror") else {
            continue;
        };
        match mirror(&text) {
            Ok(endpoint) if endpoints.iter().any(|known| known.url() == endpoint.url()) => {
                walker.diagnostics.push(Diagnostic::at(
                    "D02",
                    Severity::Note,
                    item.span,
                    "this mirror is named already, and is asked once",
                ));
            }
            Ok(endpoint) => endpoints.push(endpoint),
            Err(message) => walker.error(item.span, message),
        }
    }
    endpoints
}

/// A scheme and a host and nothing else.
fn mirror(text: &Spanned<String>) -> Result<Endpoint, String> {
    let url = Url::parse(text).map_err(|_| format!("`{}` is not a URL", text.value))?;
    let scheme = match url.scheme.as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        "" => return Err(format!("a mirror needs a scheme: `https://{}`", text.value)),
        other => return Err(format!("a mirror is asked by http or https, not by `{other}`")),
    };
    if !matches!(url.path.as_str(), "" | "/") || !url.raw_query.is_empty() || !url.fragment.is_empty() {
        return Err("a mirror has neither path nor query: dockerd always asks below /v2".to_owned());
    }
    if url.user.is_some() {
        return Err("a mirror's URL takes no user and no password".to_owned());
    }
    let mut endpoint = Endpoint::new(url.host, text.span);
    endpoint.scheme = scheme;
    Ok(endpoint)
}

fn insecure(walker: &mut Walker<'_>, node: &Node) -> Option<Trust> {
    let text = walker.text(node, "an insecure registry")?;
    let bare = match text.split_once("://") {
        None => text.as_str(),
        Some(("http" | "https", rest)) => {
            let diagnostic = Diagnostic::at(
                "D02",
                Severity::Warning,
                text.span,
                "an insecure registry has no scheme",
            )
            .consequence("dockerd warns and goes on with the host alone");
            walker.diagnostics.push(diagnostic);
            rest
        }
        Some((scheme, _)) => {
            walker.error(
                text.span,
                format!("an insecure registry has no scheme, and this has `{scheme}://`"),
            );
            return None;
        }
    };
    let subject = if is_network(bare) {
        Subject::Network(bare.to_owned())
    } else if bare.is_empty() || bare.contains(['/', ' ', '@', '*']) {
        walker.error(
            text.span,
            format!("`{bare}` is neither `host[:port]` nor a network like `10.0.0.0/8`"),
        );
        return None;
    } else {
        Subject::Host(canonical_host(bare).to_owned())
    };
    let truth = Spanned::new(true, text.span);
    Some(Trust {
        subject: Spanned::new(subject, text.span),
        tls: Tls {
            skip_verify: Some(truth.clone()),
            ..Tls::default()
        },
        plain_http: Some(truth),
    })
}

/// `address/bits`.
fn is_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}
