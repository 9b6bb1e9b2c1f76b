//! A list from a file: plain text, or what `--output json` wrote, with its reasons.

use std::path::Path;

use landfall_images::List;
use landfall_images::gathered::Gathered;

use crate::failure::Failure;
use crate::lists;

/// Reads it (`-`: standard input). A line that is no image is an error, and so is a file without one.
pub(super) fn read(path: &Path) -> Result<Gathered, Failure> {
    let shown = match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let source = format!("list {shown}");
    let bytes = lists::bytes(path)?;
    let gathered = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => from_json(&bytes, &source, &shown)?,
        _ => {
            let list = lists::parse(&bytes, path)?;
            lists::refuse_errors(&list, path)?;
            from_list(&list, &source, &shown)
        }
    };
    match gathered.is_empty() {
        true => Err(Failure::usage(format!("{shown}: no image in it"))),
        false => Ok(gathered),
    }
}

fn from_json(bytes: &[u8], source: &str, shown: &str) -> Result<Gathered, Failure> {
    let text = String::from_utf8_lossy(bytes);
    Gathered::from_json(&text, source).map_err(|error| Failure::usage(format!("{shown}: {error}")))
}

fn from_list(list: &List, source: &str, shown: &str) -> Gathered {
    let mut gathered = Gathered::default();
    gathered.add_list(list, source, "", shown);
    gathered
}
