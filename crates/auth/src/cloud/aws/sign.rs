//! AWS Signature Version 4, as far as the services here need it: a `POST` with its body to a path without a query.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use aws_lc_rs::{digest, hmac};
use http::header::{AUTHORIZATION, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Uri};

use super::Keys;
use crate::cloud::calls::sensitive;
use crate::cloud::clock::basic_format;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// For whom a signature is good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a Uri,
    pub(crate) body: &'a [u8],
}

/// Adds the headers that say who asks and prove it; all that are there are signed. `None` when the keys hold what no
/// header may.
#[must_use]
pub(crate) fn sign(
    message: &Message<'_>,
    headers: &mut HeaderMap,
    keys: &Keys,
    scope: Scope<'_>,
    seconds: i64,
) -> Option<()> {
    let time = basic_format(seconds);
    let day = time.get(..8)?;
    let host = HeaderValue::from_str(&host(message.url)?).ok()?;
    headers.insert(HOST, host);
    headers.insert(DATE, HeaderValue::from_str(&time).ok()?);
    if let Some(token) = &keys.session {
        headers.insert(TOKEN, sensitive(token.expose())?);
    }
    let mut named: Vec<(&str, &HeaderValue)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}\n\n", message.method, message.url.path());
    for (name, value) in named {
        canonical += &format!("{name}:{}\n", value.to_str().ok()?.trim());
    }
    canonical += &format!("\n{names}\n{}", sha256_hex(message.body));
    let scope_text = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{scope_text}\n{}",
        sha256_hex(canonical.as_bytes())
    );
    let signature = hex(&mac(
        &signing_key(keys.secret.expose(), day, scope),
        to_sign.as_bytes(),
    ));
    let id = &keys.id;
    let value =
        format!("{ALGORITHM} Credential={id}/{scope_text}, SignedHeaders={names}, Signature={signature}");
    headers.insert(AUTHORIZATION, sensitive(&value)?);
    headers.remove(HOST);
    Some(())
}

/// `Host` as it is sent: without the port that everybody knows.
fn host(url: &Uri) -> Option<String> {
    let usual = if url.scheme_str() == Some("http") { 80 } else { 443 };
    let host = url.host()?;
    Some(match url.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The key of one day, region and service.
fn signing_key(secret: &str, day: &str, scope: Scope<'_>) -> Vec<u8> {
    let first = format!("AWS4{secret}").into_bytes();
    let parts = [day, scope.region, scope.service, "aws4_request"];
    parts
        .into_iter()
        .fold(first, |key, part| mac(&key, part.as_bytes()))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use http::header::CONTENT_TYPE;

    /// 2015-08-30T12:36:00Z, and the keys of AWS's published examples.
    const THEN: i64 = 1_440_938_160;
    const SESSION: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn keys(session: Option<&str>) -> Keys {
        Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(Secret::new),
        }
    }

    fn signature(
        method: &str,
        url: &'static str,
        body: &str,
        json: bool,
        keys: &Keys,
        scope: Scope<'_>,
    ) -> String {
        let mut headers = HeaderMap::new();
        if json {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-amz-json-1.1"),
            );
            let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        } else if method == "POST" {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
        }
        let message = Message {
            method,
            url: &Uri::from_static(url),
            body: body.as_bytes(),
        };
        sign(&message, &mut headers, keys, scope, THEN).unwrap();
        assert!(!headers.contains_key(HOST));
        assert_eq!(headers[DATE], "20150830T123600Z");
        assert!(!format!("{headers:?}").contains("Signature"));
        headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    /// `get-vanilla` of the test suite that AWS publishes.
    #[test]
    fn the_published_example() {
        let scope = Scope {
            service: "service",
            region: "us-east-1",
        };
        assert_eq!(
            signature(
                "GET",
                "https://example.amazonaws.com/",
                "",
                false,
                &keys(None),
                scope
            ),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    /// Signatures of the signer in AWS's SDK for Go (1.47.6) of the same requests.
    #[test]
    fn the_same_as_the_sdk() {
        let scope = |service, region| Scope { service, region };
        let east = "https://api.ecr.us-east-1.amazonaws.com/";
        let found = signature("POST", east, "{}", true, &keys(None), scope("ecr", "us-east-1"));
        assert_eq!(
            found,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ecr/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
             Signature=527a2155e9afc2426cb4c659023df9c031e8103458f349819615ff25111f5de0"
        );
        let china = "https://api.ecr.cn-north-1.amazonaws.com.cn/";
        let found = signature(
            "POST",
            china,
            "{}",
            true,
            &keys(Some(SESSION)),
            scope("ecr", "cn-north-1"),
        );
        let expected = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=ca9a43da5b98b138b68691c4d5de315ec60604ea1874c9e2fa4ae9ed8e8c17c6";
        assert!(found.ends_with(expected), "{found}");
        let body = "Action=AssumeRole&Version=2011-06-15";
        let local = "http://127.0.0.1:4566/";
        let found = signature("POST", local, body, false, &keys(None), scope("sts", "eu-west-1"));
        let expected = "Signature=c06a1c14631500034db8ecd6c9712824b84b1a870c80482c586105e261099cef";
        assert!(found.ends_with(expected), "{found}");
    }

    #[test]
    fn the_usual_port_is_not_part_of_the_host() {
        let shown = |url: &'static str| host(&Uri::from_static(url)).unwrap();
        assert_eq!(shown("https://a.example:443/"), "a.example");
        assert_eq!(shown("http://a.example:443/"), "a.example:443");
        assert_eq!(shown("http://[::1]:80/"), "[::1]");
    }
}
