//! The fields of the file: names that nothing reads (L01, L02), keys that come twice (L03).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use landfall_diag::hidden::is_hidden;
use landfall_diag::yaml::{Kind, Node, Resolved, is_merge, resolve};
use landfall_diag::{Diagnostic, Severity, nearest};

use super::Input;
use super::context::program;
use super::edit;
use super::fields::{Level, OTHER_NAMES, TOKENS, home};

pub(super) fn check(input: &Input<'_>, root: &Node, found: &mut Vec<Diagnostic>) {
    let mut walk = Walk {
        input,
        found,
        seen: HashSet::new(),
    };
    walk.mapping(root, Level::Top);
}

struct Walk<'a> {
    input: &'a Input<'a>,
    found: &'a mut Vec<Diagnostic>,
    /// Mappings that aliases share are looked at once per meaning.
    seen: HashSet<(usize, Level)>,
}

impl Walk<'_> {
    fn mapping(&mut self, node: &Node, level: Level) {
        let Kind::Mapping(pairs) = &node.kind else {
            return;
        };
        if !self.seen.insert((Arc::as_ptr(pairs).addr(), level)) {
            return;
        }
        self.duplicates(pairs, level);
        for (key, value) in pairs.iter() {
            if is_merge(key) {
                for merged in value.items().unwrap_or(std::slice::from_ref(value)) {
                    self.mapping(merged, level);
                }
                continue;
            }
            let Some(name) = key.text() else { continue };
            match level.fields() {
                Some(fields) if !fields.contains(&name) => self.unknown(key, name, value, level, pairs),
                None if level != Level::Rewrites => self.section_as_name(key, name, value, level),
                _ => {}
            }
            if (level, name) == (Level::Top, "auths") {
                self.found.push(unused_auths(key));
            }
            if let Some(below) = level.below(name) {
                self.mapping(value, below);
            }
        }
    }

    fn duplicates(&mut self, pairs: &[(Node, Node)], level: Level) {
        let mut first: HashMap<&str, (&Node, &Node)> = HashMap::new();
        for (key, value) in pairs.iter().filter(|(key, _)| !is_merge(key)) {
            let Some(name) = key.text() else { continue };
            let Some((earlier, lost)) = first.insert(name, (key, value)) else {
                continue;
            };
            let merged = matches!(level.below(name), Some(below) if level.fields().is_some() && below != Level::Mirror);
            let what = match (merged, level) {
                (true, _) => format!(
                    "the two sections are merged; what stands in both counts as in the second `{name}`"
                ),
                (false, Level::Mirrors | Level::Configs | Level::Auths) => {
                    format!("the first entry is lost as a whole; only the second one for `{name}` counts")
                }
                _ => "the first value is lost; only the second one counts".to_owned(),
            };
            let mut one = Diagnostic::at(
                "L03",
                Severity::Error,
                earlier.span,
                format!("`{name}` is given twice"),
            )
            .label(if merged { "first" } else { "this one is lost" })
            .also(key.span, if merged { "again here" } else { "this one counts" })
            .consequence(format!("{} reports nothing: {what}", program(self.input.options)))
            .help("write one entry with all that is meant");
            let same = self.input.text.get(lost.span.range()) == self.input.text.get(value.span.range());
            let pair = earlier.span.to(lost.span);
            if same
                && !merged
                && lost.anchor.is_none()
                && lost.text().is_some()
                && let Some(edit) = edit::remove_pair(self.input.text, pair)
            {
                one = one.fix("remove the first of two equal lines", vec![edit]);
            }
            self.found.push(one);
        }
    }

    fn unknown(&mut self, key: &Node, name: &str, value: &Node, level: Level, pairs: &[(Node, Node)]) {
        // A hidden character is a finding of its own.
        if name.chars().any(is_hidden) {
            return;
        }
        // A place for anchors, to be merged elsewhere.
        if level == Level::Top && (value.anchor.is_some() || name.starts_with("x-")) {
            return;
        }
        let tokens = TOKENS.iter().any(|token| token.eq_ignore_ascii_case(name));
        if tokens && matches!(level, Level::Auth | Level::Config) {
            self.found.push(token(self.input, key, name, level));
            return;
        }
        let one = Diagnostic::at(
            "L01",
            Severity::Error,
            key.span,
            format!("nothing reads `{name}` here"),
        );
        let one = match home(name) {
            Some(home) => misplaced(one, self.input, name, level, home),
            None => self.misspelt(one, key, name, value, level, pairs),
        };
        self.found.push(one);
    }

    fn misspelt(
        &self,
        one: Diagnostic,
        key: &Node,
        name: &str,
        value: &Node,
        level: Level,
        pairs: &[(Node, Node)],
    ) -> Diagnostic {
        let who = program(self.input.options);
        let fields = level.fields().unwrap_or_default();
        let one = one.consequence(format!(
            "{who} reads the file as if this were not there, and reports nothing"
        ));
        let Some(meant) = meant(name, fields) else {
            return match level {
                Level::Top => top_level(one, name, value),
                _ => foreign(one.label("no such field"), name, level, fields),
            };
        };
        let taken = pairs.iter().any(|(key, _)| key.text() == Some(meant));
        let one = one.label(format!("the field is called `{meant}`"));
        match (fits(meant, value), taken) {
            (true, false) => one.fix(
                format!("call it `{meant}`"),
                vec![edit::scalar(self.input.text, key.span, meant)],
            ),
            (true, true) => one.help(format!(
                "`{meant}` is there as well: keep one of them, under that name"
            )),
            (false, _) => one.help(format!("write `{meant}:` {}", shape(meant))),
        }
    }

    /// A section where a name of a registry should stand: it is indented too far.
    fn section_as_name(&mut self, key: &Node, name: &str, value: &Node, level: Level) {
        if home(name).is_none() || !matches!(level, Level::Mirrors | Level::Configs) {
            return;
        }
        let below = level.below(name).unwrap_or(level);
        let text = format!("`{name}` is read as the name of a registry");
        let mut one = Diagnostic::at("L01", Severity::Error, key.span, text)
            .label(format!("the keys of {} are names of registries", level.name()));
        let who = program(self.input.options);
        one = one.consequence(format!(
            "{who} sets up a registry called `{name}`, which no image ever names"
        ));
        one = match home(name) {
            Some(Level::Top) => one.help(format!(
                "put `{name}:` at the start of the line, outside {}",
                level.name()
            )),
            Some(home) if home == below => one.help(format!(
                "put the registry's name above it: `{name}` belongs {}",
                home.path()
            )),
            Some(home) => one.help(format!("`{name}` belongs {}", home.path())),
            None => one,
        };
        // What stands below it would only repeat this.
        if let Kind::Mapping(pairs) = &value.kind {
            self.seen.insert((Arc::as_ptr(pairs).addr(), below));
        }
        self.found.push(one);
    }
}

fn meant(name: &str, fields: &[&'static str]) -> Option<&'static str> {
    let bare = name.trim_matches(['"', '\'', ':', ' ']);
    OTHER_NAMES
        .iter()
        .find(|(other, field)| *other == bare && fields.contains(field))
        .map(|(_, field)| *field)
        .or_else(|| fields.iter().copied().find(|field| *field == bare))
        .or_else(|| {
            nearest(bare, fields.iter().copied()).and_then(|near| fields.iter().copied().find(|f| *f == near))
        })
}

/// Whether a value may stand under a field; what may not would keep the node from starting.
fn fits(field: &str, value: &Node) -> bool {
    let scalar = |node: &Node| node.text().is_some();
    match field {
        "endpoint" => value.items().is_some_and(|items| items.iter().all(scalar)),
        "rewrite" => value
            .pairs()
            .is_some_and(|pairs| pairs.iter().all(|(_, value)| scalar(value))),
        "mirrors" | "configs" | "auths" | "tls" => value.pairs().is_some(),
        "auth" => value.pairs().is_some() || scalar(value),
        "insecure_skip_verify" => matches!(resolve(value), Ok(Resolved::Bool(_))),
        _ => scalar(value),
    }
}

fn shape(field: &str) -> &'static str {
    match field {
        "endpoint" => "and below it a list: `- https://mirror.example.com`",
        "rewrite" => "and below it lines of `\"^pattern/(.*)\": \"replacement/$1\"`",
        "insecure_skip_verify" => "with true or false, without quotes",
        "mirrors" | "configs" | "auths" | "tls" | "auth" => "and below it its entries, indented",
        _ => "with a text",
    }
}

fn misplaced(one: Diagnostic, input: &Input<'_>, name: &str, level: Level, home: Level) -> Diagnostic {
    let who = program(input.options);
    let what = match home {
        Level::Mirror => "the registry gets no such mirror or rule",
        Level::Config | Level::Auth | Level::Tls => {
            "requests go out without these credentials or certificates"
        }
        _ => "the whole section has no effect",
    };
    one.label(format!("{} has no such field", level.name()))
        .consequence(format!("{who} reports nothing: {what}"))
        .help(format!("`{name}` belongs {}", home.path()))
}

fn top_level(one: Diagnostic, name: &str, value: &Node) -> Diagnostic {
    let has = |field: &str| {
        let pairs = value.pairs().unwrap_or_default();
        pairs.iter().any(|(key, _)| key.text() == Some(field))
    };
    if has("endpoint") || has("rewrite") {
        return one
            .label("a registry, outside `mirrors`")
            .help(format!("write `mirrors:` above and indent `{name}:` below it"));
    }
    if has("auth") || has("tls") {
        return one
            .label("a host, outside `configs`")
            .help(format!("write `configs:` above and indent `{name}:` below it"));
    }
    one.label("no such section")
        .help("the sections are `mirrors` and `configs`")
}

/// Fields of hosts.toml and of other tools.
fn foreign(one: Diagnostic, name: &str, level: Level, fields: &[&str]) -> Diagnostic {
    let listed = fields
        .iter()
        .map(|field| format!("`{field}`"))
        .collect::<Vec<_>>();
    let listed = listed.join(", ");
    let known = format!("the fields of {} are {listed}", level.name());
    match name.to_ascii_lowercase().as_str() {
        "insecure" | "plain_http" | "plainhttp" | "http" => one.help(
            "for plain HTTP write the endpoint with `http://`; to accept any certificate write `insecure_skip_verify: true` below `configs:`, the host and `tls:`",
        ),
        "header" | "headers" | "override_path" | "capabilities" | "server" | "dial_timeout" | "host"
        | "client" | "timeout" => one.help(format!(
            "registries.yaml has no such setting (hosts.toml of containerd has); {known}"
        )),
        _ => one.help(known),
    }
}

fn token(input: &Input<'_>, key: &Node, name: &str, level: Level) -> Diagnostic {
    let who = program(input.options);
    let place = match level {
        Level::Auth => "`auth`",
        _ => "an entry of `configs`",
    };
    Diagnostic::at("L02", Severity::Error, key.span, format!("`{name}` is not a field of {place}, although guides show it"))
        .label("never read")
        .consequence(format!(
            "{who} reports nothing; the token is not sent, and requests use `username` and `password`, or nothing at all"
        ))
        .help("a robot or access token goes into `password`, with its user name; a refresh token of the registry's token server is called `identity_token`; a bearer token cannot be given here")
}

fn unused_auths(key: &Node) -> Diagnostic {
    Diagnostic::at("L01", Severity::Warning, key.span, "nothing uses `auths`")
        .label("read, and never used")
        .consequence("no request carries these credentials")
        .help("write them below `configs:`, the host[:port] of the endpoint and `auth:`")
}
