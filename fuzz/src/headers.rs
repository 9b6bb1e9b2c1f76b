//! Headers, of requests and of answers.

use landfall_auth::Challenge;
use landfall_client::fuzzing as client;
use landfall_server::{WantedRange, parse_chunk_range, parse_range};

use crate::text;

/// `Range` of a request: the first eight bytes are the length of what is asked of.
pub fn range(data: &[u8]) {
    let Some((len, header)) = data.split_first_chunk::<8>() else {
        return;
    };
    let len = u64::from_le_bytes(*len);
    let Some(header) = text(header) else { return };
    match parse_range(Some(header), len) {
        WantedRange::Part(part) => {
            assert!(part.start < part.end && part.end <= len, "{part:?} of {len}");
            let again = format!("bytes={}-{}", part.start, part.end - 1);
            assert_eq!(parse_range(Some(&again), len), WantedRange::Part(part));
        }
        WantedRange::All => {}
        WantedRange::Unsatisfiable => assert!(header.contains('-')),
    }
}

/// `Content-Range` of a chunk (server) and of an answer (client), and the client's reading of an upload's `Range`.
pub fn content_range(data: &[u8]) {
    let Some(header) = text(data) else { return };
    if let Ok(chunk) = parse_chunk_range(header) {
        assert!(chunk.len > 0);
        if let Some(end) = chunk.start.checked_add(chunk.len - 1) {
            let again = format!("{}-{end}", chunk.start);
            let saturated = chunk.len == u64::MAX;
            assert!(saturated || parse_chunk_range(&again) == Ok(chunk), "{again}");
        }
    }
    if let Some((first, last, length)) = client::content_range(header) {
        assert!(first <= last && length.is_none_or(|length| last < length));
        let length_text = length.map_or("*".to_owned(), |length| length.to_string());
        let again = format!("bytes {first}-{last}/{length_text}");
        assert_eq!(client::content_range(&again), Some((first, last, length)));
    }
    for confirmed in [0, 1, 1000] {
        if let Some(uploaded) = client::uploaded(header, confirmed) {
            let again = match uploaded {
                0 => continue,
                uploaded => format!("0-{}", uploaded - 1),
            };
            assert_eq!(client::uploaded(&again, confirmed.max(1)), Some(uploaded));
        }
    }
}

/// `WWW-Authenticate`.
pub fn www_authenticate(data: &[u8]) {
    let Some(header) = text(data) else { return };
    let challenges = Challenge::parse(header);
    let printed: Vec<String> = challenges.iter().map(print).collect();
    assert_eq!(Challenge::parse(&printed.join(", ")), challenges);
}

fn print(challenge: &Challenge) -> String {
    let parameter = |name: &str, value: &Option<String>| {
        let quoted = value
            .as_ref()
            .map(|value| value.replace('\\', "\\\\").replace('"', "\\\""));
        quoted.map(|value| format!("{name}=\"{value}\""))
    };
    let (scheme, parameters) = match challenge {
        Challenge::Basic { realm } => ("Basic", vec![parameter("realm", realm)]),
        Challenge::Bearer {
            realm,
            service,
            scope,
            error,
        } => (
            "Bearer",
            vec![
                parameter("realm", &Some(realm.clone())),
                parameter("service", service),
                parameter("scope", scope),
                parameter("error", error),
            ],
        ),
        Challenge::Other { scheme } => (scheme.as_str(), Vec::new()),
    };
    let parameters: Vec<String> = parameters.into_iter().flatten().collect();
    format!("{scheme} {}", parameters.join(", "))
}

/// `Link`.
pub fn link(data: &[u8]) {
    let Some(header) = text(data) else { return };
    if let Some(target) = client::next_link(header) {
        assert!(!target.contains('>') && header.contains(target));
        let again = format!("<{target}>; rel=\"next\"");
        assert_eq!(client::next_link(&again), Some(target));
    }
}
