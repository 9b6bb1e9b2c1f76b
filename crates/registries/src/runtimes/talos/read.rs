//! All documents of a machine's configuration that speak of registries.

use landfall_diag::yaml::{self, Node};
use landfall_diag::{Diagnostic, Severity, Spanned};

use super::super::tree::Walker;
use super::super::{Import, InFile, OutFile};
use super::documents::{self, Place, REFUSED};
use crate::intent::{Intent, Registry};

/// Reads a machine's configuration or a patch of it.
#[must_use]
pub fn read(file: &InFile<'_>) -> Import {
    let mut import = Import::default();
    // The parser reads one document; the ones behind it are reached by blanking out what was read.
    let mut text = file.text.to_owned();
    loop {
        let document = match yaml::parse(file.source, &text) {
            Ok(document) => document,
            Err(error) => {
                let diagnostic = Diagnostic::at("TA1", Severity::Error, error.span, error.message);
                import.diagnostics.push(diagnostic.consequence(REFUSED));
                break;
            }
        };
        if let Some(root) = &document.root {
            one(root, &mut import);
        }
        let Some(rest) = document.rest else { break };
        let start = rest.range().start;
        let blank = |(at, letter): (usize, char)| match at < start && letter != '\n' {
            true => " ".repeat(letter.len_utf8()),
            false => letter.to_string(),
        };
        text = text.char_indices().map(blank).collect();
    }
    import.intent.prefer_tls();
    import
}

fn one(root: &Node, import: &mut Import) {
    let mut reader = Reader {
        walker: Walker {
            code: "TA1",
            consequence: REFUSED,
            typed: false,
            diagnostics: &mut import.diagnostics,
        },
        intent: &mut import.intent,
        extracted: &mut import.extracted,
    };
    let fields = reader.walker.pairs(root, "the document");
    let kind = fields.iter().find(|(key, _)| key.as_str() == "kind");
    let kind = kind.and_then(|(_, value)| reader.walker.text(value, "kind"));
    match kind.as_ref().map(|kind| kind.as_str()) {
        None => reader.machine(&fields),
        Some("RegistryMirrorConfig") => reader.mirror_document(&fields, root),
        Some("RegistryAuthConfig") => reader.auth_document(&fields),
        Some("RegistryTLSConfig") => reader.tls_document(&fields),
        Some(_) => {}
    }
}

type Fields<'n> = [(Spanned<String>, &'n Node)];
type Named<'n> = (Option<Spanned<String>>, Vec<(Spanned<String>, &'n Node)>);

struct Reader<'a> {
    walker: Walker<'a>,
    intent: &'a mut Intent,
    extracted: &'a mut Vec<OutFile>,
}

impl Reader<'_> {
    fn machine(&mut self, fields: &Fields<'_>) {
        for (_, machine) in fields.iter().filter(|(key, _)| key.as_str() == "machine") {
            for (key, registries) in self.walker.pairs(machine, "machine") {
                if key.as_str() == "registries" {
                    self.registries(registries);
                }
            }
        }
    }

    fn registries(&mut self, node: &Node) {
        for (key, value) in self.walker.pairs(node, "registries") {
            match key.as_str() {
                "mirrors" => {
                    for (name, mirror) in self.walker.pairs(value, "mirrors") {
                        let registry = self.mirror(&name, mirror);
                        self.intent.registries.push(registry);
                    }
                }
                "config" => {
                    for (host, config) in self.walker.pairs(value, "config") {
                        self.config(&host, config);
                    }
                }
                other => documents::unknown(&mut self.walker, key.span, other),
            }
        }
    }

    fn mirror(&mut self, name: &Spanned<String>, node: &Node) -> Registry {
        let (mut urls, mut override_path, mut skip) = (Vec::new(), false, None);
        for (key, value) in self.walker.pairs(node, "mirrors") {
            match key.as_str() {
                "endpoints" => {
                    for item in self.walker.items(value, "endpoints") {
                        urls.extend(self.walker.text(item, "an endpoint"));
                    }
                }
                "overridePath" => {
                    override_path = self.walker.bool(value, "overridePath").is_some_and(|on| on.value);
                }
                "skipFallback" => skip = self.walker.bool(value, "skipFallback"),
                other => documents::unknown(&mut self.walker, key.span, other),
            }
        }
        let places = urls.into_iter().map(|url| Place { url, override_path }).collect();
        documents::registry(&mut self.walker, name, name.span.to(node.span), places, skip)
    }

    fn config(&mut self, host: &Spanned<String>, node: &Node) {
        for (key, value) in self.walker.pairs(node, "config") {
            let fields = self.walker.pairs(value, &key.value);
            match key.as_str() {
                "auth" => {
                    let found = documents::credential(&mut self.walker, host, &fields);
                    self.intent.credentials.extend(found);
                }
                "tls" => {
                    let found = documents::trust(&mut self.walker, host, &fields, true, self.extracted);
                    self.intent.trust.extend(found);
                }
                other => documents::unknown(&mut self.walker, key.span, other),
            }
        }
    }

    fn mirror_document(&mut self, fields: &Fields<'_>, root: &Node) {
        let (name, own) = self.named(fields);
        let Some(name) = name else {
            return self.walker.error(root.span, "this document has no `name`");
        };
        let (mut places, mut skip) = (Vec::new(), None);
        for (key, value) in own {
            match key.as_str() {
                "endpoints" => {
                    for item in self.walker.items(value, "endpoints") {
                        places.extend(self.place(item));
                    }
                }
                "skipFallback" => skip = self.walker.bool(value, "skipFallback"),
                other => documents::unknown(&mut self.walker, key.span, other),
            }
        }
        let registry = documents::registry(&mut self.walker, &name, root.span, places, skip);
        self.intent.registries.push(registry);
    }

    fn place(&mut self, node: &Node) -> Option<Place> {
        let (mut url, mut override_path) = (None, false);
        for (key, value) in self.walker.pairs(node, "endpoints") {
            match key.as_str() {
                "url" => url = self.walker.text(value, "url"),
                "overridePath" => {
                    override_path = self.walker.bool(value, "overridePath").is_some_and(|on| on.value);
                }
                other => documents::unknown(&mut self.walker, key.span, other),
            }
        }
        if url.is_none() {
            self.walker.error(node.span, "this endpoint has no `url`");
        }
        Some(Place {
            url: url?,
            override_path,
        })
    }

    fn auth_document(&mut self, fields: &Fields<'_>) {
        if let (Some(host), own) = self.named(fields) {
            let found = documents::credential(&mut self.walker, &host, &own);
            self.intent.credentials.extend(found);
        }
    }

    fn tls_document(&mut self, fields: &Fields<'_>) {
        if let (Some(host), own) = self.named(fields) {
            let found = documents::trust(&mut self.walker, &host, &own, false, self.extracted);
            self.intent.trust.extend(found);
        }
    }

    /// A document's name, and its fields without those that every document has.
    fn named<'n>(&mut self, fields: &Fields<'n>) -> Named<'n> {
        let name = fields.iter().find(|(key, _)| key.as_str() == "name");
        let name = name.and_then(|(_, value)| self.walker.text(value, "name"));
        let common = ["apiVersion", "kind", "name"];
        let own = fields.iter().filter(|(key, _)| !common.contains(&key.as_str()));
        (name, own.cloned().collect())
    }
}
