//! Whatever the file says, reading, rendering and explaining come to an end.

use landfall_diag::SourceId;
use landfall_oci::Reference;
use landfall_registries::k3s::{Behaviours, Node, Options, Program, Version};
use landfall_registries::{registries_yaml, wharfie};
use proptest::prelude::*;

fn all_of(text: &str, embedded: bool, no_default: bool, minor: u32, patch: u32) {
    let read = registries_yaml::read(SourceId(0), text);
    let Ok(file) = read.registries else {
        return;
    };
    let mut options = Options::new(Program::Rke2);
    options.behaviours = Behaviours::of(Version { minor, patch });
    options.embedded_registry = embedded.then(|| "127.0.0.1:9345".to_owned());
    options.disable_default_endpoint = no_default;
    let node = Node::new(&file, options);
    for hosts in &node.rendering().hosts {
        let mut end = 0;
        for (range, _) in &hosts.rendered.origins {
            assert!(
                end <= range.start
                    && range.start < range.end
                    && hosts.rendered.text.is_char_boundary(range.end)
            );
            assert!(hosts.rendered.text.is_char_boundary(range.start));
            end = range.end;
        }
    }
    for image in ["nginx", "quay.io/a/b:1", "localhost:5000/a/b", "[::1]:5000/x/y"] {
        let image = Reference::parse(image).expect("an image");
        _ = node.explain(&image);
        _ = wharfie::explain(&file, &image);
    }
}

/// A file of our own making: keys, endpoints, patterns and paths of any text.
fn file() -> impl Strategy<Value = String> {
    let text = || {
        prop_oneof![
            "[ -~]{0,12}",
            "\\PC{0,6}",
            Just("*".to_owned()),
            Just("docker.io".to_owned())
        ]
    };
    let mirror = (
        text(),
        prop::collection::vec(text(), 0..3),
        prop::collection::vec((text(), text()), 0..3),
    );
    let config = (text(), text(), text(), text());
    (prop::collection::vec(mirror, 0..3), prop::collection::vec(config, 0..3)).prop_map(|(mirrors, configs)| {
        let quoted = |text: &String| serde_json::to_string(text).expect("a text");
        let mirrors: Vec<String> = mirrors
            .iter()
            .map(|(key, endpoints, rules)| {
                let endpoints: Vec<String> = endpoints.iter().map(quoted).collect();
                let rules: Vec<String> = rules.iter().map(|(p, r)| format!("{}: {}", quoted(p), quoted(r))).collect();
                format!(
                    "{}: {{\"endpoint\": [{}], \"rewrite\": {{{}}}}}",
                    quoted(key),
                    endpoints.join(", "),
                    rules.join(", ")
                )
            })
            .collect();
        let configs: Vec<String> = configs
            .iter()
            .map(|(key, user, ca, cert)| {
                let (key, user, ca, cert) = (quoted(key), quoted(user), quoted(ca), quoted(cert));
                format!(
                    "{key}: {{\"auth\": {{\"username\": {user}}}, \"tls\": {{\"ca_file\": {ca}, \"cert_file\": {cert}}}}}"
                )
            })
            .collect();
        format!("{{\"mirrors\": {{{}}}, \"configs\": {{{}}}}}", mirrors.join(", "), configs.join(", "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in "\\PC{0,80}") {
        all_of(&text, false, false, 33, 3);
    }

    #[test]
    fn odd_files_are_survived(
        text in file(), embedded: bool, no_default: bool, minor in 25u32..36, patch in 0u32..16,
    ) {
        all_of(&text, embedded, no_default, minor, patch);
    }

    #[test]
    fn files_cut_anywhere_are_survived(at in 0usize..100, line in 0usize..30) {
        let whole = include_str!("../vectors/whole.yaml");
        let kept: String = whole.lines().take(line).map(|line| format!("{line}\n")).collect();
        let rest: String = whole.lines().nth(line).unwrap_or_default().chars().take(at).collect();
        all_of(&(kept + &rest), true, false, 33, 3);
    }
}
