//! `self-image`: Landfall's own container image, made from the running program and what it needs.

use landfall_oci::{Platform, Reference};

use crate::args::SelfImage;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::make_image::{Images, Start};
use crate::{out, own_files};

pub(crate) async fn run(args: SelfImage) -> Result<Exit, Failure> {
    let name = args.name.with_default_tag();
    let output = args.out.clone();
    let reference = name.clone();
    let written = tokio::task::spawn_blocking(move || {
        let mut images = Images::default();
        add(&mut images, reference)?;
        Ok::<_, Failure>(images.write(&output, args.overwrite)?)
    });
    written
        .await
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))??;
    out::result(&format!("{name} is in {}\n", args.out.display()));
    Ok(Exit::Complete)
}

/// Adds Landfall's own image to a set. Blocking.
pub(crate) fn add(images: &mut Images, name: Reference) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Local, format!("cannot make the image: {error}"));
    let files = own_files::collect().map_err(failed)?;
    let start = Start {
        entrypoint: &[own_files::PROGRAM],
        command: &["--help"],
    };
    let manifest = images
        .manifest(&host_platform(), &files, &start)
        .map_err(failed)?;
    images.name(name, manifest);
    Ok(())
}

/// What this program was built for, in the words of images.
pub(crate) fn host_platform() -> Platform {
    Platform::new(std::env::consts::OS, std::env::consts::ARCH)
}
