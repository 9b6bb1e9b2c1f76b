//! `Link: <URL>; rel="next"`: the next page of a list (RFC 8288). Pure.

/// The target of the first link with `rel=next`.
pub(crate) fn next(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let after = &rest[start + 1..];
        let end = after.find('>')?;
        let (target, parameters) = (&after[..end], &after[end + 1..]);
        let parameters_end = parameters.find('<').unwrap_or(parameters.len());
        if parameters[..parameters_end].split(';').any(is_next) {
            return Some(target);
        }
        rest = &parameters[parameters_end..];
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel")
        && value
            .split(' ')
            .any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_page() {
        assert_eq!(
            next(r#"</v2/a/tags/list?last=b&n=2>; rel="next""#),
            Some("/v2/a/tags/list?last=b&n=2")
        );
        assert_eq!(next(r#"<a>; rel="prev", <b>; rel=next"#), Some("b"));
        assert_eq!(next(r#"<a>;rel="first next""#), Some("a"));
        for none in ["", "<a>", "<a; rel=next", r#"<a>; rel="prev""#, "a; rel=next"] {
            assert_eq!(next(none), None, "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[<>;=,\" a-zé]{0,40}") {
            let _ = next(&text);
        }
    }
}
