//! `demo`: the whole journey on this machine, offline. Each step is a command that a person can repeat; this program
//! only types it, on loopback addresses and in a folder of its own, and ends what it started.

mod container;
mod images;
mod stage;

use std::fs;
use std::path::Path;

use crate::args::Demo;
use crate::exit::Exit;
use crate::failure::Failure;
use stage::Stage;

pub(crate) use stage::LISTENING;

const USER: &str = "admin";

pub(crate) async fn run(args: Demo) -> Result<Exit, Failure> {
    // Child processes, waits and files: all of it blocks.
    let done = tokio::task::spawn_blocking(move || play(args.keep.as_deref()));
    done.await
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?
}

fn play(keep: Option<&Path>) -> Result<Exit, Failure> {
    let temporary;
    let folder = match keep {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|error| Failure::local("create", folder, &error))?;
            folder
        }
        None => {
            let made = tempfile::Builder::new().prefix("landfall-demo-").tempdir();
            temporary =
                made.map_err(|error| Failure::local("create a folder in", &std::env::temp_dir(), &error))?;
            temporary.path()
        }
    };
    let mut stage = Stage::new(folder)?;
    upstream(&mut stage)?;
    save(&mut stage)?;
    let password = load(&mut stage)?;
    in_place(&mut stage)?;
    container::run(&mut stage, USER, &password)?;
    stage.say("\nThat is the whole journey: list, save, carry, load, serve, pull, run.");
    if keep.is_some() {
        stage.say(&format!("Everything is still in {}.", folder.display()));
    }
    Ok(Exit::Complete)
}

/// An upstream registry with images made from this machine's own files.
fn upstream(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("The connected side: a registry with some images");
    stage.say("Images made of this program and of a few files of this machine (images.tar):");
    images::make(&stage.path("images.tar"))?;
    stage.landfall(&["list", "images.tar"])?;
    let address = stage.serve("upstream", &["serve", "--root", "upstream"])?;
    stage.landfall(&["load", "images.tar", "-r", &address])?;
    stage.set("upstream", address);
    Ok(())
}

/// A list, its oddities, the plan, the bundle.
fn save(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("A list becomes a bundle");
    let list = "# what the cluster needs\nlandfall/landfall:demo\ndemo/licences:1\r\nquay.io/demo/zones:2026\ndemo/licences:1";
    stage.write("list.txt", list)?;
    let from = stage.get("upstream");
    stage.landfall(&["images", "lint", "list.txt"])?;
    stage.landfall(&[
        "save",
        "-l",
        "list.txt",
        "-o",
        "bundle.tar",
        "--from",
        &from,
        "--dry-run",
    ])?;
    stage.landfall(&["save", "-l", "list.txt", "-o", "bundle.tar", "--from", &from])?;
    stage.landfall(&["inspect", "bundle.tar"])?;
    stage.say("The upstream goes away: from here on there is no way back to it.");
    stage.stop("upstream");
    Ok(())
}

/// A private registry with a password and its own CA.
fn load(stage: &mut Stage) -> Result<String, Failure> {
    stage.heading("Behind the gap: a private registry with TLS and a password");
    let password = stage.password(USER)?;
    let serve = [
        "serve",
        "--root",
        "private",
        "--tls-self-signed",
        "tls",
        "--htpasswd",
        "users",
    ];
    let address = stage.serve("private", &serve)?;
    stage.landfall(&["verify", "bundle.tar"])?;
    let access = ["--tls-ca", "tls/ca.crt", "--username", USER, "--password-stdin"];
    let mut args = vec!["load", "bundle.tar", "-r", &address];
    args.extend(access);
    stage.landfall_with(&args, Some("password"))?;
    stage.say("Again: nothing is left to do.");
    stage.landfall_with(&args, Some("password"))?;
    let image = format!("{address}/quay.io/demo/zones:2026");
    let mut args = vec!["pull", &image, "-o", "zones", "--platform", "linux/arm64"];
    args.extend(access);
    stage.landfall_with(&args, Some("password"))?;
    stage.landfall(&["inspect", "zones"])?;
    stage.set("private", address);
    Ok(password)
}

/// The bundle as a registry, without loading it anywhere.
fn in_place(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("Without any registry: the bundle serves itself");
    let address = stage.serve("in-place", &["serve", "bundle.tar"])?;
    stage.landfall(&[
        "pull",
        &format!("{address}/demo/licences:1"),
        "-o",
        "licences.tar",
    ])?;
    stage.stop("in-place");
    Ok(())
}
