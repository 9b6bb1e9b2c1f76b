//! The query part of a request.

use percent_encoding::percent_decode_str;

/// Keys and values, decoded. A `+` is a plus: media types hold them, and nothing asked of a registry holds a space.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let pairs = text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// The same for what HTML forms write, where a `+` is a space.
    pub(crate) fn parse_form(text: &str) -> Self {
        Self::parse(Some(&text.replace('+', " ")))
    }

    pub(crate) fn get(&self, key: &'static str) -> Option<&str> {
        self.all(key).next()
    }

    pub(crate) fn all(&self, key: &'static str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == key)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_may_repeat() {
        let query = Query::parse(Some("tag=a&tag=b%2Ec&artifactType=application/x+json&empty&n=3"));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b.c"]);
        assert_eq!(query.get("artifactType"), Some("application/x+json"));
        assert_eq!(query.get("empty"), Some(""));
        assert_eq!(query.get("none"), None);
        assert_eq!(Query::parse(None).get("n"), None);
        let form = Query::parse_form("scope=a+b&password=x%2By+z");
        assert_eq!(
            (form.get("scope"), form.get("password")),
            (Some("a b"), Some("x+y z"))
        );
    }
}
