//! How containerd gets a token: which requests a token server sees, and what comes of them.

use std::collections::BTreeSet;

use landfall_registries::Presented;
use landfall_testkit::farm::Tokens;
use percent_encoding::percent_decode_str;

/// The fetching of one token.
pub(crate) struct Flow {
    /// The requests.
    pub(crate) lines: Vec<String>,
    /// What came of them.
    pub(crate) outcome: Result<(), String>,
}

impl Flow {
    /// After this challenge to a request for this repository.
    pub(crate) fn new(challenge: &str, tokens: &Tokens, presented: &Presented, repository: &str) -> Self {
        let failed = || Err("no token".to_owned());
        let realm = parameter(challenge, "realm").unwrap_or_default();
        if realm.is_empty() || realm.contains("nowhere.invalid") {
            let (lines, outcome) = (Vec::new(), failed());
            return Self { lines, outcome };
        }
        let mut scopes = BTreeSet::from([format!("repository:{repository}:pull")]);
        let more = parameter(challenge, "scope").unwrap_or_default();
        scopes.extend(
            more.split(' ')
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned),
        );
        let scopes: Vec<String> = scopes.into_iter().collect();
        let answers = answers(tokens, presented);
        Self {
            lines: answers
                .iter()
                .map(|(method, _)| line(method, realm, &scopes))
                .collect(),
            outcome: match answers.last() {
                Some((_, 200)) => Ok(()),
                _ => failed(),
            },
        }
    }
}

/// The requests by method, with their answers: a form first where there is a secret, the old way where that is not
/// understood.
fn answers(tokens: &Tokens, presented: &Presented) -> Vec<(&'static str, u16)> {
    let right = |user: &str, password: &str| {
        tokens
            .account
            .as_ref()
            .is_none_or(|(u, p)| (u.as_str(), p.as_str()) == (user, password))
    };
    let got = |status: u16, ok: bool| if status == 200 && !ok { 401 } else { status };
    let anonymous = vec![("GET", got(tokens.get, tokens.account.is_none()))];
    let (user, post, get) = match presented {
        Presented::Anonymous | Presented::Broken(_) => return anonymous,
        Presented::Basic { password, .. } if password.is_empty() => return anonymous,
        Presented::Basic { username, password } => {
            let ok = right(username, password.expose());
            (true, got(tokens.post, ok), got(tokens.get, ok))
        }
        Presented::IdentityToken(token) => {
            let ok = tokens
                .account
                .as_ref()
                .is_none_or(|(_, password)| password == token.expose());
            // By GET the token stands as the password of nobody.
            (
                false,
                got(tokens.post, ok),
                got(tokens.get, right("", token.expose())),
            )
        }
    };
    let mut all = vec![("POST", post)];
    if matches!(post, 404 | 401 | 400) || post == 405 && user {
        all.push(("GET", get));
    }
    all
}

/// A request to a token server as both sides write it.
pub(crate) fn line(method: &str, realm: &str, scopes: &[String]) -> String {
    format!("{method} {realm} for {}", scopes.join(" "))
}

/// The scopes of a query or a form.
pub(crate) fn scopes(encoded: &str) -> Vec<String> {
    let values = encoded.split('&').filter_map(|pair| pair.strip_prefix("scope="));
    let decoded = values.map(|value| {
        percent_decode_str(&value.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    });
    decoded
        .flat_map(|value| value.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
