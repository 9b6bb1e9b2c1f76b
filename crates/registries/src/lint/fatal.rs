//! A file that the node cannot read: the parser's words and place, what the node does about it, and what is most
//! likely meant (L00, L05 for tabs, L35).

use landfall_diag::hidden::is_hidden;
use landfall_diag::yaml::{Misfit, Node, Resolved, YamlError, resolve};
use landfall_diag::{Diagnostic, Edit, Severity, Span, apply_fixes};

use super::context::program;
use super::{Input, edit};
use crate::registries_yaml;

pub(super) fn check(input: &Input<'_>, error: &YamlError, found: &mut Vec<Diagnostic>) {
    let misfits = &input.reading.misfits;
    if misfits.is_empty() {
        let one = match tabs(input) {
            tabs if tabs.is_empty() => syntax(input, error, found),
            tabs => tab(input, &tabs),
        };
        found.push(start(input, one, error));
        return;
    }
    let mut all: Vec<Diagnostic> = misfits.iter().map(|misfit| wrong_type(input, misfit)).collect();
    let all_found = all.len();
    if let Some(first) = all.first_mut() {
        let one = std::mem::replace(first, Diagnostic::whole("L00", Severity::Error, ""));
        *first = start(input, one, error);
    }
    for other in all.iter_mut().skip(1) {
        other.consequences.push(format!(
            "one of {all_found} values of a wrong type; each of them alone keeps {} from starting",
            program(input.options)
        ));
    }
    found.extend(all);
}

/// What becomes of the node.
fn start(input: &Input<'_>, one: Diagnostic, error: &YamlError) -> Diagnostic {
    let who = program(input.options);
    let message = error.message.replace("\n  ", " ");
    one.consequence(format!(
        "{who} does not start on this node. It tries again every 5 seconds and logs \"Waiting to retrieve agent configuration; server is not ready: {message}\"; no server is to blame"
    ))
    .consequence("nothing else in the file can be judged before this is mended")
}

fn syntax(input: &Input<'_>, error: &YamlError, found: &[Diagnostic]) -> Diagnostic {
    let words = error.message.strip_prefix("yaml: ").unwrap_or(&error.message);
    let mut one =
        Diagnostic::at("L00", Severity::Error, error.span, "this is not YAML").label(words.to_owned());
    if let Some(context) = error.context.filter(|context| *context != error.span) {
        one = one.also(context, "it began here");
    }
    if let Some(fix) = star(input, error) {
        return one
            .help("a bare `*` refers to an anchor; the wildcard is written in quotes")
            .fix("put the wildcard in quotes", vec![fix]);
    }
    if found.iter().any(|one| one.code == "L05" && one.fix.is_some()) {
        return one.help("remove the characters that cannot be seen; the file can be read without them");
    }
    match advice(input, error) {
        Some(advice) => one.help(advice),
        None => one,
    }
}

/// What most often leads to an error of yaml.v2.
fn advice(input: &Input<'_>, error: &YamlError) -> Option<&'static str> {
    let has = |words: &str| error.message.contains(words);
    let at = input.text.get(error.span.range().start..).unwrap_or_default();
    let advice = match () {
        () if has("mapping values are not allowed") => {
            "a colon stands where none can be: either this line is indented further than the ones around it, or a value that contains `: ` needs quotes"
        }
        () if has("could not find expected ':'") || has("did not find expected ':'") => {
            "a key needs a colon and a space behind it: `docker.io: `"
        }
        () if has("did not find expected key") || has("did not find expected '-' indicator") => {
            "this line is not indented like its neighbours; keys of one section stand in one column"
        }
        () if has("found unexpected end of stream") || has("while scanning a quoted scalar") => {
            "a quotation mark is never closed"
        }
        () if has("found unknown escape character") => {
            "a backslash in double quotes begins an escape; write the text in single quotes"
        }
        () if has("unknown anchor") || has("while scanning an alias") => {
            "a text that begins with `*` needs quotes"
        }
        () if has("cannot start any token") && at.starts_with(['@', '`', '%']) => {
            "a text that begins with this character needs quotes"
        }
        () if has("block sequence entries are not allowed") => {
            "a list begins on a line of its own: put the dash on the next line, indented"
        }
        () if has("control characters are not allowed") || at.starts_with(is_hidden) => {
            "delete the character that cannot be seen"
        }
        () if has("UTF-8") || has("incomplete UTF") => "save the file as UTF-8",
        () if has("excessive aliasing") || has("contains itself") => {
            "write the values out instead of referring to them"
        }
        () if has("did not find expected ',' or") => {
            "a bracket or brace is not closed, or a comma is missing"
        }
        () => return None,
    };
    Some(advice)
}

/// A bare `*` as the key of the wildcard.
fn star(input: &Input<'_>, error: &YamlError) -> Option<Edit> {
    let near = error
        .context
        .unwrap_or(error.span)
        .range()
        .start
        .min(error.span.range().start);
    let line = input.text.get(..near)?.rfind('\n').map_or(0, |end| end + 1);
    let rest = input.text.get(line..)?;
    let end = rest.find('\n').unwrap_or(rest.len());
    let key = rest[..end].trim_start().strip_prefix('*')?;
    if !key.trim_start().starts_with(':') {
        return None;
    }
    let at = line + rest[..end].find('*')?;
    Some(Edit {
        span: Span::new(input.source, at..at + 1),
        text: "\"*\"".to_owned(),
    })
}

/// Tabs that indent lines on which something stands.
fn tabs(input: &Input<'_>) -> Vec<Span> {
    let mut at = 0;
    let mut all = Vec::new();
    for line in input.text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let something = !line[indent..].trim().is_empty() && !line[indent..].starts_with('#');
        if let Some(tab) = line[..indent].find('\t')
            && something
        {
            all.push(Span::new(input.source, at + tab..at + indent));
        }
        at += line.len();
    }
    all
}

fn tab(input: &Input<'_>, tabs: &[Span]) -> Diagnostic {
    let first = tabs.first().copied().unwrap_or(Span::new(input.source, 0..0));
    let mut one = Diagnostic::at("L05", Severity::Error, first, "a tab indents this line")
        .label("a tab")
        .help("YAML is indented with spaces only");
    for other in tabs.iter().skip(1).take(2) {
        one = one.also(*other, "here, too");
    }
    // Where only tabs indent, each of them is one step. Otherwise nobody knows how wide they were meant.
    let only = tabs.iter().all(|span| {
        let text = input.text.get(span.range()).unwrap_or_default();
        let starts_line =
            span.start == 0 || input.text.as_bytes().get(span.range().start - 1) == Some(&b'\n');
        starts_line && text.bytes().all(|byte| byte == b'\t')
    });
    let spaces = input
        .text
        .lines()
        .any(|line| line.starts_with(' ') && !line.trim_start().starts_with('#') && !line.trim().is_empty());
    if !only || spaces {
        return one;
    }
    let edits: Vec<Edit> = tabs
        .iter()
        .map(|span| Edit {
            span: *span,
            text: "  ".repeat(span.range().len()),
        })
        .collect();
    let one = one.fix("write two spaces for each tab", edits);
    let text = one
        .fix
        .as_ref()
        .map(|fix| apply_fixes(input.source, input.text, std::slice::from_ref(fix)).text);
    let readable = text.is_some_and(|text| registries_yaml::read(input.source, &text).document.is_some());
    match readable {
        true => one,
        false => Diagnostic { fix: None, ..one },
    }
}

fn wrong_type(input: &Input<'_>, misfit: &Misfit) -> Diagnostic {
    let wanted = misfit.message.rsplit(" into ").next().unwrap_or_default();
    let wanted = wanted.trim_start_matches('*');
    let text = input.text.get(misfit.span.range()).unwrap_or_default();
    let node = registries_node(input, misfit.span);
    let at = |code, message: &str| {
        Diagnostic::at(code, Severity::Error, misfit.span, message).label(misfit.message.clone())
    };
    match wanted {
        "bool" => boolean(at, misfit.span, text, node),
        "[]string" => list(input, at, misfit.span, node),
        "string" => at("L00", "a text is wanted here, not a list or a section").help("write one value behind the colon"),
        "map[string]string" => at("L00", "`rewrite` is a mapping of patterns to replacements")
            .help("write lines of `\"^pattern/(.*)\": \"replacement/$1\"` below it, without dashes"),
        "registries.Mirror" => at("L00", "an entry of `mirrors` is a section")
            .help("write `endpoint:` below the registry's name, and the addresses as a list below that"),
        "registries.RegistryConfig" => at("L00", "an entry of `configs` is a section")
            .help("write `auth:` or `tls:` below the host"),
        "registries.AuthConfig" => at("L00", "`auth` is a section").help(
            "write `username:` and `password:` below it; the base64 of both goes into a field `auth:` below `auth:`",
        ),
        "registries.TLSConfig" => at("L00", "`tls` is a section").help("write `ca_file:` and its like below it"),
        "registries.Registry" => at("L00", "the file is not a mapping of `mirrors` and `configs`")
            .help("the file begins with `mirrors:` or `configs:` at the start of a line"),
        _ => at("L00", "names of registries are wanted here")
            .help("write each registry's name as a key, with a colon and without a dash: `docker.io:`"),
    }
}

fn boolean(
    at: impl Fn(&'static str, &str) -> Diagnostic,
    span: Span,
    text: &str,
    node: Option<&Node>,
) -> Diagnostic {
    let bare = node.and_then(Node::text).unwrap_or_default().trim();
    let value = match bare.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => Some("true"),
        "false" | "no" | "off" | "n" | "0" => Some("false"),
        _ => None,
    };
    let quoted = text.starts_with(['"', '\'']);
    match value {
        Some(value) if quoted => at("L35", "a truth value in quotes is text").fix(
            "write it without quotes",
            vec![Edit {
                span,
                text: value.to_owned(),
            }],
        ),
        _ => at("L00", "true or false is wanted here").help("write `true` or `false`, without quotes"),
    }
}

/// One address, or several with commas, where a list is wanted.
fn list(
    input: &Input<'_>,
    at: impl Fn(&'static str, &str) -> Diagnostic,
    span: Span,
    node: Option<&Node>,
) -> Diagnostic {
    let one = at("L00", "`endpoint` is a list, even of one address");
    let Some(text) = node.filter(|node| node.alias.is_none()).and_then(Node::text) else {
        return one.help("write the addresses below `endpoint:`, each behind a dash");
    };
    let items: Vec<String> = text.split(',').map(|item| edit::double(item.trim())).collect();
    let text = format!("[{}]", items.join(", "));
    let fits = !input.text.get(span.range()).unwrap_or_default().contains('\n');
    match fits {
        true => one.fix("write it as a list", vec![Edit { span, text }]),
        false => one.help("write the addresses below `endpoint:`, each behind a dash"),
    }
}

/// The node at a place.
fn registries_node<'a>(input: &'a Input<'_>, span: Span) -> Option<&'a Node> {
    let mut node = input.reading.document.as_ref()?.root.as_ref()?;
    loop {
        if node.span == span && node.pairs().is_none() && node.items().is_none() {
            // Only scalars are asked for; a truth value is one as well.
            debug_assert!(!matches!(resolve(node), Ok(Resolved::Mapping)));
            return Some(node);
        }
        let holds = |node: &&Node| node.span.start <= span.start && span.end <= node.span.end;
        let below: Vec<&Node> = match (node.items(), node.pairs()) {
            (Some(items), _) => items.iter().collect(),
            (_, Some(pairs)) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
            _ => return None,
        };
        node = below.into_iter().find(holds)?;
    }
}
