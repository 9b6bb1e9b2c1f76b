//! `inspect`: what a bundle holds, and what it says is missing.

use landfall_bundle::Bundle;
use landfall_transfer::{Collection, Plan, collect_bundle};
use serde_json::json;

use crate::args::Inspect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, out};

pub(crate) fn run(args: &Inspect) -> Result<Exit, Failure> {
    let bundle = Bundle::open(&args.bundle)?;
    let collection = collect_bundle(&bundle)?;
    let missing = bundle.info().map(|info| info.missing.clone()).unwrap_or_default();
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", document(&bundle, &collection))),
        Output::Text => {
            out::result(&table(&collection));
            for missing in &missing {
                out::result(&format!(
                    "MISSING  {}\n         {}\n",
                    missing.asked, missing.reason
                ));
            }
            for failure in &collection.failed {
                out::result(&format!(
                    "DAMAGED  {}\n         {}\n",
                    failure.asked, failure.reason
                ));
            }
            out::result(&totals(&collection));
        }
    }
    Ok(if collection.failed.is_empty() {
        Exit::Complete
    } else {
        Exit::Damaged
    })
}

fn document(bundle: &Bundle, collection: &Collection) -> serde_json::Value {
    let plan = Plan::new(collection, 0, |_, reference| reference.to_string());
    json!({
        "bundle": bundle.path().display().to_string(),
        "images": plan.images.iter().map(|image| json!({
            "reference": image.reference, "digest": image.digest, "platforms": image.platforms, "bytes": image.bytes,
        })).collect::<Vec<_>>(),
        "blobs": plan.blobs, "bytes": plan.bytes, "bytes_by_platform": plan.bytes_by_platform,
        "damaged": collection.failed, "about": bundle.info(),
    })
}

fn table(collection: &Collection) -> String {
    let plan = Plan::new(collection, 0, |_, _| String::new());
    let rows = plan
        .images
        .iter()
        .zip(&collection.images)
        .map(|(planned, image)| {
            let mut platforms = match planned.platforms.as_slice() {
                [] => "-".to_owned(),
                platforms => platforms.join(" "),
            };
            if !image.omitted.is_empty() {
                platforms += &format!(" ({} left out)", image.omitted.len());
            }
            vec![
                planned.reference.familiar(),
                planned.digest.to_string(),
                human::bytes(planned.bytes),
                platforms,
            ]
        });
    human::table(
        &["IMAGE", "DIGEST", "SIZE>", "PLATFORMS"],
        &rows.collect::<Vec<_>>(),
    )
}

fn totals(collection: &Collection) -> String {
    format!(
        "\n{}, {}, {}\n",
        human::count(collection.images.len(), "image"),
        human::count(collection.blobs.len(), "unique blob"),
        human::bytes(collection.blob_bytes()),
    )
}
