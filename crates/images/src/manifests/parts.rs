//! The parts that an image's name is put together from, in the spellings of common charts.

use super::fields::Defaults;
use super::name::{Name, is_templated, name};
use super::tree::{At, Tree, Value};

const REPOSITORY: &[&str] = &["repository", "repo"];
const REGISTRY: &[&str] = &["registry", "imageRegistry", "host"];
const NAMESPACE: &[&str] = &["namespace", "imageNamespace", "org", "organization"];
const TAG: &[&str] = &["tag", "imageTag", "version"];
const DIGEST: &[&str] = &["digest", "imageDigest", "sha", "sha256"];
/// A mapping that says one of these is about an image.
const SIGNS: &[&str] = &[
    "tag",
    "digest",
    "sha",
    "registry",
    "pullPolicy",
    "imagePullPolicy",
    "pullSecrets",
];
/// `fooImage…`: endings of a key for the repository, and of those beside it.
const SPLIT: [(&str, &str, &str, &str); 6] = [
    ("Repository", "Tag", "Registry", "Digest"),
    ("Repo", "Tag", "Registry", "Digest"),
    ("Name", "Tag", "Registry", "Digest"),
    ("Name", "Version", "Registry", "Digest"),
    ("_repository", "_tag", "_registry", "_digest"),
    ("_name", "_tag", "_registry", "_digest"),
];

/// An image in parts, templates as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) registry: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) repository: String,
    /// A name alone, which the registry and namespace further up belong to.
    pub(crate) is_name: bool,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
    /// Rancher's `os: windows,linux`.
    pub(crate) os: Option<String>,
    pub(crate) at: At,
    pub(crate) guess: bool,
    /// YAML read the tag as a number, and may have changed it.
    pub(crate) number: bool,
}

impl Parts {
    /// A mapping under `key` that is an image. `has_registry`: one stands further up.
    pub(crate) fn of_mapping(key: &str, tree: &Tree, has_registry: bool) -> Option<Self> {
        let map = tree.map()?;
        let first = |keys: &[&str]| {
            keys.iter()
                .find_map(|key| tree.text_at(key))
                .map(ToOwned::to_owned)
        };
        let calls_itself_image = key
            .to_ascii_lowercase()
            .trim_end_matches(|c: char| c == ']' || c.is_ascii_digit() || c == '[')
            .ends_with("image");
        let has_sign = SIGNS.iter().any(|sign| map.contains_key(*sign));
        let (repository, is_name) = match first(REPOSITORY) {
            Some(repository) if calls_itself_image || has_sign => (repository, false),
            Some(_) => return None,
            None => {
                let image = tree.text_at("image").filter(|_| map.contains_key("registry"));
                let name = || {
                    tree.text_at("name")
                        .filter(|_| calls_itself_image && (has_sign || has_registry))
                };
                (image.or_else(name)?.to_owned(), true)
            }
        };
        if repository.contains("://")
            || repository.contains(char::is_whitespace) && !is_templated(&repository)
        {
            return None;
        }
        let at = REPOSITORY
            .iter()
            .chain(&["image", "name"])
            .find_map(|key| tree.get(key))
            .map_or(tree.at, |found| found.at);
        let tag = TAG
            .iter()
            .find_map(|key| tree.get(key))
            .filter(|tag| tag.printed().is_some_and(|tag| !tag.is_empty()));
        Some(Self {
            registry: first(REGISTRY),
            namespace: first(NAMESPACE).filter(|_| is_name),
            repository,
            is_name,
            tag: tag.and_then(Tree::printed),
            digest: first(DIGEST),
            os: first(&["os"]),
            at,
            guess: !calls_itself_image && !map.contains_key("tag"),
            number: tag.is_some_and(|tag| matches!(tag.value, Value::Number(_))),
        })
    }

    /// A text under `key` with its other parts beside it: `image` and `tag`, `fooImageRepository` and `fooImageTag`,
    /// `foo` and `fooTag`.
    pub(crate) fn of_siblings(key: &str, beside: &Tree) -> Option<Self> {
        let printed = |key: &str| beside.get(key)?.printed().filter(|text| !text.is_empty());
        let value = beside.get(key)?;
        let repository = value.text()?.to_owned();
        let found = |tag: String, registry: Option<String>, digest: Option<String>| Self {
            registry,
            repository: repository.clone(),
            number: matches!(beside.get(&tag).map(|tag| &tag.value), Some(Value::Number(_))),
            tag: printed(&tag),
            digest,
            at: value.at,
            ..Self::default()
        };
        let lower = key.to_ascii_lowercase();
        if lower.ends_with("image") {
            if is_whole(&repository) {
                return None;
            }
            let tags = ["Tag", "_tag", "Version"].map(|end| format!("{key}{end}"));
            let tags = tags.into_iter().chain(["tag", "imageTag"].map(ToOwned::to_owned));
            let own = if key == "image" { 5 } else { 3 };
            let tag = tags.take(own).find(|tag| beside.get(tag).is_some())?;
            // `{registry, image, tag}` is read as a whole.
            if beside.get("registry").is_some() && key == "image" {
                return None;
            }
            let digest = match key {
                "image" => DIGEST.iter().find_map(|digest| printed(digest)),
                _ => printed(&format!("{key}Digest")),
            };
            return Some(found(tag, printed(&format!("{key}Registry")), digest));
        }
        let plain = [format!("{key}Tag"), format!("{key}_tag")];
        if let Some(tag) = plain.into_iter().find(|tag| printed(tag).is_some())
            && repository.contains('/')
            && matches!(name(&repository), Name::Full(_) | Name::Likely(_))
            && !is_whole(&repository)
        {
            let guess = true;
            let parts = found(tag, None, None);
            return Some(Self { guess, ..parts });
        }
        SPLIT.iter().find_map(|(end, tag, registry, digest)| {
            let stem = key
                .strip_suffix(end)
                .filter(|stem| stem.to_ascii_lowercase().ends_with("image"))?;
            let tag = format!("{stem}{tag}");
            beside.get(&tag)?;
            (!is_whole(&repository)).then(|| {
                found(
                    tag,
                    printed(&format!("{stem}{registry}")),
                    printed(&format!("{stem}{digest}")),
                )
            })
        })
    }

    /// Whether a text under `key` is part of the mapping it stands in, which was read as a whole.
    pub(crate) fn is_taken(key: &str, beside: &Tree) -> bool {
        key == "image"
            && beside.get("registry").is_some()
            && beside.text_at("image").is_some_and(|image| !is_whole(image))
    }

    /// The name, what to say about it, and whether some of it was guessed.
    pub(crate) fn join(&self, path: &str, defaults: &Defaults<'_>) -> (String, Vec<String>, bool) {
        let (mut notes, mut guess) = (Vec::new(), false);
        let expand = |text: &str| match is_templated(text) {
            true => defaults
                .expand
                .and_then(|expand| expand(text))
                .unwrap_or_else(|| text.to_owned()),
            false => text.to_owned(),
        };
        let mut name = expand(&self.repository).trim_matches('/').to_owned();
        if self.is_name
            && let Some(namespace) = self.namespace.as_ref().or(defaults.namespace.as_ref())
            && !name.contains('/')
        {
            name = format!("{namespace}/{name}");
        }
        if let Some(registry) = self.registry_for(&name, defaults) {
            name = format!("{}/{name}", expand(registry.trim_end_matches('/')));
        }
        let mut tag = self.tag.as_deref().map(expand).filter(|tag| !tag.is_empty());
        if self.number && self.tag.as_ref().is_some_and(|tag| tag.contains('.')) {
            notes.push(
                "its tag is a number to YAML, which drops zeros at the end; quotes keep them".to_owned(),
            );
        }
        let digest = self
            .digest
            .as_deref()
            .map(expand)
            .map(|digest| match digest.contains(':') {
                true => digest,
                false => format!("sha256:{digest}"),
            });
        if tag.is_none()
            && digest.is_none()
            && !is_whole(&name)
            && let Some((default, origin)) = defaults.tag.and_then(|tag| tag(path))
        {
            (tag, guess) = (Some(default), true);
            notes.push(format!("tag: {origin}"));
        }
        if let Some(tag) = tag.filter(|_| !is_whole(&name)) {
            name = format!("{name}:{tag}");
        }
        if let Some(digest) = digest.filter(|_| !name.contains('@')) {
            name = format!("{name}@{digest}");
        }
        if let Some(os) = &self.os {
            notes.push(format!("os: {os}"));
        }
        (name, notes, guess)
    }

    fn registry_for<'t>(&'t self, name: &str, defaults: &'t Defaults<'_>) -> Option<&'t str> {
        let has_host = name
            .split_once('/')
            .is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
        let own = self.registry.as_deref();
        let further_up = defaults.override_registry.as_deref();
        match (own, further_up) {
            (Some(_), Some(registry)) => Some(registry),
            (Some(registry), None) => (!name.starts_with(&format!("{registry}/"))).then_some(registry),
            (None, _) if has_host => None,
            (None, Some(registry)) => Some(registry),
            (None, None) => defaults.registry.as_deref().filter(|_| self.is_name),
        }
    }
}

/// Whether a name has its tag or digest already.
fn is_whole(text: &str) -> bool {
    text.contains('@')
        || text.rsplit('/').next().is_some_and(|last| last.contains(':')) && !is_templated(text)
}
