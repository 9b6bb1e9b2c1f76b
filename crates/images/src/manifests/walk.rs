//! The walk through one object: where it stands in the object, and what the fields that name images have in common.

use super::found::{Found, Spot};
use super::name::{Name, Promise, name, promise};
use super::tree::{At, Tree, Value};

/// Where the walk is.
pub(crate) struct Walk<'a> {
    pub(crate) found: &'a mut Found,
    /// `Deployment ns/name: `, or nothing.
    pub(crate) object: String,
    /// Names of the files that places are in.
    pub(crate) files: &'a [String],
    /// Whole lines are not the user's (what Helm rendered): the file is the place.
    pub(crate) without_lines: bool,
    /// Nothing is known of this kind of object.
    pub(crate) guess: bool,
    path: String,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(found: &'a mut Found, object: String, files: &'a [String]) -> Self {
        Self {
            found,
            object,
            files,
            without_lines: false,
            guess: false,
            path: String::new(),
        }
    }

    /// Does something below a key.
    pub(crate) fn within<T>(&mut self, key: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let done = work(self);
        self.path.truncate(length);
        done
    }

    /// Does something at an item of a list.
    pub(crate) fn at_item<T>(&mut self, index: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        let done = work(self);
        self.path.truncate(length);
        done
    }

    pub(crate) fn each(&mut self, key: &str, tree: &Tree, mut work: impl FnMut(&mut Self, &Tree)) {
        self.within(key, |walk| {
            for (index, item) in tree.list().iter().enumerate() {
                walk.at_item(index, |walk| work(walk, item));
            }
        });
    }

    /// The path so far.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn place(&self, at: At) -> Option<String> {
        let file = self.files.get(usize::from(at.file))?;
        Some(match (at.line, self.without_lines) {
            (0, _) | (_, true) => file.clone(),
            (line, false) => format!("{file}:{line}"),
        })
    }

    pub(crate) fn spot(&self, at: At, guess: bool) -> Spot {
        Spot {
            part: format!("{}{}", self.object, self.path),
            place: self.place(at),
            guess: guess || self.guess,
        }
    }

    /// A value under a key that may promise an image, in a place where anything may stand.
    pub(crate) fn keyed(&mut self, key: &str, text: &str, at: At) {
        match promise(key) {
            Promise::Image if key.to_ascii_lowercase().contains("images") => {
                let several = text.split(',').filter(|part| !part.trim().is_empty());
                several.for_each(|part| self.promised(part, at));
            }
            Promise::Image => self.promised(text, at),
            Promise::Perhaps => self.likely(text, at),
            Promise::Base => self.base(text, at),
            Promise::Nothing => {}
        }
    }

    /// A value that a key calls an image.
    pub(crate) fn promised(&mut self, text: &str, at: At) {
        let text = text.trim();
        match name(text) {
            Name::Templated => {
                let spot = self.spot(at, false);
                self.found.templated(text, &spot);
            }
            Name::Full(reference) | Name::Likely(reference) => {
                let spot = self.spot(at, false);
                self.found.add(text, reference, &spot);
            }
            Name::Word(reference) => {
                let spot = self.spot(at, true);
                self.found.add(text, reference, &spot);
            }
            Name::Not(_) => {}
        }
    }

    fn likely(&mut self, text: &str, at: At) {
        if let Name::Full(reference) | Name::Likely(reference) = name(text)
            && (reference.tag().is_some() || reference.digest().is_some())
        {
            let spot = self.spot(at, true);
            self.found.add(text.trim(), reference, &spot);
        }
    }

    fn base(&mut self, text: &str, at: At) {
        match name(text) {
            Name::Full(reference) => {
                let spot = self.spot(at, false);
                self.found.add(text.trim(), reference, &spot);
            }
            Name::Likely(_) => {
                let spot = self.spot(at, false);
                let message = format!(
                    "names the repository `{}` without a tag: which of its tags is used, the program decides",
                    text.trim()
                );
                self.found.remark(&spot, &message);
            }
            _ => {}
        }
    }

    /// A value that nothing promises anything of: an image only with host, path and tag.
    fn unasked(&mut self, text: &str, at: At) {
        if let Name::Full(reference) = name(text) {
            let spot = self.spot(at, true);
            self.found.add(text.trim(), reference, &spot);
        }
    }

    /// Arguments of a program: `--foo-image=REF`, `--foo-image REF`, and such within a shell's script.
    pub(crate) fn arguments(&mut self, key: &str, tree: &Tree) {
        let texts: Vec<_> = tree
            .list()
            .iter()
            .map(|item| (item.text().unwrap_or_default(), item.at))
            .collect();
        self.within(key, |walk| {
            for (index, (text, at)) in texts.iter().enumerate() {
                let next = texts.get(index + 1).map(|(text, _)| *text);
                walk.at_item(index, |walk| walk.argument(text, next, *at));
            }
        });
    }

    fn argument(&mut self, text: &str, next: Option<&str>, at: At) {
        if text.contains(char::is_whitespace) {
            return self.script(text, at);
        }
        let Some(flag) = text.strip_prefix('-').map(|flag| flag.trim_start_matches('-')) else {
            // A program's own spelling: `key=value`.
            if let Some((key, value)) = text.split_once('=') {
                self.flag(key, value, at);
            }
            return;
        };
        match flag.split_once('=') {
            Some((key, value)) => self.flag(key, value, at),
            None => {
                if let Some(value) = next.filter(|next| !next.starts_with('-')) {
                    self.keyed(flag, value, at);
                }
            }
        }
    }

    fn flag(&mut self, key: &str, value: &str, at: At) {
        let value = value.trim_matches(['"', '\'']);
        match promise(key) {
            Promise::Nothing => self.unasked(value, at),
            _ => self.keyed(key, value, at),
        }
    }

    /// The words of a script that look like such flags.
    fn script(&mut self, text: &str, at: At) {
        let guess = std::mem::replace(&mut self.guess, true);
        for word in text.split_whitespace().filter(|word| word.starts_with("--")) {
            if let Some((key, value)) = word.trim_start_matches('-').split_once('=') {
                let value = value.trim_matches(['"', '\'', ';', '`']);
                if !matches!(name(value), Name::Word(_) | Name::Templated) {
                    self.keyed(key, value, at);
                }
            }
        }
        self.guess = guess;
    }

    /// Environment variables: a list of names and values, or a mapping of them.
    pub(crate) fn environment(&mut self, key: &str, tree: &Tree) {
        self.within(key, |walk| match &tree.value {
            Value::List(items) => {
                for item in items {
                    if let (Some(name), Some(value)) = (item.text_at("name"), item.get("value")) {
                        walk.variable(name, value);
                    }
                }
            }
            Value::Map(map) => map.iter().for_each(|(name, value)| walk.variable(name, value)),
            _ => {}
        });
    }

    fn variable(&mut self, name: &str, value: &Tree) {
        if let Some(text) = value.text() {
            self.within(name, |walk| walk.flag(name, text, value.at));
        }
    }
}
