//! The words of an error, without what CRI and the client put around them or leave out.

/// What stands before a failed fetch.
const FETCH: &str = "failed to copy: httpReadSeeker: failed open: ";

/// As a real containerd shows it.
pub(crate) fn real(message: &str) -> String {
    let behind = message.split_once("\": ").map_or("", |(_, rest)| rest);
    let behind = behind.strip_prefix(FETCH).unwrap_or(behind);
    // The media type, which the simulation is not told of.
    let plain = match (behind.find(" (application/"), behind.find(") from remote")) {
        (Some(start), Some(end)) if start < end => [&behind[..start], &behind[end + 1..]].concat(),
        _ => behind.to_owned(),
    };
    normal(&plain)
}

/// As we tell it.
pub(crate) fn expected(told: &str) -> String {
    normal(told)
}

/// CRI of 2.x hides queries, 1.6 formats URLs a second time: both spoil `ns=`.
fn normal(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some(at) = rest.find("?ns=") {
        out.push_str(&rest[..at]);
        let query = &rest[at..];
        let end = query.find(['"', ' ']).unwrap_or(query.len());
        let end = query[..end].trim_end_matches(':').len();
        out.push_str("?ns=…");
        rest = &query[end..];
    }
    out + rest
}
