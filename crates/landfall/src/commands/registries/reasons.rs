//! The lines of the user's files that made an attempt what it is.

use landfall_registries::Attempt;

use super::configuration::Configured;

/// What each line decided, and where it is. Nothing for what a program does by itself.
pub(super) fn of(attempt: &Attempt, configured: &Configured) -> Vec<(&'static str, String)> {
    let because = &attempt.because;
    let all = [
        ("endpoint", because.endpoint),
        ("rewrite", because.rewrite),
        ("credential", because.credential),
        ("TLS", because.tls),
    ];
    all.into_iter()
        .filter_map(|(what, span)| Some((what, configured.shown(span?)?)))
        .collect()
}
