//! `list`: the names in a bundle, as a list that `save` reads.

use landfall_bundle::Bundle;
use serde_json::json;

use crate::args::List;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;
use crate::progress::Output;

pub(crate) fn run(args: &List) -> Result<Exit, Failure> {
    let bundle = Bundle::open(&args.bundle)?;
    let name = |image: &landfall_bundle::BundleImage| match &image.reference {
        Some(reference) => bundle.written_name(reference),
        None => image.name.clone(),
    };
    let names: Vec<_> = bundle.images().iter().map(name).collect();
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", json!({"images": names}))),
        Output::Text => out::result(&names.iter().map(|name| format!("{name}\n")).collect::<String>()),
    }
    Ok(Exit::Complete)
}
