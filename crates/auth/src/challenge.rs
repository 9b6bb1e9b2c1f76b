//! `WWW-Authenticate` (RFC 9110, 11.6.1): several challenges in one header or in several, quoted strings, and the
//! sloppiness of real servers. Pure, and total: any input gives some list.

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User name and password with each request.
    Basic {
        /// For people.
        realm: Option<String>,
    },
    /// A token from a token server.
    Bearer {
        /// The token server's URL.
        realm: String,
        /// How the registry calls itself there.
        service: Option<String>,
        /// What the refused request would have needed.
        scope: Option<String>,
        /// Why the token that was sent is not enough (`invalid_token`, `insufficient_scope`).
        error: Option<String>,
    },
    /// Anything else.
    Other {
        /// Its name.
        scheme: String,
    },
}

impl Challenge {
    /// Reads the challenges of one header value.
    #[must_use]
    pub fn parse(header: &str) -> Vec<Self> {
        let mut challenges: Vec<(String, Vec<(String, String)>)> = Vec::new();
        let mut rest = Rest(header);
        loop {
            rest.skip(|c| c.is_whitespace() || c == ',');
            let word = rest.word();
            if word.is_empty() {
                if rest.next().is_none() {
                    break;
                }
                continue; // a character that belongs nowhere
            }
            rest.skip(char::is_whitespace);
            let is_parameter = rest.0.starts_with('=') && !challenges.is_empty();
            match challenges.last_mut() {
                Some((_, parameters)) if is_parameter => {
                    rest.skip(|c| c == '=' || c.is_whitespace());
                    parameters.push((word.to_ascii_lowercase(), rest.value()));
                }
                _ => challenges.push((word.to_owned(), Vec::new())),
            }
        }
        challenges
            .into_iter()
            .map(|(scheme, parameters)| Self::build(scheme, parameters))
            .collect()
    }

    fn build(scheme: String, parameters: Vec<(String, String)>) -> Self {
        let take = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key == name);
            found
                .map(|(_, value)| value.clone())
                .filter(|value| !value.is_empty())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            return Self::Basic { realm: take("realm") };
        }
        match take("realm") {
            Some(realm) if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer {
                realm,
                service: take("service"),
                scope: take("scope"),
                error: take("error"),
            },
            _ => Self::Other { scheme },
        }
    }
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(what);
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let next = chars.next();
        self.0 = chars.as_str();
        next
    }

    /// A name: up to white space, comma, equals sign or quote.
    fn word(&mut self) -> &'a str {
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"');
        let (word, rest) = self.0.split_at(self.0.find(is_end).unwrap_or(self.0.len()));
        self.0 = rest;
        word
    }

    /// A value: a quoted string with `\` escapes, or text up to a comma or white space.
    fn value(&mut self) -> String {
        if !self.0.starts_with('"') {
            let is_end = |c: char| c.is_whitespace() || c == ',';
            let (value, rest) = self.0.split_at(self.0.find(is_end).unwrap_or(self.0.len()));
            self.0 = rest;
            return value.to_owned();
        }
        self.next();
        let mut value = String::new();
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => value.extend(self.next()),
                c => value.push(c),
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
            error: None,
        }
    }

    #[test]
    fn docker_hub() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull""#;
        assert_eq!(
            Challenge::parse(header),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/nginx:pull")
            )]
        );
    }

    #[test]
    fn several_in_one_header_and_commas_within_quotes() {
        let header = r#"Negotiate, Basic realm="a, b", Bearer realm="https://t/x", scope="repository:a:pull,push", error="invalid_token""#;
        let found = Challenge::parse(header);
        assert_eq!(
            found[0],
            Challenge::Other {
                scheme: "Negotiate".into()
            }
        );
        assert_eq!(
            found[1],
            Challenge::Basic {
                realm: Some("a, b".into())
            }
        );
        assert!(
            matches!(&found[2], Challenge::Bearer { scope: Some(scope), error: Some(error), .. }
            if scope == "repository:a:pull,push" && error == "invalid_token")
        );
    }

    #[test]
    fn sloppy_writing() {
        assert_eq!(
            Challenge::parse(r#"bearer   realm = https://t/x ,Service= "s\"q""#),
            [bearer("https://t/x", Some("s\"q"), None)]
        );
        assert_eq!(Challenge::parse("BASIC"), [Challenge::Basic { realm: None }]);
        assert_eq!(
            Challenge::parse("Bearer"),
            [Challenge::Other {
                scheme: "Bearer".into()
            }]
        );
        assert_eq!(
            Challenge::parse(r#"Basic realm="open"#),
            [Challenge::Basic {
                realm: Some("open".into())
            }]
        );
        assert_eq!(Challenge::parse(""), []);
        assert_eq!(Challenge::parse(",,, ="), []);
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_ends(text in "[ -~\"\\\\,=\u{e9}]{0,80}") {
            let _ = Challenge::parse(&text);
        }

        #[test]
        fn what_is_quoted_comes_back(realm in "[ -~]{1,30}", service in "[ -~]{1,30}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{}\", service=\"{}\"", quote(&realm), quote(&service));
            proptest::prop_assert_eq!(Challenge::parse(&header), [bearer(&realm, Some(&service), None)]);
        }
    }
}
