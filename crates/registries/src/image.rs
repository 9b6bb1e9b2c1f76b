//! A name that is no image, in the words of the programs of a node.

use landfall_oci::ReferenceError;

/// What Docker's parser of references says, which containerd shows behind `failed to parse image reference "…": `.
#[must_use]
pub fn image_refusal(text: &str, error: &ReferenceError) -> String {
    match error {
        ReferenceError::HexId { .. } => {
            format!("invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
        }
        ReferenceError::Uppercase { .. } => {
            format!(
                "invalid reference format: repository name ({}) must be lowercase",
                remote(text)
            )
        }
        ReferenceError::TooLong { .. } => "repository name must not be more than 255 characters".to_owned(),
        _ => "invalid reference format".to_owned(),
    }
}

/// What follows the registry, up to the tag.
fn remote(text: &str) -> String {
    let is_registry = |first: &str| {
        first.contains(['.', ':'])
            || first == "localhost"
            || first.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    let (hub, rest) = match text.split_once('/') {
        Some((first, rest)) if is_registry(first) => (matches!(first, "docker.io" | "index.docker.io"), rest),
        _ => (true, text),
    };
    let name = rest.split(':').next().unwrap_or_default();
    match hub && !rest.contains('/') {
        true => format!("library/{name}"),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use landfall_oci::Reference;

    use super::*;

    #[test]
    fn refuses_in_the_words_of_docker() {
        for (text, words) in [
            ("", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("nginx:", "invalid reference format"),
            (
                "NGINX:1",
                "invalid reference format: repository name (library/NGINX) must be lowercase",
            ),
            (
                "quay.io/A/b",
                "invalid reference format: repository name (A/b) must be lowercase",
            ),
        ] {
            let error = Reference::parse(text).expect_err("no image");
            assert_eq!(image_refusal(text, &error), words, "{text}");
        }
    }
}
