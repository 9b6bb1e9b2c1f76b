//! The two ways to a cloud: its services on the internet, through the run's proxies and trust; and the services of this
//! very machine or its link, directly, without patience, because where there is no cloud nobody answers.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use landfall_net::client::{
    HostOptions, NetError, PlainHttp, Proxies, Reach, Request, RequestBody, RetryOptions, ShownUrl, Timeouts,
    Transport, TransportOptions,
};
use serde_json::Value;

use super::failure::Failure;

/// How long nobody may answer on this machine's link until it counts as outside of any cloud.
pub(crate) const LINK_LIMIT: Duration = Duration::from_secs(1);
/// What a metadata service may take once it has answered before.
pub(crate) const LINK_PATIENCE: Duration = Duration::from_secs(5);
/// Tries of a request to the link that was answered with "later".
const LINK_TRIES: u32 = 3;
/// Answers are a few KiB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Files of keys and tokens are a few KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Both ways.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    services: Transport,
    link: Transport,
}

/// A whole answer. Not to be shown: it may be a token.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Calls {
    /// Derives both from the run's options. `plain` are hosts (`host:port`) that the user gave an `http:` URL of.
    /// Reads certificate files.
    pub(crate) fn new(run: &TransportOptions, plain: &[String]) -> Result<Self, NetError> {
        let mut services = run.clone();
        // What was said about registries (`--insecure`, `--plain-http`, a client certificate) is not meant for a cloud.
        services.default_host = HostOptions::default();
        services.hosts = plain
            .iter()
            .map(|host| {
                let plain = HostOptions {
                    plain_http: PlainHttp::Always,
                    ..HostOptions::default()
                };
                (host.clone(), plain)
            })
            .collect();
        services.tls.client_certificate = None;
        // Whom to ask is never a registry's choice; endpoints within a private network are usual.
        services.reach = Reach::Anywhere;
        services.timeouts = Timeouts {
            response: run.timeouts.response.min(Duration::from_secs(30)),
            ..run.timeouts
        };
        services.retry.attempts = run.retry.attempts.min(3);
        let mut link = services.clone();
        link.proxies = Proxies::default();
        link.hosts.clear();
        link.default_host.plain_http = PlainHttp::Always;
        link.timeouts.connect = LINK_LIMIT.min(run.timeouts.connect);
        link.timeouts.response = LINK_LIMIT.min(run.timeouts.response);
        link.timeouts.stall = LINK_LIMIT.min(run.timeouts.stall);
        link.retry = RetryOptions {
            attempts: 1,
            ..run.retry
        };
        Ok(Self {
            services: Transport::new(services)?,
            link: Transport::new(link)?,
        })
    }

    /// Asks a service. Redirects are answers: no such service redirects.
    pub(crate) async fn service(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let request = request.repeatable().stay();
        read(self.services.send(&request).await).await
    }

    /// Asks a service of this machine or its link.
    pub(crate) async fn link(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let request = request.stay();
        let mut pause = Duration::from_millis(100);
        for _ in 1..LINK_TRIES {
            let answer = read(self.link.send(&request).await).await?;
            if !answer.is_later() {
                return Ok(answer);
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        read(self.link.send(&request).await).await
    }

    /// The first question to the link: who does not answer within [`LINK_LIMIT`] is not there.
    pub(crate) async fn knock(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let asked = tokio::time::timeout(LINK_LIMIT, self.link(request)).await;
        match asked {
            Err(_late) => Err(Failure::Absent(format!("no answer within {LINK_LIMIT:?}"))),
            Ok(Err(Failure::Net(_))) => Err(Failure::Absent("no answer".to_owned())),
            Ok(answered) => answered,
        }
    }
}

async fn read(sent: Result<landfall_net::client::Response, NetError>) -> Result<Answer, Failure> {
    let response = sent.map_err(Failure::Net)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match status.is_success() {
        true => response.bytes(MAX_ANSWER_BYTES).await.map_err(Failure::Net)?,
        false => response.error_body().await,
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}

impl Answer {
    /// Whether it says to come back later.
    pub(crate) fn is_later(&self) -> bool {
        matches!(self.status.as_u16(), 429 | 500..)
    }

    /// The body as JSON, whatever the status.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as one line of text, as metadata services answer.
    pub(crate) fn line(&self) -> &str {
        let text = std::str::from_utf8(&self.body).unwrap_or_default();
        text.lines().next().unwrap_or_default().trim()
    }
}

/// A text of a JSON object that is there and not empty.
pub(crate) fn text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// A number of seconds, or the text of one.
pub(crate) fn seconds(json: &Value, name: &str) -> Option<i64> {
    let value = json.get(name)?;
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    // Saturates; a time of the year 9999 is as good as never.
    number.is_finite().then_some(number as i64)
}

/// A `POST` of a form that wants JSON.
pub(crate) fn post_form(url: Uri, form: &Bytes) -> Request<'_> {
    Request::new(Method::POST, url)
        .header(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .body(RequestBody::Bytes(form))
}

/// A `GET` with one header that is no secret.
pub(crate) fn get_with(url: Uri, name: &'static str, value: &'static str) -> Request<'static> {
    Request::new(Method::GET, url).header(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// A header's value that no debug output shows. `None` when it holds what no header may.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A URL of a setting; `whose` names the setting.
pub(crate) fn url(text: &str, whose: &str) -> Result<Uri, Failure> {
    let url = text.parse::<Uri>().ok();
    let is_whole = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    url.filter(is_whole)
        .filter(|url| {
            !url.authority()
                .is_some_and(|authority| authority.as_str().contains('@'))
        })
        .ok_or_else(|| {
            Failure::unusable(
                format!("{whose} is not the URL of a server"),
                "give it as https://host or https://host:port",
            )
        })
}

/// The same URL with this path and query.
pub(crate) fn at(base: &Uri, path: &str) -> Uri {
    landfall_net::client::resolve(base, path).unwrap_or_else(|| base.clone())
}

/// A URL as it may be shown.
pub(crate) fn shown(url: &Uri) -> String {
    ShownUrl::new(url).to_string()
}

/// A small text file. `None` when there is none.
pub(crate) async fn read_file(path: &Path) -> io::Result<Option<String>> {
    let path: PathBuf = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let file = match std::fs::File::open(&path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            file => file?,
        };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
        match text.len() as u64 > MAX_FILE_BYTES {
            true => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is larger than 1 MiB",
            )),
            false => Ok(Some(text)),
        }
    });
    read.await.map_err(io::Error::other)?
}

/// A file that a setting names.
pub(crate) async fn read_named(path: &Path, whose: &str) -> Result<String, Failure> {
    let file = path.display();
    match read_file(path).await {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Failure::unusable(
            format!("{whose} names {file}, which does not exist"),
            "correct the name, or take the setting away",
        )),
        Err(error) => Err(Failure::unusable(
            format!("{file} ({whose}) cannot be read: {error}"),
            "see who may read the file",
        )),
    }
}
