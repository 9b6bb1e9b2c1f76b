//! AWS's side of Signature Version 4: whether a request was signed by whom it says, for here and now.

use aws_lc_rs::{digest, hmac};

use super::service::Asked;

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is none, or it is not readable.
    Missing(String),
    /// It does not fit the request; with what was expected.
    Mismatch(String),
}

/// What an `Authorization` header says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) id: String,
    pub(super) day: String,
    pub(super) region: String,
    pub(super) service: String,
    names: Vec<String>,
    signature: String,
}

impl Claim {
    pub(super) fn read(asked: &Asked) -> Result<Self, Wrong> {
        let missing = |what: &str| Wrong::Missing(what.to_owned());
        let header = asked.header("authorization");
        let fields = header
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or_else(|| missing("algorithm"))?;
        let field = |name: &str| {
            let mut fields = fields.split(", ");
            let found = fields.find_map(|field| field.strip_prefix(&format!("{name}=")));
            found.ok_or_else(|| missing(name))
        };
        let credential: Vec<&str> = field("Credential")?.split('/').collect();
        let [id, day, region, service, "aws4_request"] = credential[..] else {
            return Err(missing("scope"));
        };
        let names: Vec<String> = field("SignedHeaders")?.split(';').map(str::to_owned).collect();
        // What must be signed (AWS: the host, and everything that begins with x-amz-).
        let amz = asked.headers.keys().map(http::HeaderName::as_str);
        for name in amz.filter(|name| name.starts_with("x-amz-")).chain(["host"]) {
            if !names.iter().any(|signed| signed == name) {
                return Err(missing(name));
            }
        }
        if !names.is_sorted() {
            return Err(missing("order"));
        }
        Ok(Self {
            id: id.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signature: field("Signature")?.to_owned(),
            names,
        })
    }

    /// Computes the signature anew.
    pub(super) fn check(&self, asked: &Asked, secret: &str) -> Result<(), Wrong> {
        let mut lines = vec![
            asked.method.to_string(),
            asked.uri.path().to_owned(),
            asked.uri.query().unwrap_or_default().to_owned(),
        ];
        for name in &self.names {
            let value: Vec<&str> = asked.header(name).split_whitespace().collect();
            lines.push(format!("{name}:{}", value.join(" ")));
        }
        lines.extend([String::new(), self.names.join(";"), sha256(&asked.body)]);
        let canonical = lines.join("\n");
        let date = asked.header("x-amz-date");
        let scope = [&self.day, &self.region, &self.service]
            .map(String::as_str)
            .join("/");
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}/aws4_request\n{}",
            sha256(canonical.as_bytes())
        );
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [self.day.as_str(), &self.region, &self.service, "aws4_request"] {
            key = mac(&key, part);
        }
        match date.starts_with(&self.day) && hex(&mac(&key, &text)) == self.signature {
            true => Ok(()),
            false => Err(Wrong::Mismatch(canonical)),
        }
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970 of `20150830T123600Z`.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let years: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: i64 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    Some((years + months + day - 1) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    /// `get-vanilla` of AWS's published test suite.
    #[test]
    fn the_published_example_is_accepted_and_nothing_else() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.amazonaws.com".parse().unwrap());
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        headers.insert("authorization", value.parse().unwrap());
        let mut asked = Asked {
            method: Method::GET,
            uri: "/".parse().unwrap(),
            headers,
            body: Bytes::new(),
        };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let claim = Claim::read(&asked).unwrap();
        assert_eq!(claim.id, "AKIDEXAMPLE");
        assert_eq!(claim.check(&asked, secret), Ok(()));
        assert!(claim.check(&asked, "other").is_err());
        asked.body = Bytes::from_static(b"x");
        assert!(claim.check(&asked, secret).is_err());
        asked.headers.insert("x-amz-target", "T".parse().unwrap());
        assert_eq!(Claim::read(&asked), Err(Wrong::Missing("x-amz-target".into())));
        assert_eq!(seconds("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(seconds("20240229T000000Z"), Some(1_709_164_800));
    }
}
