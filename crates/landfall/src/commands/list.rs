//! `list`: the names in a bundle, as a list that `save` reads.

use landfall_bundle::Bundle;
use landfall_bundle::foreign::Look;
use serde_json::json;

use super::Context;
use crate::args::List;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{archives, out};

pub(crate) fn run(args: &List, context: Context) -> Result<Exit, Failure> {
    let quiet = context.quiet || args.output.output == Output::Json;
    let names = match archives::look(&args.bundle, &args.spool, quiet)? {
        Look::Bundle(bundle) => names(&bundle),
        Look::Docker(images) => images.into_iter().flat_map(|image| image.names).collect(),
    };
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", json!({"images": names}))),
        Output::Text => out::result(&names.iter().map(|name| format!("{name}\n")).collect::<String>()),
    }
    Ok(Exit::Complete)
}

fn names(bundle: &Bundle) -> Vec<String> {
    let name = |image: &landfall_bundle::BundleImage| match &image.reference {
        Some(reference) => bundle.written_name(reference),
        None => image.name.clone(),
    };
    bundle.images().iter().map(name).collect()
}
