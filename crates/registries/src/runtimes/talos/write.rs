//! Either form of an intent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::Spanned;

use super::super::file::Losses;
use super::super::rke::quoted;
use super::super::{Options, OutFile, Rendered, expand};
use super::{Form, PATCH};
use crate::intent::{
    Asked, BLOCKED_HOST, Base, Endpoint, Intent, Match, Registry, Scheme, Subject, Trust, Upstream,
    asked_host,
};
use crate::{Auth, Tls};

/// A mirror, ready to be written.
struct Mirror {
    name: String,
    /// URL, and whether its path is all there is.
    endpoints: Vec<(String, bool)>,
    skip_fallback: bool,
}

/// What is known of one host.
#[derive(Default)]
struct Config {
    auth: Vec<(&'static str, String)>,
    ca: String,
    identity: Option<(String, String)>,
    skip_verify: bool,
}

/// Writes a patch for the machine's configuration.
#[must_use]
pub fn write(intent: &Intent, form: Form, options: &Options) -> Rendered {
    let mut losses = Losses::default();
    expand::networks(intent, &mut losses);
    let writer = Writer { intent, options };
    let registries = with_own_endpoints(intent);
    let mirrors: Vec<Mirror> = registries
        .iter()
        .filter_map(|registry| writer.mirror(registry, &mut losses))
        .collect();
    let configs = writer.configs(&mut losses);
    let text = match form {
        Form::Machine => machine(&mirrors, &configs),
        Form::Documents => documents(&mirrors, &configs),
    };
    let secret = configs
        .values()
        .any(|config| !config.auth.is_empty() || config.identity.is_some());
    let text = format!("# Written by Landfall: talosctl patch machineconfig --patch @{PATCH}\n{text}");
    let file = match secret {
        true => OutFile::secret(PATCH, text),
        false => OutFile::plain(PATCH, text),
    };
    Rendered::new(vec![file], losses)
}

/// Talos applies what is trusted of a host to endpoints, not to the registry that is asked after them; and a host with
/// certificates alone has an entry that hides the wildcard's. So such a registry is named as its own last endpoint.
fn with_own_endpoints(intent: &Intent) -> Vec<Registry> {
    let mut all = expand::own_entries(intent);
    for registry in &mut all {
        let Some(host) = registry
            .matches
            .value
            .host()
            .filter(|_| registry.matches.value.namespace().is_empty())
        else {
            continue;
        };
        let plain_http = |trust: &Trust| trust.plain_http.as_ref().is_some_and(|plain| plain.value);
        let trusted = intent
            .trust_of(host)
            .is_some_and(|trust| trust.tls != Tls::default() || plain_http(trust));
        if trusted && registry.upstream.value == Upstream::Allow {
            let own = Endpoint::new(asked_host(host), registry.upstream.span);
            registry.endpoints.push(own);
        }
    }
    all
}

struct Writer<'a> {
    intent: &'a Intent,
    options: &'a Options,
}

impl Writer<'_> {
    fn mirror(&self, registry: &Registry, losses: &mut Losses) -> Option<Mirror> {
        let matches = &registry.matches.value;
        if matches!(matches, Match::Prefix { .. } | Match::Domain(_)) {
            losses.add(
                registry.matches.span,
                format!("the entry for `{matches}`"),
                "Talos chooses by registry, not by namespace or domain",
                "write an entry for the registry as a whole; a mirror can tell namespaces apart itself",
            );
            return None;
        }
        let mut skip_fallback = registry.upstream.value != Upstream::Allow;
        let mut endpoints: Vec<(String, bool)> = registry
            .endpoints
            .iter()
            .map(|endpoint| self.endpoint(endpoint, losses))
            .collect();
        if registry.upstream.value == Upstream::Blocked || skip_fallback && endpoints.is_empty() {
            losses.add(
                registry.upstream.span,
                format!("that `{matches}` is blocked"),
                "Talos cannot block a registry; an address where nothing listens is written instead",
                "nothing: the pull fails with `connection refused`",
            );
            endpoints = vec![(format!("https://{BLOCKED_HOST}"), false)];
            skip_fallback = true;
        }
        Some(Mirror {
            name: matches.to_string(),
            endpoints,
            skip_fallback,
        })
    }

    fn endpoint(&self, endpoint: &Endpoint, losses: &mut Losses) -> (String, bool) {
        let base = expand::base(endpoint);
        if base.is_none() {
            for rule in &endpoint.rewrites {
                let (pattern, replacement) = rule.kind.to_go();
                losses.add(
                    rule.span,
                    format!(
                        "the rewrite `{pattern}` to `{replacement}`; `{}` is asked for the name as it is",
                        endpoint.url()
                    ),
                    "Talos cannot rewrite names",
                    "use a mirror that keeps names and reads `ns=`, or a prefix for all names in its address",
                );
            }
        }
        if endpoint.asked.value != Asked::Always {
            losses.add(
                endpoint.asked.span,
                format!("when `{}` is asked", endpoint.url()),
                "Talos asks its mirrors for tags and digests alike",
                "let the mirror be asked for both",
            );
        }
        expand::extras(endpoint, "Talos' configuration", losses);
        let base = base.unwrap_or_else(|| endpoint.base.clone());
        let scheme = self.scheme(endpoint, losses);
        let url = format!("{}://{}", scheme.as_str(), asked_host(&endpoint.host));
        match base == Base::V2(String::new()) {
            true => (url, false),
            false => (url + &base.path(), true),
        }
    }

    /// Talos writes hosts.toml: HTTP with TLS settings is HTTPS first there.
    fn scheme(&self, endpoint: &Endpoint, losses: &mut Losses) -> Scheme {
        let Some(trust) = self.intent.trust_of(&endpoint.host) else {
            return endpoint.scheme;
        };
        let has_tls = trust.tls != Tls::default();
        match (endpoint.scheme, &trust.plain_http) {
            (Scheme::Http, _) if has_tls => {
                losses.add(
                    endpoint.span,
                    format!("plain HTTP at once, for `{}`", endpoint.host),
                    "with certificates for its host, containerd tries HTTPS first",
                    "take the certificates away",
                );
                Scheme::Http
            }
            (Scheme::Https, Some(plain)) if plain.value && has_tls => Scheme::Http,
            (Scheme::Https, Some(plain)) if plain.value => {
                losses.add(
                    plain.span,
                    format!("plain HTTP where `{}` does not speak TLS", endpoint.host),
                    "Talos writes this only together with certificates or `insecureSkipVerify`",
                    "write the endpoint with http://",
                );
                Scheme::Https
            }
            (scheme, _) => scheme,
        }
    }

    fn configs(&self, losses: &mut Losses) -> BTreeMap<String, Config> {
        let mut configs: BTreeMap<String, Config> = BTreeMap::new();
        for credential in &self.intent.credentials {
            let scope = &credential.scope;
            if !scope.namespace.is_empty() {
                losses.add(
                    scope.span,
                    format!("the credential for `{}` alone", scope.value),
                    "Talos looks credentials up by host, not by namespace",
                    format!(
                        "give the host `{}` a credential that may read the namespace",
                        scope.host
                    ),
                );
                continue;
            }
            configs
                .entry(asked_host(&scope.host).to_owned())
                .or_default()
                .auth = auth(&credential.auth);
        }
        for trust in &self.intent.trust {
            if let Subject::Host(host) = &trust.subject.value {
                let config = configs.entry(asked_host(host).to_owned()).or_default();
                self.tls(host, trust, config, losses);
            }
        }
        configs.retain(|_, config| !config.auth.is_empty() || config.has_tls());
        configs
    }

    fn tls(&self, host: &str, trust: &Trust, config: &mut Config, losses: &mut Losses) {
        for ca in &trust.tls.ca {
            if let Some(pem) = self.content(ca, losses) {
                config.ca.push_str(pem);
            }
        }
        if let Some((certificate, key)) = trust.tls.client.first() {
            let key = if key.is_empty() { certificate } else { key };
            let both = (self.content(certificate, losses), self.content(key, losses));
            if let (Some(certificate), Some(key)) = both {
                config.identity = Some((certificate.to_owned(), key.to_owned()));
            }
        }
        if let Some((second, _)) = trust.tls.client.get(1) {
            losses.add(
                second.span,
                format!("the second certificate for `{host}`"),
                "Talos has one identity for each host",
                "use one that the host accepts alone",
            );
        }
        config.skip_verify = trust.tls.skip_verify.as_ref().is_some_and(|skip| skip.value);
    }

    fn content(&self, path: &Spanned<String>, losses: &mut Losses) -> Option<&str> {
        let found = self.options.contents.get(&path.value).map(String::as_str);
        if found.is_none() {
            losses.add(
                path.span,
                format!("the file `{}`", path.value),
                "Talos has certificates inline, and this file could not be read here",
                "run the command where the file is",
            );
        }
        found
    }
}

/// One kind of credential: Talos refuses two.
fn auth(auth: &Auth) -> Vec<(&'static str, String)> {
    if let Some((user, password)) = auth.user_password() {
        return vec![("username", user), ("password", password.expose().to_owned())];
    }
    let token = auth
        .identity_token
        .as_ref()
        .map(|token| ("identityToken", token.expose().to_owned()));
    let encoded = auth
        .auth
        .as_ref()
        .map(|encoded| ("auth", encoded.expose().to_owned()));
    token.or(encoded).into_iter().collect()
}

impl Config {
    fn has_tls(&self) -> bool {
        !self.ca.is_empty() || self.identity.is_some() || self.skip_verify
    }
}

fn machine(mirrors: &[Mirror], configs: &BTreeMap<String, Config>) -> String {
    let mut text = "machine:\n  registries:".to_owned();
    if mirrors.is_empty() && configs.is_empty() {
        return text + " {}\n";
    }
    text.push('\n');
    if !mirrors.is_empty() {
        text.push_str("    mirrors:\n");
    }
    for mirror in mirrors {
        // One switch for all endpoints of a mirror: with it, each says its whole path.
        let whole_paths = mirror.endpoints.iter().any(|(_, whole)| *whole);
        let _ = writeln!(text, "      {}:", quoted(&mirror.name));
        let _ = writeln!(
            text,
            "        endpoints:{}",
            if mirror.endpoints.is_empty() { " []" } else { "" }
        );
        for (url, whole) in &mirror.endpoints {
            let path = if whole_paths && !whole { "/v2" } else { "" };
            let _ = writeln!(text, "          - {}", quoted(&format!("{url}{path}")));
        }
        for (field, set) in [
            ("overridePath", whole_paths),
            ("skipFallback", mirror.skip_fallback),
        ] {
            if set {
                let _ = writeln!(text, "        {field}: true");
            }
        }
    }
    if !configs.is_empty() {
        text.push_str("    config:\n");
    }
    for (host, config) in configs {
        let _ = writeln!(text, "      {}:", quoted(host));
        if !config.auth.is_empty() {
            text.push_str("        auth:\n");
            for (field, value) in &config.auth {
                let _ = writeln!(text, "          {field}: {}", quoted(value));
            }
        }
        if config.has_tls() {
            text.push_str("        tls:\n");
            tls(config, "          ", "crt", encoded, &mut text);
        }
    }
    text
}

fn encoded(pem: &str) -> String {
    STANDARD.encode(pem)
}

fn documents(mirrors: &[Mirror], configs: &BTreeMap<String, Config>) -> String {
    let mut all = Vec::new();
    let document =
        |kind: &str, name: &str| format!("apiVersion: v1alpha1\nkind: {kind}\nname: {}\n", quoted(name));
    for mirror in mirrors {
        let mut text = document("RegistryMirrorConfig", &mirror.name);
        if !mirror.endpoints.is_empty() {
            text.push_str("endpoints:\n");
        }
        for (url, whole) in &mirror.endpoints {
            let _ = writeln!(text, "  - url: {}", quoted(url));
            if *whole {
                text.push_str("    overridePath: true\n");
            }
        }
        if mirror.skip_fallback {
            text.push_str("skipFallback: true\n");
        }
        all.push(text);
    }
    for (host, config) in configs {
        if !config.auth.is_empty() {
            let mut text = document("RegistryAuthConfig", host);
            for (field, value) in &config.auth {
                let _ = writeln!(text, "{field}: {}", quoted(value));
            }
            all.push(text);
        }
        if config.has_tls() {
            let mut text = document("RegistryTLSConfig", host);
            tls(config, "", "cert", str::to_owned, &mut text);
            all.push(text);
        }
    }
    all.join("---\n")
}

fn tls(config: &Config, indent: &str, certificate_field: &str, shown: fn(&str) -> String, text: &mut String) {
    if let Some((certificate, key)) = &config.identity {
        let _ = writeln!(text, "{indent}clientIdentity:");
        let _ = writeln!(
            text,
            "{indent}  {certificate_field}: {}",
            quoted(&shown(certificate))
        );
        let _ = writeln!(text, "{indent}  key: {}", quoted(&shown(key)));
    }
    if !config.ca.is_empty() {
        let _ = writeln!(text, "{indent}ca: {}", quoted(&shown(&config.ca)));
    }
    if config.skip_verify {
        let _ = writeln!(text, "{indent}insecureSkipVerify: true");
    }
}
