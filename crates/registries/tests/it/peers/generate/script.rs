//! What the registries of a case answer, and which credentials the node has for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_testkit::farm::{Guard, Reaction, Script, Tokens};
use landfall_testkit::peers::node::Account;

use super::{Generator, Place};
use crate::peers::pki::Security;

impl Generator {
    pub(super) fn script(&mut self, place: &Place) -> Script {
        let guard = self.guard(place);
        if guard != Guard::Open || self.chance(10) {
            self.account(&place.host);
        }
        let image = if self.chance(75) {
            Some(self.image.clone())
        } else {
            None
        };
        Script {
            guard,
            tokens: self.tokens(),
            head_manifest: self.reactions(55),
            get_manifest: self.reactions(85),
            head_blob: self.reactions(60),
            get_blob: self.reactions(85),
            image,
        }
    }

    fn guard(&mut self, place: &Place) -> Guard {
        let scheme = if place.security == Security::Plain {
            "http"
        } else {
            "https"
        };
        match self.random.below(20) {
            0..=11 => Guard::Open,
            12..=14 => Guard::Basic {
                user: "admin".to_owned(),
                password: "Harbor12345".to_owned(),
            },
            15..=18 => {
                let port_of_scheme = format!("{scheme}://{}/token", place.host);
                let realm = match self.random.below(12) {
                    0 => "https://nowhere.invalid/token".to_owned(),
                    1 => String::new(),
                    _ => port_of_scheme,
                };
                let more = self.pick(&[
                    "",
                    r#",service="stub""#,
                    r#",service="stub",scope="repository:other/name:pull""#,
                    r#",scope="repository:other/name:pull repository:more:pull,push",service="stub""#,
                    r#",service="stub",error="insufficient_scope""#,
                    r#",service="stub",error="invalid_token""#,
                ]);
                Guard::Bearer {
                    realm,
                    more: more.to_owned(),
                }
            }
            _ => {
                let challenges: &[&str] = self.pick(&[
                    [].as_slice(),
                    &["Negotiate"],
                    &[r#"Digest realm="x""#],
                    &[
                        r#"Basic realm="x""#,
                        r#"Bearer realm="http://nowhere.invalid/token""#,
                    ],
                    &["Basic"],
                    &["Bearer"],
                ]);
                Guard::Closed(challenges.iter().map(|&text| text.to_owned()).collect())
            }
        }
    }

    fn tokens(&mut self) -> Tokens {
        Tokens {
            post: self.pick(&[200, 200, 200, 405, 404, 401, 400, 403, 500]),
            get: self.pick(&[200, 200, 200, 200, 200, 401, 403, 404, 500]),
            account: self
                .chance(50)
                .then(|| ("admin".to_owned(), "Harbor12345".to_owned())),
            useless: self.chance(8),
        }
    }

    /// One to three answers, of which so many of a hundred are what was asked for.
    fn reactions(&mut self, good: u64) -> Vec<Reaction> {
        let count = 1 + self.random.below(2) * self.random.below(3);
        (0..count).map(|_| self.reaction(good)).collect()
    }

    fn reaction(&mut self, good: u64) -> Reaction {
        if self.chance(good) {
            return if self.chance(8) {
                Reaction::NoDigest
            } else {
                Reaction::Serve
            };
        }
        match self.random.below(16) {
            0..=4 => Reaction::Status(404),
            5 => Reaction::Hangup,
            _ => Reaction::Status(self.pick(&[
                403, 403, 401, 400, 405, 406, 408, 410, 418, 429, 500, 500, 501, 502, 503, 503, 504, 300,
                304, 307,
            ])),
        }
    }

    /// A credential for a host, mostly the right one.
    fn account(&mut self, host: &str) {
        let shared = super::SHARED.iter().any(|(name, _)| host.starts_with(name));
        if shared || self.accounts.iter().any(|account| account.host == host) || self.chance(30) {
            return;
        }
        let mut account = Account {
            host: host.to_owned(),
            ..Account::default()
        };
        let password = if self.chance(80) { "Harbor12345" } else { "wrong" };
        match self.random.below(12) {
            0..=5 => (account.username, account.password) = ("admin".to_owned(), password.to_owned()),
            6 | 7 => account.auth = STANDARD.encode(format!("admin:{password}")),
            8 => account.identity_token = password.to_owned(),
            9 => account.username = "admin".to_owned(),
            10 => {
                account.auth = self
                    .pick(&["%%%", "YWRtaW4=", "YWRtaW46", "OnNlY3JldA=="])
                    .to_owned()
            }
            _ => {
                account.identity_token = "refresh".to_owned();
                account.auth = STANDARD.encode(format!("admin:{password}"));
            }
        }
        self.accounts.push(account);
    }
}
