//! Rules of misbehaviour: on which requests, how often, and what then goes wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::record::Request;
use super::route::Kind;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An answer of this status instead of the real one.
    Status {
        /// 429, 503, 500, 405, 507, …
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
        /// The code in the error body (`TOOMANYREQUESTS`, `UNSUPPORTED`, …); no body when empty.
        code: &'static str,
    },
    /// The connection is reset (RST) after so many bytes of the body.
    Reset {
        /// Bytes of the body that are sent before.
        after: u64,
    },
    /// The connection is closed (FIN) after so many bytes, though Content-Length promised more.
    Cut {
        /// Bytes of the body that are sent before.
        after: u64,
    },
    /// A well-formed answer whose body, and Content-Length, is shorter than the blob.
    Short {
        /// Length of the body.
        len: u64,
    },
    /// One byte of the body is another.
    Flip {
        /// Which one, from the start of this body.
        at: u64,
    },
    /// `Docker-Content-Digest` names something else.
    WrongDigestHeader,
    /// Nothing more comes after so many bytes (slow loris); then the connection is closed.
    Stall {
        /// Bytes of the body that are sent before.
        after: u64,
        /// For how long nothing comes.
        pause: Duration,
    },
    /// Nothing at all comes for a while, then the right answer.
    Delay {
        /// For how long.
        pause: Duration,
    },
    /// `Range` is ignored: 200 with everything.
    NoRange,
    /// The connection is reset when so many bytes of the request's body have been read.
    DropUpload {
        /// Bytes that are read before.
        after: u64,
    },
    /// The request is carried out, but the connection is reset instead of an answer.
    NoAnswer,
    /// 307 to another place.
    Redirect {
        /// The full URL.
        location: String,
    },
    /// 200 with this instead.
    Replace {
        /// The media type.
        content_type: &'static str,
        /// The body.
        body: Bytes,
    },
}

impl Fault {
    /// A bare status with an error code.
    pub fn status(status: u16, code: &'static str) -> Self {
        Self::Status {
            status,
            retry_after: None,
            code,
        }
    }

    /// 429 with `Retry-After`.
    pub fn too_many(retry_after_seconds: u64) -> Self {
        Self::Status {
            status: 429,
            retry_after: Some(retry_after_seconds),
            code: "TOOMANYREQUESTS",
        }
    }
}

/// Which requests a rule is about.
type Condition = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// One rule.
#[derive(Clone)]
pub struct Rule {
    kinds: Vec<Kind>,
    condition: Option<Condition>,
    skip: u64,
    times: u64,
    fault: Fault,
}

impl Rule {
    /// The fault on every request of this kind.
    pub fn on(kind: Kind, fault: Fault) -> Self {
        Self {
            kinds: vec![kind],
            condition: None,
            skip: 0,
            times: u64::MAX,
            fault,
        }
    }

    /// The fault on every request.
    pub fn always(fault: Fault) -> Self {
        Self {
            kinds: Vec::new(),
            ..Self::on(Kind::Other, fault)
        }
    }

    /// Also on requests of this kind.
    #[must_use]
    pub fn or(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Only the first so many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Not on the first so many requests that fit.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Only when the path contains this text: a digest, a repository.
    #[must_use]
    pub fn path(self, part: impl Into<String>) -> Self {
        let part = part.into();
        self.when(move |request| request.path.contains(&part))
    }

    /// Only when this holds.
    #[must_use]
    pub fn when(mut self, condition: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        let earlier = self.condition.take();
        self.condition = Some(Arc::new(move |request| {
            earlier.as_ref().is_none_or(|earlier| earlier(request)) && condition(request)
        }));
        self
    }

    fn fits(&self, request: &Request) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&request.kind))
            && self.condition.as_ref().is_none_or(|condition| condition(request))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kinds,
            skip,
            times,
            fault,
            ..
        } = self;
        write!(f, "{fault:?} on {kinds:?} (after {skip}, {times} times)")
    }
}

/// The rules in force; the first that fits decides.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    pub(super) fn push(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault for this request; counts it.
    pub(super) fn take(&mut self, request: &Request) -> Option<Fault> {
        for rule in &mut self.rules {
            if rule.times == 0 || !rule.fits(request) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.fault.clone());
        }
        None
    }
}
