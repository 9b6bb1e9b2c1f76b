//! Where a setting comes from: what was typed, the environment, the file, the default; and what is said about
//! settings that cannot be meant.

use landfall_testkit::{Outcome, run};
use toml::Table;

use crate::place::Place;
use crate::server::Serving;

/// What is in force with these arguments and this environment.
#[track_caller]
fn in_force(place: &Place, args: &[&str], environment: &[(&str, &str)]) -> Table {
    let mut all = vec!["serve", "--print-config"];
    all.extend(args);
    let text = run(place.command(&all).envs(environment.iter().copied())).ok();
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(place: &Place, args: &[&str]) -> Outcome {
    let mut all = vec!["serve"];
    all.extend(args);
    let outcome = place.landfall(&all);
    assert_eq!(
        (outcome.code(), outcome.stdout.as_str()),
        (Some(2), ""),
        "{outcome}"
    );
    outcome
}

#[test]
fn typed_wins_over_environment_over_file_over_default() {
    let place = Place::new();
    place.scratch.write(
        "serve.toml",
        "root = \"store\"\nlisten = \"127.0.0.1:1111\"\nread-only = true\nimmutable = [\"a:*\"]\ngc-grace = \"2h\"\n",
    );
    let file = ["--config", "serve.toml"];
    let from_file = in_force(&place, &file, &[]);
    assert_eq!(from_file["listen"].as_str(), Some("127.0.0.1:1111"));
    assert_eq!(from_file["read-only"].as_bool(), Some(true));
    assert_eq!(from_file["gc-grace"].as_str(), Some("2h"));
    let environment = [
        ("LANDFALL_SERVE_LISTEN", "127.0.0.1:2222"),
        ("LANDFALL_SERVE_READ_ONLY", "false"),
        ("LANDFALL_SERVE_IMMUTABLE", "b:*,c:*"),
    ];
    let from_environment = in_force(&place, &file, &environment);
    assert_eq!(from_environment["listen"].as_str(), Some("127.0.0.1:2222"));
    assert_eq!(from_environment["read-only"].as_bool(), Some(false));
    let patterns: Vec<_> = from_environment["immutable"].as_array().unwrap().iter().collect();
    assert_eq!(patterns, [&"b:*".into(), &"c:*".into()]);
    let typed = [
        "--config",
        "serve.toml",
        "--listen",
        "[::1]:3333",
        "--read-only",
        "--gc-grace",
        "3h",
    ];
    let typed = in_force(&place, &typed, &environment);
    assert_eq!(typed["listen"].as_str(), Some("[::1]:3333"));
    assert_eq!(typed["read-only"].as_bool(), Some(true));
    assert_eq!(typed["gc-grace"].as_str(), Some("3h"));
    let default = in_force(&place, &["--root", "store"], &[]);
    assert_eq!(default["listen"].as_str(), Some("127.0.0.1:5000"));
    assert_eq!(default["read-only"].as_bool(), Some(false));
    // The file itself can come from the environment.
    let named = in_force(&place, &[], &[("LANDFALL_SERVE_CONFIG", "serve.toml")]);
    assert_eq!(named, from_file);
}

#[test]
fn what_is_printed_says_the_same_from_any_folder() {
    let place = Place::new();
    place.scratch.write(
        "conf/serve.toml",
        "bundles = [\"a.tar\"]\nroot = \"../store\"\ntls-self-signed = \"tls\"\nrules = \"rules.toml\"\n\
         access-log = \"-\"\n[[retention]]\ntags = \"t*\"\nkeep_last = 3\n",
    );
    let printed = in_force(&place, &["--config", "conf/serve.toml", "b.tar"], &[]);
    let bundles = printed["bundles"].as_array().unwrap();
    assert_eq!(bundles.len(), 1, "what was typed wins: {printed}");
    place
        .scratch
        .write("elsewhere/deep/again.toml", printed.to_string());
    let again = in_force(&place, &["--config", "elsewhere/deep/again.toml"], &[]);
    assert_eq!(again, printed);
    assert_eq!(again["access-log"].as_str(), Some("-"));
    assert_eq!(
        again["rules"].as_str(),
        place.path("conf/rules.toml").to_str(),
        "from the folder of the file"
    );
}

#[test]
fn paths_in_a_file_begin_at_its_folder() {
    let place = Place::new();
    place.scratch.write(
        "conf/serve.toml",
        "root = \"store\"\ntls-self-signed = \"tls\"\naccess-log = \"access.log\"\n",
    );
    let serving = Serving::start(&place, &["--config", "conf/serve.toml"]);
    for made in ["conf/store/lock", "conf/tls/ca.crt", "conf/access.log"] {
        assert!(place.exists(made), "{made}");
    }
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_mistake_in_the_file_is_shown_where_it_is() {
    let place = Place::new();
    for (text, place_of_it, words) in [
        (
            "root = \"s\"\nlissten = \"x\"\n",
            "serve.toml:2:1: ",
            "unknown field `lissten`",
        ),
        ("root = 7\n", "serve.toml:1:8: ", "string"),
        ("root = \"s\"\ntokens = \"yes\"\n", "serve.toml:2:10: ", "boolean"),
        (
            "root = \"s\"\nlisten = \"here\"\n",
            "serve.toml:2:10: ",
            "socket address",
        ),
        ("root = \"s\"\ngc-every = \"soon\"\n", "serve.toml:2:12: ", "12h"),
        ("root = \"s\"\nimmutable = [\"prod\"]\n", "serve.toml:2:", "prod"),
        (
            "root = \"s\"\n\n[[retention]]\ntags = \"*\"\n",
            "serve.toml:3:1: ",
            "keep_last",
        ),
        ("root = \"s\"\nlisten\n", "serve.toml:2:", "expected `=`"),
        // Contradictions.
        (
            "root = \"s\"\ntls-cert = \"c\"\n",
            "serve.toml:2:1: ",
            "--tls-key",
        ),
        (
            "root = \"s\"\ntls-self-signed = \"t\"\nplain-http = true\n",
            "serve.toml:2:1: ",
            "only one of",
        ),
        (
            "root = \"s\"\nclient-ca = \"ca\"\n",
            "serve.toml:2:1: ",
            "needs TLS",
        ),
        (
            "bundles = [\"a\"]\ntokens = true\n",
            "serve.toml:2:1: ",
            "--token-key",
        ),
        (
            "root = \"s\"\ntrusted-proxy = [\"nowhere\"]\n",
            "--trusted-proxy nowhere: ",
            "",
        ),
    ] {
        place.scratch.write("serve.toml", text);
        let outcome = refused(&place, &["--config", "serve.toml"]);
        let said = outcome.stderr.trim_end();
        assert!(
            said.starts_with(&format!("error: {place_of_it}")) && said.contains(words),
            "{text:?}: {outcome}"
        );
        assert!(!place.exists("s"), "nothing was touched: {text:?}");
    }
}

#[test]
fn what_was_typed_and_cannot_be_meant_is_refused() {
    let place = Place::new();
    for (args, words) in [
        (vec![], "nothing to serve"),
        (vec!["--root", "s", "--tls-key", "k"], "--tls-cert"),
        (
            vec!["--root", "s", "--listen", "0.0.0.0:0"],
            "can be reached from elsewhere",
        ),
        (vec!["--root", "s", "--client-cert-required"], "--client-ca"),
        (vec!["--root", "s", "--tls-name", "x"], "--tls-self-signed"),
        (vec!["--root", "s", "--drain-delay", "soon"], "drain-delay"),
    ] {
        let outcome = refused(&place, &args);
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    let outcome = place.landfall(&["serve", "--config", "nowhere.toml"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("nowhere.toml"), "{outcome}");
}
