//! Intents by the thousand.

use landfall_diag::{SourceId, Span, Spanned};
use landfall_oci::Secret;
use landfall_registries::intent::{
    Asked, Base, Credential, Endpoint, Header, Intent, Match, Registry, Rule, RuleKind, Scheme, Scope,
    Subject, Trust, Upstream,
};
use landfall_registries::{Auth, Tls};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::oracle::HOSTS;

pub(crate) const HERE: Span = Span {
    source: SourceId(0),
    start: 3,
    end: 5,
};

pub(crate) fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, HERE)
}

fn host() -> impl Strategy<Value = String> {
    proptest::sample::select(&HOSTS[..]).prop_map(str::to_owned)
}

fn rule() -> impl Strategy<Value = Rule> {
    let prefix = |from: &'static str, to: &'static str| RuleKind::Prefix {
        from: from.to_owned(),
        to: to.to_owned(),
    };
    prop_oneof![
        4 => Just(prefix("rancher/", "m/")),
        2 => Just(prefix("rancher/a/", "deep/er/")),
        4 => Just(prefix("", "all/")),
        2 => Just(prefix("org/", "")),
        2 => Just(prefix("org/", "org/")),
        1 => Just(prefix("rancher", "m")),
        1 => Just(prefix("org/", "glued-")),
        1 => Just(RuleKind::Regex { pattern: "^(a|b)/".to_owned(), replacement: "x/".to_owned() }),
    ]
    .prop_map(|kind| Rule { kind, span: HERE })
}

fn base() -> impl Strategy<Value = Base> {
    prop_oneof![
        6 => Just(Base::V2(String::new())),
        3 => Just(Base::V2("proxy".to_owned())),
        2 => Just(Base::V2("proxy/hub".to_owned())),
        1 => Just(Base::Verbatim("/mirror".to_owned())),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let asked = prop_oneof![6 => Just(Asked::Always), 1 => Just(Asked::ByDigest), 1 => Just(Asked::ByTag)];
    let scheme = prop_oneof![6 => Just(Scheme::Https), 1 => Just(Scheme::Http)];
    (
        host(),
        scheme,
        base(),
        vec(rule(), 0..3),
        asked,
        rarely(),
        rarely(),
        rarely(),
    )
        .prop_map(
            |(host, scheme, base, rewrites, asked, push, header, timeout)| Endpoint {
                scheme,
                base,
                rewrites,
                asked: at(asked),
                push: push.then_some(HERE),
                headers: header
                    .then(|| Header {
                        name: at("x-key".to_owned()),
                        values: vec![at(Secret::new("secret"))],
                    })
                    .into_iter()
                    .collect(),
                dial_timeout: timeout.then(|| at("5s".to_owned())),
                ..Endpoint::new(host, HERE)
            },
        )
}

fn rarely() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.04)
}

fn matches() -> impl Strategy<Value = Match> {
    let namespace = prop_oneof![Just("rancher"), Just("org"), Just("org/team")];
    prop_oneof![
        8 => proptest::sample::select(&HOSTS[..]).prop_map(|host| Match::Exact(host.to_owned())),
        2 => (proptest::sample::select(&HOSTS[..]), namespace).prop_map(|(host, namespace)| Match::Prefix {
            host: host.to_owned(),
            namespace: namespace.to_owned(),
        }),
        1 => Just(Match::Domain("example.com".to_owned())),
        1 => Just(Match::Wildcard),
    ]
}

fn registry() -> impl Strategy<Value = Registry> {
    let upstream =
        prop_oneof![4 => Just(Upstream::Allow), 3 => Just(Upstream::Deny), 1 => Just(Upstream::Blocked)];
    (matches(), upstream, vec(endpoint(), 0..4)).prop_map(|(matches, upstream, endpoints)| Registry {
        matches: at(matches),
        upstream: at(upstream),
        endpoints,
    })
}

fn credential() -> impl Strategy<Value = Credential> {
    let auth = prop_oneof![
        ("[a-z$ü\"]{1,6}", "[ -~ü]{0,8}").prop_map(|(user, password)| Auth {
            username: Some(at(user)),
            password: Some(at(Secret::from(password))),
            ..Auth::default()
        }),
        "[a-zA-Z0-9]{4,9}".prop_map(|token| Auth {
            identity_token: Some(at(Secret::from(token))),
            ..Auth::default()
        }),
    ];
    let namespace = prop_oneof![5 => Just(""), 1 => Just("org")];
    (host(), namespace, auth).prop_map(|(host, namespace, auth)| Credential {
        scope: at(Scope {
            namespace: namespace.to_owned(),
            ..Scope::host(&host)
        }),
        auth,
    })
}

fn trust() -> impl Strategy<Value = Trust> {
    let file = |name: &'static str| Just(at(format!("/etc/keys/{name}")));
    let client = option::of((file("me.pem"), file("me.key")));
    let insecure = prop_oneof![
        4 => Just((false, false)),
        2 => Just((true, true)),
        1 => Just((true, false)),
        1 => Just((false, true)),
    ];
    let subject = prop_oneof![
        9 => host().prop_map(Subject::Host),
        1 => Just(Subject::Network("10.0.0.0/8".to_owned())),
    ];
    (subject, vec(file("ca.pem"), 0..2), client, insecure).prop_map(|(subject, ca, client, (skip, plain))| {
        let network = matches!(subject, Subject::Network(_));
        let (skip, plain) = (skip || network, plain || network);
        Trust {
            subject: at(subject),
            tls: Tls {
                ca: if network { Vec::new() } else { ca },
                client: client.filter(|_| !network).into_iter().collect(),
                skip_verify: skip.then(|| at(true)),
            },
            plain_http: plain.then(|| at(true)),
        }
    })
}

/// An intent in which nothing is said twice.
pub(crate) fn intent() -> impl Strategy<Value = Intent> {
    (vec(registry(), 0..5), vec(credential(), 0..3), vec(trust(), 0..3)).prop_map(
        |(mut registries, mut credentials, mut trust)| {
            registries.sort_by(|a, b| a.matches.value.cmp(&b.matches.value));
            registries.dedup_by(|a, b| a.matches == b.matches);
            credentials.sort_by(|a, b| a.scope.value.cmp(&b.scope.value));
            credentials.dedup_by(|a, b| a.scope == b.scope);
            trust.sort_by(|a, b| a.subject.value.cmp(&b.subject.value));
            trust.dedup_by(|a, b| a.subject == b.subject);
            Intent {
                registries,
                credentials,
                trust,
            }
        },
    )
}
