//! Settings that cannot be meant together, each with the key that is to blame.

use super::Settings;

/// A key, when it is wrong, and what to say about it.
type Contradiction = (&'static str, fn(&Settings) -> bool, &'static str);

const NEEDS_BOTH: &str = "a certificate needs its key: give both --tls-cert and --tls-key";
const ONLY_ONE: &str = "only one of --tls-cert, --tls-self-signed and --plain-http can be had";

const ALL: [Contradiction; 18] = [
    (
        "tls-cert",
        |set| set.tls_cert.is_some() && set.tls_key.is_none(),
        NEEDS_BOTH,
    ),
    (
        "tls-key",
        |set| set.tls_key.is_some() && set.tls_cert.is_none(),
        NEEDS_BOTH,
    ),
    (
        "tls-self-signed",
        |set| set.tls_self_signed.is_some() && (set.tls_cert.is_some() || is_plain(set)),
        ONLY_ONE,
    ),
    (
        "plain-http",
        |set| is_plain(set) && set.tls_cert.is_some(),
        ONLY_ONE,
    ),
    (
        "tokens",
        |set| set.tokens == Some(true) && set.token_key().is_none(),
        "--tokens needs a place for their key: --token-key FILE, or a --root DIR",
    ),
    (
        "client-cert-required",
        |set| set.client_cert_required == Some(true) && set.client_ca.is_none(),
        "--client-cert-required needs --client-ca FILE",
    ),
    (
        "client-ca",
        |set| set.client_ca.is_some() && set.tls_cert.is_none() && set.tls_self_signed.is_none(),
        "--client-ca needs TLS: --tls-self-signed DIR, or --tls-cert and --tls-key",
    ),
    (
        "client-ca",
        |set| set.client_ca.is_some() && !is_closed(set),
        "--client-ca alone would let everybody do everything, also without a certificate: add --client-cert-required, \
         or --rules FILE that say who may do what",
    ),
    (
        "tls-name",
        |set| !set.tls_name.is_empty() && set.tls_self_signed.is_none(),
        "--tls-name is for a certificate made by --tls-self-signed",
    ),
    (
        "upstreams",
        |set| set.upstreams.is_some() && set.cache().is_none(),
        "--upstreams needs a place for what it fetches: --cache DIR, or a --root DIR",
    ),
    (
        "cache",
        |set| set.cache.is_some() && set.cache == set.root,
        "--cache and --root are the same directory: what is in a cache may go at any time, so it needs one of its own",
    ),
    (
        "cache",
        |set| set.cache.is_some() && set.upstreams.is_none(),
        "--cache is for what --upstreams FILE fetches: give that too",
    ),
    (
        "cache-size",
        |set| set.cache_size.is_some() && set.upstreams.is_none(),
        "--cache-size is for what --upstreams FILE fetches: give that too",
    ),
    (
        "tag-ttl",
        |set| set.tag_ttl.is_some() && set.upstreams.is_none(),
        "--tag-ttl is for what --upstreams FILE fetches: give that too",
    ),
    (
        "missing-ttl",
        |set| set.missing_ttl.is_some() && set.upstreams.is_none(),
        "--missing-ttl is for what --upstreams FILE fetches: give that too",
    ),
    (
        "upstream-network",
        |set| !set.upstream_network.is_empty() && set.upstreams.is_none(),
        "--upstream-network is for what --upstreams FILE fetches: give that too",
    ),
    (
        "upstream-realm",
        |set| !set.upstream_realm.is_empty() && set.upstreams.is_none(),
        "--upstream-realm is for what --upstreams FILE fetches: give that too",
    ),
    (
        "upstream-bare",
        |set| set.upstream_bare.is_some() && set.upstreams.is_none(),
        "--upstream-bare is for what --upstreams FILE fetches: give that too",
    ),
];

fn is_plain(set: &Settings) -> bool {
    set.plain_http == Some(true)
}

fn is_closed(set: &Settings) -> bool {
    set.htpasswd.is_some() || set.rules.is_some() || set.client_cert_required == Some(true)
}

/// The key of the first contradiction, and what to say about it.
pub(super) fn first(set: &Settings) -> Option<(&'static str, &'static str)> {
    let found = ALL.iter().find(|(_, is_wrong, _)| is_wrong(set));
    found.map(|(key, _, text)| (*key, *text))
}
