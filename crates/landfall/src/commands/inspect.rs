//! `inspect`: what a bundle holds, and what it says is missing.

use landfall_bundle::Bundle;
use landfall_bundle::foreign::{Look, Looked};
use landfall_transfer::{Collection, Plan, collect_bundle};
use serde_json::json;

use super::Context;
use crate::args::Inspect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{archives, human, out};

pub(crate) fn run(args: &Inspect, context: Context) -> Result<Exit, Failure> {
    let quiet = context.quiet || args.output.output == Output::Json;
    let look = match args.digests {
        true => archives::unpack(&args.bundle, &args.spool, quiet).map(Look::Bundle)?,
        false => archives::look(&args.bundle, &args.spool, quiet)?,
    };
    match look {
        Look::Bundle(bundle) => whole(args, &bundle),
        Look::Docker(images) => {
            docker(args, &images);
            Ok(Exit::Complete)
        }
    }
}

/// A docker-archive has no manifests: their digests are known when its layers have been compressed.
fn docker(args: &Inspect, images: &[Looked]) {
    if args.output.output == Output::Json {
        let image = |image: &Looked| {
            json!({
                "names": image.names, "config": image.config, "platforms": [image.platform.to_string()],
                "layers": image.layers, "unpacked_bytes": image.bytes,
            })
        };
        let images: Vec<_> = images.iter().map(image).collect();
        let path = args.bundle.display().to_string();
        let document = json!({"bundle": path, "form": "docker-archive", "images": images});
        return out::result(&format!("{document:#}\n"));
    }
    let rows = images.iter().map(|image| {
        let name = match image.names.is_empty() {
            true => "(no name)".to_owned(),
            false => image.names.join(" "),
        };
        vec![
            name,
            image.config.to_string(),
            human::bytes(image.bytes),
            image.platform.to_string(),
        ]
    });
    out::result(&human::table(
        &["IMAGE", "CONFIG", "UNPACKED>", "PLATFORM"],
        &rows.collect::<Vec<_>>(),
    ));
    out::result(&format!(
        "\n{}; a docker-archive: the digests that they will have in a registry are shown by --digests, which \
         compresses all layers\n",
        human::count(images.len(), "image")
    ));
}

fn whole(args: &Inspect, bundle: &Bundle) -> Result<Exit, Failure> {
    let collection = collect_bundle(bundle)?;
    let missing = bundle.info().map(|info| info.missing.clone()).unwrap_or_default();
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", document(bundle, &collection))),
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
