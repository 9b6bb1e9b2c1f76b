//! `configs`: what is known of each host that is asked, under the exact name that containerd looks up.

use std::collections::BTreeMap;

use landfall_diag::Span;

use super::mirrors::speaks_http_to_itself;
use super::{Config, Mirror, Plan, is_host};
use crate::Auth;
use crate::go::url::Url;
use crate::intent::{Credential, DOCKER_HUB, Match, Subject, Trust, Upstream, asked_host, canonical_host};
use crate::runtimes::file::Losses;

impl Plan<'_> {
    /// The entries.
    pub(super) fn configs(&self, mirrors: &[Mirror], losses: &mut Losses) -> BTreeMap<String, Config> {
        let mut configs: BTreeMap<String, Config> = BTreeMap::new();
        for credential in &self.intent.credentials {
            let span = credential.scope.span;
            let host = &credential.scope.host;
            if !credential.scope.namespace.is_empty() {
                losses.add(
                    span,
                    format!("the credential for `{}` alone", credential.scope.value),
                    "containerd looks credentials up by host, not by namespace",
                    format!("give the host `{host}` a credential that may read the namespace"),
                );
            } else if self.is_asked(host, mirrors, "the credential", span, losses)
                && let Some(auth) = auth(credential, losses)
            {
                configs.entry(asked_host(host).to_owned()).or_default().auth = auth;
            }
        }
        for trust in &self.intent.trust {
            if let Subject::Host(host) = &trust.subject.value
                && self.is_asked(host, mirrors, "what is trusted", trust.subject.span, losses)
            {
                let config = configs.entry(asked_host(host).to_owned()).or_default();
                certificates(host, trust, config, losses);
            }
        }
        configs.retain(|_, config| !config.auth.is_empty() || !config.tls.is_empty() || config.skip_verify);
        self.leaks(&configs, losses);
        // wharfie knows Docker Hub by this name only. Elsewhere it would switch the default endpoint on again.
        let alone = !self.switched_off && self.intent.wildcard().is_none();
        if let Some(hub) = configs.get(asked_host(DOCKER_HUB)).cloned()
            && alone
            && self.target.behaviours.docker_io_alias
        {
            configs.insert(DOCKER_HUB.to_owned(), hub);
        }
        self.except(&mut configs, mirrors);
        configs
    }

    /// A registry without mirrors is no entry to K3s, and would be the wildcard's: an empty TLS section makes it one.
    fn except(&self, configs: &mut BTreeMap<String, Config>, mirrors: &[Mirror]) {
        if !mirrors.iter().any(|mirror| mirror.key == "*") {
            return;
        }
        for registry in &self.intent.registries {
            if let Match::Exact(host) = &registry.matches.value
                && is_host(host)
                && mirrors.iter().all(|mirror| mirror.key != *host)
            {
                let known = configs.get(asked_host(host)).cloned().unwrap_or_default();
                let config = configs.entry(host.clone()).or_insert(known);
                config.hides_wildcard =
                    config.tls.is_empty() && !config.skip_verify && config.auth.is_empty();
            }
        }
    }

    /// Whether a host is ever asked: as a mirror, or as a registry that may be.
    fn is_asked(&self, host: &str, mirrors: &[Mirror], what: &str, span: Span, losses: &mut Losses) -> bool {
        let lose = |losses: &mut Losses, why: &str| {
            losses.add(
                span,
                format!("{what} for `{host}`"),
                why,
                "nothing, if the host is not needed",
            );
        };
        if !is_host(host) {
            lose(
                losses,
                "it is no registry's host, and no key of `configs` can match it",
            );
            return false;
        }
        let named = Match::Exact(canonical_host(host).to_owned());
        let mut registries = self.intent.registries.iter();
        let entry = registries
            .find(|registry| registry.matches.value == named)
            .or_else(|| self.intent.wildcard());
        let allowed = entry.is_none_or(|registry| registry.upstream.value == Upstream::Allow);
        let asked = allowed
            || mirrors
                .iter()
                .flat_map(|mirror| &mirror.endpoints)
                .any(|url| leads_to(url, host));
        if !asked {
            lose(losses, "it is never asked");
        }
        asked
    }

    /// An entry for a host switches its own default endpoint on again, whatever the switch says.
    fn leaks(&self, configs: &BTreeMap<String, Config>, losses: &mut Losses) {
        for registry in &self.intent.registries {
            let Match::Exact(host) = &registry.matches.value else {
                continue;
            };
            if registry.upstream.value != Upstream::Allow && configs.contains_key(host) {
                losses.add(
                    registry.upstream.span,
                    format!("that `{host}` is not asked for images of its own name"),
                    "it is an endpoint, too, and K3s asks every host that has an entry in `configs` itself",
                    "give the endpoint a second name",
                );
            }
        }
        for (host, config) in configs {
            let named = Match::Exact(host.clone());
            let known = self
                .intent
                .registries
                .iter()
                .any(|registry| registry.matches.value == named);
            let plain = config.tls.is_empty() && !config.skip_verify && speaks_http_to_itself(host);
            let place = self.intent.credentials.iter().map(|known| &known.scope);
            if let Some(scope) = place
                .into_iter()
                .find(|scope| scope.host == *host)
                .filter(|_| plain && !known)
            {
                losses.add(
                    scope.span,
                    format!("that `{host}` is asked by HTTPS first"),
                    "with an entry of its own K3s asks a registry on this machine by plain HTTP",
                    "name it as an endpoint, with https://",
                );
            }
        }
    }
}

fn leads_to(url: &str, host: &str) -> bool {
    Url::parse(url).is_ok_and(|url| canonical_host(&url.host) == canonical_host(host))
}

/// Only the kind that counts: the two readers of the file do not agree which one that is.
fn auth(credential: &Credential, losses: &mut Losses) -> Option<Vec<(&'static str, String)>> {
    let auth: &Auth = &credential.auth;
    let fields = if let Some((user, password)) = auth.user_password() {
        vec![("username", user), ("password", password.expose().to_owned())]
    } else if let Some(token) = auth.identity_token.as_ref().filter(|token| !token.is_empty()) {
        vec![("identity_token", token.expose().to_owned())]
    } else {
        let encoded = auth.auth.as_ref().filter(|encoded| !encoded.is_empty())?;
        vec![("auth", encoded.expose().to_owned())]
    };
    // Go writes these into config.toml in a way that TOML does not know, and containerd does not start.
    let breaks = |letter: char| {
        letter == '\u{7f}'
            || letter.is_ascii_control() && !matches!(letter, '\t' | '\n' | '\r' | '\u{8}' | '\u{c}')
    };
    if fields.iter().any(|(_, text)| text.contains(breaks)) {
        losses.add(
            credential.scope.span,
            format!("the credential for `{}`", credential.scope.value),
            "a control character in it would keep containerd from starting",
            "use another password",
        );
        return None;
    }
    Some(fields)
}

fn certificates(host: &str, trust: &Trust, config: &mut Config, losses: &mut Losses) {
    let tls = &trust.tls;
    if let Some(ca) = tls.ca.first() {
        config.tls.push(("ca_file", ca.value.clone()));
    }
    if let Some((certificate, key)) = tls.client.first() {
        // Without a key containerd reads the directory in its place, and the pull fails.
        let key = if key.is_empty() { certificate } else { key };
        config.tls.push(("cert_file", certificate.value.clone()));
        config.tls.push(("key_file", key.value.clone()));
    }
    for second in tls
        .ca
        .get(1)
        .into_iter()
        .chain(tls.client.get(1).map(|(second, _)| second))
    {
        losses.add(
            second.span,
            format!("the second file `{}` for `{host}`", second.value),
            "registries.yaml has one authority and one certificate for each host",
            "put all authorities into one file",
        );
    }
    config.skip_verify = tls.skip_verify.as_ref().is_some_and(|skip| skip.value);
}
