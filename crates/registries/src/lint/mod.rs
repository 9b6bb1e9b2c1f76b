//! What is wrong with a registries.yaml, said so that a person who has never seen a hosts.toml knows what the node will
//! do and what to type instead.
//!
//! The rules are listed in [`RULES`]; one file per family finds them. Nothing here touches a disk: what is known of the
//! node (files, times, flags) comes in with [`Input`].

mod catalogue;
mod certificates;
mod consumers;
mod context;
mod credentials;
mod defaults;
mod edit;
mod endpoints;
mod fatal;
mod fields;
mod keys;
mod node;
mod overlaps;
mod rewrites;
mod schema;
mod secrets;
mod syntax;
mod tls;

pub use catalogue::RULES;
pub use node::{Content, Files, NoFiles, OnNode, Template};
pub use secrets::{redacted, url_passwords};

use std::collections::HashSet;

use landfall_diag::{Diagnostic, SourceId};

use crate::k3s::Options;
use crate::registries_yaml::Reading;
use context::Context;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The file's number; all places are in it.
    pub source: SourceId,
    /// The file's text.
    pub text: &'a str,
    /// The same, read.
    pub reading: &'a Reading,
    /// Which program of which release reads it, started with which flags.
    pub options: &'a Options,
    /// What is known of the node.
    pub node: &'a OnNode<'a>,
}

/// Applies all rules. The findings come in the order of the file, those about the file as a whole first.
#[must_use]
pub fn check(input: &Input<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    syntax::check(input, &mut found);
    if let Some(root) = input
        .reading
        .document
        .as_ref()
        .and_then(|document| document.root.as_ref())
    {
        schema::check(input, root, &mut found);
    }
    match &input.reading.registries {
        Err(error) => fatal::check(input, error, &mut found),
        Ok(file) => {
            let context = Context::new(input, file);
            keys::check(&context, &mut found);
            endpoints::check(&context, &mut found);
            rewrites::check(&context, &mut found);
            credentials::check(&context, &mut found);
            tls::check(&context, &mut found);
            defaults::check(&context, &mut found);
            consumers::check(&context, &mut found);
            node::check(&context, &mut found);
        }
    }
    in_order(found)
}

/// By place; what an alias says twice is said once.
fn in_order(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by_key(|one| {
        let place = one.primary.as_ref().map(|label| label.span.start);
        (place, one.code)
    });
    let mut seen = HashSet::new();
    found.retain(|one| {
        let place = one.primary.as_ref().map(|label| label.span);
        seen.insert((one.code, place, one.message.clone()))
    });
    found
}
