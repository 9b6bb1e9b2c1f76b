//! Large files: no rule may compare everything with everything. Timings are printed, and decide nothing.

use std::fmt::Write as _;
use std::time::Instant;

use super::support::{codes, denied, k3s, lint};

/// Some five thousand lines of mirrors, each with a rule and an entry of `configs`.
fn many_mirrors() -> String {
    let mut text = "mirrors:\n".to_owned();
    for n in 0..500 {
        let _ = write!(
            text,
            "  r{n}.example.com:\n    endpoint:\n      - https://m{n}.lan:5000\n    rewrite:\n      \"^a{n}/(.*)\": \"b{n}/$1\"\n"
        );
    }
    text.push_str("configs:\n");
    for n in 0..500 {
        let _ = write!(
            text,
            "  \"m{n}.lan:5000\":\n    auth:\n      username: robot\n      password: secret{n}\n    tls:\n"
        );
    }
    text
}

/// One mirror with five thousand rules.
fn many_rules(rule: impl Fn(usize) -> String) -> String {
    let mut text = "mirrors:\n  docker.io:\n    endpoint: [https://m.lan]\n    rewrite:\n".to_owned();
    for n in 0..5000 {
        let _ = writeln!(text, "      {}", rule(n));
    }
    text
}

#[test]
fn large_files_are_looked_at_in_time() {
    let apart = many_rules(|n| format!("\"^org{n}x/(.*)\": \"a{n}/$1\""));
    let odd = many_rules(|n| format!("\"^org{n}x/([a-z]+)-(.*)$\": \"a{n}/$2-$1\""));
    let meeting = many_rules(|n| format!("\"org{n}/.*\": \"a{n}\""));
    for (name, text, options, expected) in [
        ("mirrors", many_mirrors(), k3s(), 0),
        ("mirrors, denied", many_mirrors(), denied(), 1),
        ("rules apart", apart, k3s(), 0),
        ("odd rules", odd, k3s(), 0),
        ("rules that may meet", meeting, k3s(), 5000),
    ] {
        let start = Instant::now();
        let found = lint(&text, &options);
        println!(
            "{name}: {} lines, {} findings, {:?}",
            text.lines().count(),
            found.len(),
            start.elapsed()
        );
        assert!(codes(&found).len() >= expected, "{name}: {:?}", codes(&found));
        assert!(
            expected > 0 || found.is_empty(),
            "{name}: {:?}",
            &found[..found.len().min(3)]
        );
    }
}
