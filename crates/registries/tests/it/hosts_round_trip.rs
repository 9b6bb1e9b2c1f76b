//! What is written into hosts.toml is read back the same, whatever the texts in it.

use std::collections::BTreeMap;

use landfall_diag::{SourceId, Spanned};
use landfall_registries::Rewrite;
use landfall_registries::hosts::toml::{self, GoToml, Kind};
use landfall_registries::hosts::{
    Capability, ClientPair, Dialect, HostEntry, HostSettings, HostsToml, NOWHERE, Target,
};
use proptest::prelude::*;

fn plain<T>(value: T) -> Spanned<T> {
    Spanned::new(value, NOWHERE)
}

fn text() -> impl Strategy<Value = Spanned<String>> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
        Just("^v(\\d+)/\"x\"\\b\u{1b}\u{7f}".to_owned())
    ]
    .prop_map(plain)
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3)
}

prop_compose! {
    fn client()(cert in text(), key in proptest::option::of(text())) -> ClientPair {
        ClientPair { cert, key }
    }
}

prop_compose! {
    fn settings()(
        server in proptest::option::of(Just(plain("https://other:1".to_owned()))),
        capabilities in proptest::option::of(proptest::sample::subsequence(Capability::ALL.to_vec(), 0..=4)),
        ca in proptest::option::of(proptest::collection::vec(text(), 0..3)),
        client in proptest::option::of(proptest::collection::vec(client(), 0..3)),
        skip_verify in proptest::option::of(any::<bool>()),
        override_path in proptest::option::of(any::<bool>()),
        dial_timeout in proptest::option::of(Just(plain("1m2.5s".to_owned()))),
        header in map(),
        rewrite in map(),
    ) -> HostSettings {
        HostSettings {
            server,
            capabilities: capabilities.map(plain),
            ca: ca.map(plain),
            client: client.map(plain),
            skip_verify: skip_verify.map(plain),
            override_path: override_path.map(plain),
            dial_timeout,
            header: header.into_iter().map(|(key, value)| (plain(key), vec![plain(value)])).collect(),
            rewrite: rewrite
                .into_iter()
                .map(|(pattern, replacement)| Rewrite { pattern: plain(pattern), replacement: plain(replacement) })
                .collect(),
        }
    }
}

prop_compose! {
    fn file()(
        server in proptest::option::of("(https?://)?[a-z]{1,5}(:[0-9]{1,4})?"),
        root in settings(),
        urls in proptest::collection::btree_set("https?://[a-z]{1,8}(:[0-9]{1,4})?(/v2)?(/[a-z]{1,3}\\?\"\\\\)?", 0..4),
        each in proptest::collection::vec(settings(), 4),
    ) -> HostsToml {
        let host = |(url, settings)| HostEntry { url: plain(url), target: Target::default(), settings };
        HostsToml {
            server_on_top: server.is_some(),
            server: server.map(plain),
            target: None,
            root: HostSettings { server: None, ..root },
            hosts: urls.into_iter().zip(each).map(host).collect(),
        }
    }
}

fn read(text: &str, dialect: Dialect) -> HostsToml {
    let mut read =
        HostsToml::parse(SourceId(0), text, dialect).unwrap_or_else(|error| panic!("{error}\n{text}"));
    read.target = None;
    for host in &mut read.hosts {
        host.target = Target::default();
    }
    read
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(mut file in file()) {
        let dialect = Dialect { fork: true, go_toml: GoToml::V2_4, referrers: true, dial_timeout: true };
        let text = file.to_string();
        let found = read(&text, dialect);
        if !file.server_on_top && !file.hosts.is_empty() {
            // What stands above the tables is for a `server` that is not there.
            file.root = HostSettings::default();
        }
        prop_assert_eq!(&found, &file);
    }

    #[test]
    fn every_library_reads_the_same_texts(file in file()) {
        let text = file.to_string();
        let newest = toml::parse(SourceId(0), &text);
        prop_assert_eq!(&newest.error, &None);
        let brackets = file.hosts.iter().any(|host| host.url.value.contains(']'));
        for library in [GoToml::V1, GoToml::V2] {
            let older = toml::parse_as(SourceId(0), &text, library);
            prop_assert!(brackets || older.error.is_none(), "{:?}\n{}", older.error, text);
        }
    }

    #[test]
    fn no_text_is_too_much_for_the_reader(text in "[\\[\\]{}=.,\"'#\\\\ \\n\\ra-c0-9:_+-]{0,60}|\\PC{0,40}") {
        let document = toml::parse(SourceId(0), &text);
        if let Some(error) = document.error {
            prop_assert!(text.get(error.span.range()).is_some(), "{error} {:?}", error.span);
        }
    }
}

#[test]
fn nests_are_read_to_a_depth_and_no_deeper() {
    let nested = |depth: usize| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(toml::parse(SourceId(0), &nested(150)).error, None);
    assert!(toml::parse(SourceId(0), &nested(100_000)).error.is_some());
}

#[test]
fn values_know_their_places() {
    let text = "# c\n[host.'https://é'] # d\nca = [ \"a\", 'b' ]\n";
    let document = toml::parse(SourceId(0), text);
    assert_eq!(document.error, None);
    let host = &document.root.get("host").unwrap().as_table().unwrap().entries[0];
    assert_eq!(&text[host.key.span.range()], "'https://é'");
    assert_eq!(&text[host.value.span.range()], "[host.'https://é']");
    let ca = host.value.as_table().unwrap().get("ca").unwrap();
    assert_eq!(&text[ca.span.range()], "[ \"a\", 'b' ]");
    assert!(matches!(&ca.kind, Kind::Array(all) if &text[all[1].span.range()] == "'b'"));
}
