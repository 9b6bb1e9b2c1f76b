//! Go's `path.Clean` and `path.Join`: containerd builds the path of every request with them, which is why `/v2/` and
//! `/v2` end up as the same request although they are different endpoints.

/// Shortest equivalent of a slash-separated path: no empty element, no `.`, `..` resolved. Empty becomes `.`.
#[must_use]
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            element => kept.push(element),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

/// Joins what is not empty with slashes and cleans the result; nothing at all stays empty.
#[must_use]
pub fn join(elements: &[&str]) -> String {
    let kept: Vec<&str> = elements.iter().copied().filter(|e| !e.is_empty()).collect();
    if kept.is_empty() {
        String::new()
    } else {
        clean(&kept.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go printed for these.
    #[test]
    fn cleans_and_joins_as_go() {
        for (path, expected) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("//", "/"),
            ("a//b/./c/", "a/b/c"),
            ("/v2/", "/v2"),
            ("/../a", "/a"),
            ("../../a", "../../a"),
            ("a/../..", ".."),
            ("a/../../b", "../b"),
            ("/a/b/../../..", "/"),
            ("...", "..."),
            ("./..", ".."),
            ("a/..", "."),
        ] {
            assert_eq!(clean(path), expected, "{path:?}");
        }
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["", ""]), "");
        assert_eq!(
            join(&["/v2/", "rancher/pause", "manifests", "3"]),
            "/v2/rancher/pause/manifests/3"
        );
        assert_eq!(join(&["/v2", "/x", "manifests"]), "/v2/x/manifests");
        assert_eq!(join(&["", "a/../.."]), "..");
    }
}
