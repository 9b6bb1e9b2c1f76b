//! Whether Go's `time.ParseDuration` takes a text: a `dial_timeout` it refuses takes the whole file with it.

use crate::go::quote::quote;

/// Go's words about a text that is no duration.
pub(super) fn fault(text: &str) -> Option<String> {
    let invalid = || Some(format!("time: invalid duration {}", quote(text)));
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return None;
    }
    if rest.is_empty() {
        return invalid();
    }
    while !rest.is_empty() {
        let whole = digits(rest);
        let fraction = match rest[whole..].strip_prefix('.') {
            Some(behind) => 1 + digits(behind),
            None => 0,
        };
        if whole == 0 && fraction <= 1 {
            return invalid();
        }
        rest = &rest[whole + fraction..];
        let unit = rest
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(rest.len());
        match &rest[..unit] {
            "" => return Some(format!("time: missing unit in duration {}", quote(text))),
            "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h" => {}
            other => {
                let (unit, text) = (quote(other), quote(text));
                return Some(format!("time: unknown unit {unit} in duration {text}"));
            }
        }
        rest = &rest[unit..];
    }
    None
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn takes_and_refuses_as_go() {
        for good in ["0", "1s", "-1.5h", "+.5s", "1h2m3s", "1.s", "3µs", "0s"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for (bad, words) in [
            ("", "time: invalid duration \"\""),
            ("x", "time: invalid duration \"x\""),
            (".s", "time: invalid duration \".s\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
            ("1s 2s", "time: unknown unit \"s \" in duration \"1s 2s\""),
        ] {
            assert_eq!(fault(bad).as_deref(), Some(words), "{bad}");
        }
    }
}
