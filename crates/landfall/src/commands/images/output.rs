//! How gathered images are given out: less what `--minus` names, as text, JSON, CSV or a table, or one explained.

use std::fmt::Write as _;

use landfall_images::gathered::{Gathered, Wanted, Why};
use landfall_oci::Reference;
use serde_json::json;

use super::file;
use crate::args::{ListFormat, ListOutput};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{human, out, whole_file};

/// Prints the images, or writes them to `--out`, as asked for: the end of every command that gathers some. Blocking.
pub(crate) fn tell(mut gathered: Gathered, args: &ListOutput) -> Result<Exit, Failure> {
    for path in &args.minus {
        let others = file::read(path)?;
        gathered.minus(others.iter().map(|(_, wanted)| &wanted.reference));
    }
    // In JSON they stand in the document.
    if args.output != ListFormat::Json {
        tell_remarks(&gathered);
    }
    let (text, exit) = match &args.explain {
        Some(name) => explain(&gathered, name, args.output)?,
        None => (list(&gathered, args.output), Exit::Complete),
    };
    match &args.out {
        Some(path) => {
            whole_file::write(path, text.as_bytes())?;
            let count = human::count(gathered.len(), "image");
            out::progress(&format!("{count} in {}", path.display()));
        }
        None => out::result(&text),
    }
    Ok(exit)
}

fn tell_remarks(gathered: &Gathered) {
    for remark in &gathered.remarks {
        let about = remark.place.as_deref().unwrap_or(&remark.source);
        out::progress(&format!("{about}: note: {}", remark.message));
    }
    if gathered.is_empty() {
        out::progress("note: no image is left");
    }
}

fn list(gathered: &Gathered, format: ListFormat) -> String {
    match format {
        ListFormat::Txt => gathered.iter().fold(String::new(), |mut text, (name, _)| {
            text += name;
            text.push('\n');
            text
        }),
        ListFormat::Json => format!("{:#}\n", gathered.to_json()),
        ListFormat::Csv => csv(gathered.iter()),
        ListFormat::Table => table(gathered.iter()),
    }
}

/// Who wants this image. Where nobody does, the nearest names are told, and the exit code is 1.
fn explain(gathered: &Gathered, name: &str, format: ListFormat) -> Result<(String, Exit), Failure> {
    let meant =
        Reference::parse(name).map_err(|error| Failure::usage(format!("--explain {name}: {error}")))?;
    let found = gathered.find(&meant);
    let (near, exit) = match found.is_empty() {
        true => (gathered.near(&meant), Exit::Partial),
        false => (Vec::new(), Exit::Complete),
    };
    let text = match format {
        ListFormat::Json => {
            let image = |(name, wanted): &(&str, &Wanted)| json!({"name": name, "reference": wanted.reference, "why": wanted.why});
            let images: Vec<_> = found.iter().map(image).collect();
            format!(
                "{:#}\n",
                json!({"images": images, "near": near, "remarks": gathered.remarks})
            )
        }
        ListFormat::Csv => csv(found.iter().copied()),
        ListFormat::Table => table(found.iter().copied()),
        ListFormat::Txt => found.iter().map(|(name, wanted)| reasons(name, wanted)).collect(),
    };
    if exit == Exit::Partial && format != ListFormat::Json {
        let meant = match near.is_empty() {
            true => String::new(),
            false => format!("; the nearest names: {}", near.join(", ")),
        };
        out::progress(&format!("nobody wants {name}{meant}"));
    }
    Ok((text, exit))
}

fn reasons(name: &str, wanted: &Wanted) -> String {
    let mut text = format!("{name}\n");
    for why in &wanted.why {
        let _ = write!(text, "  {}", why.source);
        for part in [Some(why.part.as_str()).filter(|part| !part.is_empty())]
            .into_iter()
            .flatten()
        {
            let _ = write!(text, ": {part}");
        }
        if let Some(place) = &why.place {
            let _ = write!(text, " ({place})");
        }
        text += if why.guess { " (a guess)\n" } else { "\n" };
    }
    text
}

fn csv<'a>(images: impl Iterator<Item = (&'a str, &'a Wanted)>) -> String {
    let mut text = String::from("image,reference,source,part,place,guess\r\n");
    for (name, wanted) in images {
        let reference = wanted.reference.to_string();
        for why in &wanted.why {
            let place = why.place.as_deref().unwrap_or_default();
            let guess = if why.guess { "yes" } else { "" };
            let cells = [name, &reference, &why.source, &why.part, place, guess].map(csv_cell);
            text += &cells.join(",");
            text += "\r\n";
        }
    }
    text
}

/// As RFC 4180 says.
fn csv_cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn table<'a>(images: impl Iterator<Item = (&'a str, &'a Wanted)>) -> String {
    let mut rows = Vec::new();
    for (name, wanted) in images {
        for (position, why) in wanted.why.iter().enumerate() {
            let name = if position == 0 { name } else { "" };
            rows.push(vec![name.to_owned(), why.source.clone(), part(why)]);
        }
    }
    human::table(&["IMAGE", "WANTED BY", "FOR"], &rows)
}

fn part(why: &Why) -> String {
    let guess = why.guess.then(|| "(a guess)".to_owned());
    let place = why.place.as_ref().map(|place| format!("({place})"));
    let part = (!why.part.is_empty()).then(|| why.part.clone());
    [part, place, guess]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered() -> Gathered {
        let mut gathered = Gathered::default();
        let why = |source: &str, part: &str, place: Option<&str>, guess| Why {
            source: source.into(),
            part: part.into(),
            place: place.map(str::to_owned),
            guess,
        };
        let mut add = |name: &str, why| gathered.add_text(name, why).unwrap();
        add("b:2", why("rke v1", "dns, cluster", Some("cluster.yml:3"), false));
        add("b:2", why("chart c", "", None, true));
        add("a:1", why("list \"x\"", "", Some("x:1"), false));
        gathered
    }

    #[test]
    fn every_form() {
        let gathered = gathered();
        assert_eq!(list(&gathered, ListFormat::Txt), "a:1\nb:2\n");
        assert_eq!(
            list(&gathered, ListFormat::Csv),
            "image,reference,source,part,place,guess\r\n\
             a:1,docker.io/library/a:1,\"list \"\"x\"\"\",,x:1,\r\n\
             b:2,docker.io/library/b:2,chart c,,,yes\r\n\
             b:2,docker.io/library/b:2,rke v1,\"dns, cluster\",cluster.yml:3,\r\n"
        );
        assert_eq!(
            list(&gathered, ListFormat::Table),
            "IMAGE  WANTED BY  FOR\n\
             a:1    list \"x\"   (x:1)\n\
             b:2    chart c    (a guess)\n\
             \x20      rke v1     dns, cluster (cluster.yml:3)\n"
        );
    }

    #[test]
    fn one_explained() {
        let (text, exit) = explain(&gathered(), "docker.io/library/b:2", ListFormat::Txt).unwrap();
        assert_eq!(
            text,
            "b:2\n  chart c (a guess)\n  rke v1: dns, cluster (cluster.yml:3)\n"
        );
        assert_eq!(exit, Exit::Complete);
        let (text, exit) = explain(&gathered(), "b:3", ListFormat::Json).unwrap();
        assert!(text.contains(r#""near": ["#) && text.contains("b:2"), "{text}");
        assert_eq!(exit, Exit::Partial);
    }
}
