//! Both forms as one: what a mirror, a credential and a certificate come to, wherever they stood.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::yaml::Node;
use landfall_diag::{Span, Spanned};

use super::super::OutFile;
use super::super::tree::Walker;
use super::EXTRACTED;
use crate::go::url::Url;
use crate::intent::{
    BLOCKED_HOST, Base, Credential, Endpoint, Match, Registry, Scheme, Scope, Subject, Trust, Upstream,
    canonical_host,
};
use crate::{Auth, Tls};

pub(super) const REFUSED: &str = "Talos refuses the configuration";

/// An endpoint as it stands.
pub(super) struct Place {
    pub(super) url: Spanned<String>,
    pub(super) override_path: bool,
}

pub(super) fn registry(
    walker: &mut Walker<'_>,
    name: &Spanned<String>,
    span: Span,
    places: Vec<Place>,
    skip_fallback: Option<Spanned<bool>>,
) -> Registry {
    let matches = match name.as_str() {
        "*" => Match::Wildcard,
        host => Match::Exact(host.to_owned()),
    };
    let mut endpoints: Vec<Endpoint> = places
        .into_iter()
        .filter_map(|place| endpoint(walker, &place))
        .collect();
    let skip = skip_fallback.filter(|skip| skip.value);
    let mut upstream = match skip {
        Some(skip) => Spanned::new(Upstream::Deny, skip.span),
        None => Spanned::new(Upstream::Allow, span),
    };
    if upstream.value == Upstream::Deny && matches!(&endpoints[..], [only] if only.host == BLOCKED_HOST) {
        upstream.value = Upstream::Blocked;
        endpoints.clear();
    }
    Registry {
        matches: Spanned::new(matches, name.span),
        upstream,
        endpoints,
    }
}

fn endpoint(walker: &mut Walker<'_>, place: &Place) -> Option<Endpoint> {
    let url = match Url::parse(&place.url) {
        Ok(url) if matches!(url.scheme.as_str(), "http" | "https") && !url.host.is_empty() => url,
        _ => {
            let message = format!(
                "`{}` is no endpoint: write `https://host[:port]`",
                place.url.value
            );
            walker.error(place.url.span, message);
            return None;
        }
    };
    let path = url.path.trim_end_matches('/');
    let path = match place.override_path || path.ends_with("/v2") {
        true => path.to_owned(),
        false => format!("{path}/v2"),
    };
    Some(Endpoint {
        scheme: match url.scheme.as_str() {
            "http" => Scheme::Http,
            _ => Scheme::Https,
        },
        base: Base::parse(&path),
        ..Endpoint::new(url.host, place.url.span)
    })
}

pub(super) fn credential(
    walker: &mut Walker<'_>,
    host: &Spanned<String>,
    fields: &[(Spanned<String>, &Node)],
) -> Option<Credential> {
    let mut auth = Auth::default();
    for (key, value) in fields {
        match key.as_str() {
            "username" => auth.username = walker.text(value, "username").filter(|text| !text.is_empty()),
            "password" => auth.password = walker.secret(value, "password").filter(|text| !text.is_empty()),
            "auth" => auth.auth = walker.secret(value, "auth").filter(|text| !text.is_empty()),
            "identityToken" => {
                auth.identity_token = walker
                    .secret(value, "identityToken")
                    .filter(|text| !text.is_empty());
            }
            other => unknown(walker, key.span, other),
        }
    }
    (!auth.is_empty()).then(|| Credential {
        scope: host.clone().map(|host| Scope::host(&host)),
        auth,
    })
}

/// `tls`; PEM as it is in the documents, and once more in base64 in the machine's configuration.
pub(super) fn trust(
    walker: &mut Walker<'_>,
    host: &Spanned<String>,
    fields: &[(Spanned<String>, &Node)],
    in_base64: bool,
    extracted: &mut Vec<OutFile>,
) -> Option<Trust> {
    let mut inline = Inline {
        host,
        in_base64,
        extracted,
    };
    let mut tls = Tls::default();
    for (key, value) in fields {
        match key.as_str() {
            "ca" => tls.ca.extend(inline.file(walker, value, "ca.crt")),
            "clientIdentity" => {
                let (mut certificate, mut private) = (None, None);
                for (name, part) in walker.pairs(value, "clientIdentity") {
                    match name.as_str() {
                        "crt" | "cert" => certificate = inline.file(walker, part, "client.cert"),
                        "key" => private = inline.file(walker, part, "client.key"),
                        other => unknown(walker, name.span, other),
                    }
                }
                match (certificate, private) {
                    (Some(certificate), Some(private)) => tls.client.push((certificate, private)),
                    (None, None) => {}
                    _ => walker.error(key.span, "`clientIdentity` is a certificate and its key, both"),
                }
            }
            "insecureSkipVerify" => tls.skip_verify = walker.bool(value, "insecureSkipVerify"),
            other => unknown(walker, key.span, other),
        }
    }
    if host.as_str() == "*" {
        walker.error(host.span, "certificates belong to one host, and `*` is none");
        return None;
    }
    (tls != Tls::default()).then(|| Trust {
        subject: host
            .clone()
            .map(|host| Subject::Host(canonical_host(&host).to_owned())),
        tls,
        plain_http: None,
    })
}

struct Inline<'a> {
    host: &'a str,
    in_base64: bool,
    extracted: &'a mut Vec<OutFile>,
}

impl Inline<'_> {
    fn file(&mut self, walker: &mut Walker<'_>, node: &Node, name: &str) -> Option<Spanned<String>> {
        let text = walker.text(node, name).filter(|text| !text.is_empty())?;
        let pem = match self.in_base64 {
            false => Some(text.value.clone()),
            true => {
                let bare: String = text.value.split_whitespace().collect();
                STANDARD
                    .decode(bare)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
            }
        };
        let Some(pem) = pem else {
            walker.error(text.span, "this is not base64 of PEM");
            return None;
        };
        let path = format!("{EXTRACTED}/{}/{name}", self.host);
        self.extracted.push(match name.ends_with(".key") {
            true => OutFile::secret(&path, pem),
            false => OutFile::plain(&path, pem),
        });
        Some(Spanned::new(path, text.span))
    }
}

pub(super) fn unknown(walker: &mut Walker<'_>, span: Span, key: &str) {
    walker.error(span, format!("`{key}` is not a field here"));
}
