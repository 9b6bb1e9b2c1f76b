//! registries.conf and its drop-ins, made one list of tables.

use landfall_diag::yaml::Node;
use landfall_diag::{Diagnostic, Severity, Span, Spanned};

use super::super::file::Losses;
use super::super::tree::Walker;
use super::super::{Import, InFile, toml};
use super::entry::{self, Entry};

/// All tables: of two with one prefix the later file's, whole. Two with one prefix in one file: the first, as the
/// search for the longest prefix keeps what it has.
pub(super) fn entries(files: &[InFile<'_>], import: &mut Import) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let confs = files.iter().filter(|file| file.name().ends_with(".conf"));
    let (mut drop_ins, mains): (Vec<&InFile<'_>>, Vec<_>) = confs.partition(|file| is_drop_in(file));
    drop_ins.sort_by_key(|file| file.path);
    for file in mains.into_iter().chain(drop_ins) {
        for entry in one(file, import) {
            match all.iter_mut().find(|known| known.prefix == entry.prefix) {
                Some(known) if known.span.source == entry.span.source => {
                    import.diagnostics.push(twice(known, &entry));
                }
                Some(known) => *known = entry,
                None => all.push(entry),
            }
        }
    }
    conflicts(&all, import);
    all
}

fn is_drop_in(file: &InFile<'_>) -> bool {
    file.path.rsplit('/').nth(1) == Some("registries.conf.d")
}

fn twice(known: &Entry, entry: &Entry) -> Diagnostic {
    let message = format!(
        "the prefix `{}` has a table already; this one is not used",
        entry.prefix.value
    );
    Diagnostic::at("P03", Severity::Warning, entry.prefix.span, message)
        .also(known.prefix.span, "the one that is")
}

/// containers/image refuses files in which one location is both safe and not.
fn conflicts(all: &[Entry], import: &mut Import) {
    for (number, entry) in all.iter().enumerate() {
        let is = |truth: &Option<Spanned<bool>>| truth.as_ref().is_some_and(|truth| truth.value);
        let place = |entry: &Entry| match entry.location.as_str() {
            "" => entry.prefix.value.clone(),
            location => location.to_owned(),
        };
        for other in &all[..number] {
            if place(entry) != place(other) || entry.span.source != other.span.source {
                continue;
            }
            for (field, differs) in [
                ("insecure", is(&entry.insecure) != is(&other.insecure)),
                ("blocked", is(&entry.blocked) != is(&other.blocked)),
            ] {
                if differs {
                    let message = format!(
                        "`{}` is the location of two tables that differ in `{field}`",
                        place(entry)
                    );
                    import.diagnostics.push(
                        Diagnostic::at("P01", Severity::Error, entry.location.span, message)
                            .also(other.location.span, "the other")
                            .consequence(super::read::REFUSED),
                    );
                }
            }
        }
    }
}

fn one(file: &InFile<'_>, import: &mut Import) -> Vec<Entry> {
    let root = match toml::parse(file.source, file.text) {
        Ok(root) => root,
        Err(diagnostic) => {
            import.diagnostics.push(*diagnostic);
            return Vec::new();
        }
    };
    let mut losses = Losses::default();
    let mut walker = Walker {
        code: "P01",
        consequence: super::read::REFUSED,
        typed: true,
        diagnostics: &mut import.diagnostics,
    };
    let mut entries = Vec::new();
    let mut old = None;
    for (key, value) in walker.pairs(&root, "the file") {
        match key.as_str() {
            "registry" => {
                for item in walker.items(value, "registry") {
                    entries.extend(entry::read(&mut walker, item));
                }
            }
            "registries" => old = Some((key.span, value)),
            "unqualified-search-registries" | "short-name-mode" | "aliases" => losses.add(
                key.span,
                format!("`{}`", key.value),
                "Kubernetes completes a short name with docker.io, and no other runtime has such a list",
                "write image names in full",
            ),
            "credential-helpers" => losses.add(
                key.span,
                "`credential-helpers`",
                "the credentials are with other programs, not in these files",
                "give the credentials where the other runtime wants them",
            ),
            "additional-layer-store-auth-helper" => {}
            other => {
                let message = format!("`{other}` is not a setting, and is not read");
                walker
                    .diagnostics
                    .push(Diagnostic::at("P02", Severity::Warning, key.span, message));
            }
        }
    }
    if let Some((span, value)) = old {
        entries = version_1(
            &mut walker,
            span,
            value,
            !entries.is_empty(),
            is_drop_in(file),
            &mut losses,
        );
    }
    import.losses.extend(losses.into_vec());
    entries
}

/// The first version of the format: three lists.
fn version_1(
    walker: &mut Walker<'_>,
    span: Span,
    value: &Node,
    mixed: bool,
    drop_in: bool,
    losses: &mut Losses,
) -> Vec<Entry> {
    if drop_in || mixed {
        let message = match mixed {
            true => "this file mixes both versions of its format",
            false => {
                "a file of registries.conf.d has the second version of the format, and this is the first"
            }
        };
        walker.error(span, message);
        return Vec::new();
    }
    walker.diagnostics.push(
        Diagnostic::at(
            "P04",
            Severity::Warning,
            span,
            "this is the first version of the format, long deprecated",
        )
        .consequence("it has no mirrors and no locations")
        .help("write [[registry]] tables"),
    );
    let mut entries: Vec<Entry> = Vec::new();
    for (list, content) in walker.pairs(value, "registries") {
        for (name, hosts) in walker.pairs(content, &list.value) {
            if name.as_str() != "registries" {
                continue;
            }
            if list.as_str() == "search" {
                losses.add(
                    list.span,
                    "`registries.search`",
                    "Kubernetes completes a short name with docker.io, and no other runtime has such a list",
                    "write image names in full",
                );
                continue;
            }
            for host in walker.items(hosts, "registries") {
                if let Some(host) = walker.text(host, "a registry") {
                    listed(&mut entries, &list, &host);
                }
            }
        }
    }
    entries
}

/// A host of one of the lists; it may be in both.
fn listed(entries: &mut Vec<Entry>, list: &str, host: &Spanned<String>) {
    let truth = Some(Spanned::new(true, host.span));
    let at = entries.iter().position(|entry| entry.prefix == *host);
    let at = at.unwrap_or_else(|| {
        entries.push(bare(host));
        entries.len() - 1
    });
    match list {
        "block" => entries[at].blocked = truth,
        "insecure" => entries[at].insecure = truth,
        _ => {}
    }
}

fn bare(host: &Spanned<String>) -> Entry {
    Entry {
        span: host.span,
        prefix: host.clone(),
        location: host.clone(),
        insecure: None,
        blocked: None,
        by_digest_only: None,
        mirrors: Vec::new(),
    }
}
