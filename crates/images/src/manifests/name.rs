//! Texts that may name images: what kind of text it is, and what the key, flag or variable before it promises.

use landfall_oci::Reference;

/// What a text is, seen as the name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Filled in later: `{{ … }}`, `$(VAR)`, `${VAR}`.
    Templated,
    /// With host, tag or digest as only an image has them: `quay.io/a/b:1`.
    Full(Reference),
    /// With a path, a tag or a digest: `a/b`, `a:1`.
    Likely(Reference),
    /// A bare word; only the place where it stands can make it an image.
    Word(Reference),
    /// No image, and why.
    Not(String),
}

/// What a key says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// `image`, `sidecarImage`, `FOO_IMAGE`, `--foo-image`.
    Image,
    /// Something about images: `imageRef`, `imageName`.
    Perhaps,
    /// A repository without a tag (`--default-base-image`).
    Base,
    /// About how images are pulled, or about nothing of the kind.
    Nothing,
}

/// Words beside `image` in a key that make it something else.
const OTHER_THINGS: &[&str] = &[
    "arch",
    "cache",
    "check",
    "concurrency",
    "credential",
    "credentials",
    "deadline",
    "dir",
    "disable",
    "enabled",
    "format",
    "gc",
    "interval",
    "limit",
    "max",
    "min",
    "mirror",
    "mirrors",
    "namespace",
    "os",
    "period",
    "policy",
    "prefix",
    "progress",
    "pull",
    "registry",
    "repositories",
    "repository",
    "scan",
    "secret",
    "secrets",
    "size",
    "suffix",
    "tag",
    "threshold",
    "timeout",
    "ttl",
    "type",
    "verify",
    "version",
    "digest",
    "sha",
    "regex",
    "url",
];

/// Looks at a text, blanks around it ignored.
pub(crate) fn name(text: &str) -> Name {
    let text = text.trim();
    if is_templated(text) {
        return Name::Templated;
    }
    let reference = match Reference::parse(text) {
        Ok(reference) => reference,
        Err(error) => return Name::Not(error.to_string()),
    };
    let pinned = reference.tag().is_some() || reference.digest().is_some();
    let has_path = text.contains('/');
    if is_scalar(text) || is_file(text) {
        return Name::Not(format!("`{text}` is no image"));
    }
    match (has_host(text), has_path, pinned) {
        (true, true, true) => Name::Full(reference),
        (_, true, _) => Name::Likely(reference),
        (_, false, true) if !is_address(text) => Name::Likely(reference),
        _ => Name::Word(reference),
    }
}

/// Whether something fills this in later.
pub(crate) fn is_templated(text: &str) -> bool {
    ["{{", "${", "$(", "<no value>", "%s", "%!", "<<"]
        .iter()
        .any(|mark| text.contains(mark))
}

fn has_host(text: &str) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    text.contains('/') && (first.contains(['.', ':']) || first == "localhost")
}

/// `true`, `1.5`, `10m`: words to the grammar of images, not to people.
fn is_scalar(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    matches!(
        text,
        "true" | "false" | "null" | "none" | "nil" | "always" | "never" | "default"
    ) || (text.len() - number.len() <= 2 && number.parse::<f64>().is_ok())
}

fn is_file(text: &str) -> bool {
    let ends = [
        ".png", ".svg", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".iso", ".img", ".qcow2", ".yaml", ".json",
    ];
    ends.iter().any(|end| text.ends_with(end))
}

/// `localhost:8080`, `10.0.0.1:53`, `:443`: an address, not an image with a tag.
fn is_address(text: &str) -> bool {
    match text.split_once(':') {
        Some((host, port)) => port.parse::<u16>().is_ok() && (host.contains('.') || host == "localhost"),
        None => false,
    }
}

/// What the name of a key, flag or variable promises.
pub(crate) fn promise(key: &str) -> Promise {
    let words = words(key);
    let is_image = |word: &&String| matches!(word.as_str(), "image" | "images" | "img");
    let Some(last) = words.last() else {
        return Promise::Nothing;
    };
    if !words.iter().any(|word| is_image(&word)) {
        return Promise::Nothing;
    }
    let others: Vec<_> = words
        .iter()
        .filter(|word| !is_image(word))
        .map(String::as_str)
        .collect();
    // What operators are told of the images that they start.
    if key.starts_with("RELATED_IMAGE_") {
        return Promise::Image;
    }
    if is_image(&last) && others.contains(&"base") {
        return Promise::Base;
    }
    let verbs = ["pull", "scan", "verify", "check", "cache", "max", "disable", "gc"];
    match is_image(&last) {
        true if others.first().is_some_and(|first| verbs.contains(first)) => Promise::Nothing,
        true => Promise::Image,
        false if others.iter().any(|word| OTHER_THINGS.contains(word)) => Promise::Nothing,
        false => Promise::Perhaps,
    }
}

/// A name in lower-case words: `acmeSolverImage`, `ACME_SOLVER_IMAGE` and `acme-solver-image` are the same.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = '_';
    for c in key.chars() {
        let new_word = c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || previous.is_ascii_digit());
        if new_word || !c.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for full in [
            "quay.io/a/b:1",
            "localhost/a:1",
            "reg:5000/a:1",
            "registry.k8s.io/pause:3.9",
        ] {
            assert!(matches!(name(full), Name::Full(_)), "{full}: {:?}", name(full));
        }
        for likely in ["a/b", "quay.io/a/b", "nginx:1", "a:latest", " a/b "] {
            assert!(
                matches!(name(likely), Name::Likely(_)),
                "{likely}: {:?}",
                name(likely)
            );
        }
        for word in [
            "nginx",
            "busybox",
            "localhost:8080",
            "10.0.0.1:53",
            "example.com:443",
        ] {
            assert!(matches!(name(word), Name::Word(_)), "{word}: {:?}", name(word));
        }
        for no in [
            "",
            "true",
            "10m",
            "1.5",
            "Always",
            "https://a/b",
            "a b",
            "logo.png",
            "a/b.svg",
            "/etc/x",
            "-",
        ] {
            assert!(matches!(name(no), Name::Not(_)), "{no}: {:?}", name(no));
        }
        for templated in ["{{ .Values.image }}", "a/b:$(TAG)", "${IMAGE}", "%s/%s:%s"] {
            assert_eq!(name(templated), Name::Templated, "{templated}");
        }
    }

    #[test]
    fn keys() {
        for key in [
            "image",
            "acmeSolverImage",
            "SIDECAR_IMAGE",
            "--acme-http01-solver-image",
            "images",
            "RELATED_IMAGE_FOO_BAR",
            "pause_image",
            "queueSidecarImage",
            "controller.image",
        ] {
            assert_eq!(promise(key), Promise::Image, "{key}");
        }
        for key in ["image-ref", "imageName", "IMAGE_NAME", "image-kaniko"] {
            assert_eq!(promise(key), Promise::Perhaps, "{key}");
        }
        assert_eq!(promise("--prometheus-default-base-image"), Promise::Base);
        for key in [
            "imagePullPolicy",
            "image-pull-secrets",
            "pullImage",
            "--image-registry",
            "imagination",
            "tag",
            "image_gc_high_threshold",
            "--image-repository",
            "imageTag",
            "--disable-image",
        ] {
            assert_eq!(promise(key), Promise::Nothing, "{key}");
        }
    }
}
