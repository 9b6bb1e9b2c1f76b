//! `completions` and `man`: both made from the command line's own definition.

use std::fs;

use crate::args::{Cli, Completions, Man};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

pub(crate) fn completions(args: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::shown(), "landfall", &mut script);
    out::result(&String::from_utf8_lossy(&script));
    Exit::Complete
}

/// One page for the program and one for each command.
pub(crate) fn pages(args: &Man) -> Result<Exit, Failure> {
    let folder = &args.directory;
    fs::create_dir_all(folder).map_err(|error| Failure::local("create", folder, &error))?;
    let mut root = Cli::shown();
    root.build();
    let mut waiting = vec![root];
    while let Some(command) = waiting.pop() {
        waiting.extend(
            command
                .get_subcommands()
                .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
                .cloned(),
        );
        let name = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name())
            .to_owned();
        let path = folder.join(format!("{name}.1"));
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).title(name).render(&mut page);
        rendered
            .and_then(|()| fs::write(&path, page))
            .map_err(|error| Failure::local("write", &path, &error))?;
    }
    Ok(Exit::Complete)
}
