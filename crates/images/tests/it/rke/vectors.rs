//! The outputs of the real RKE v1.6.3: `$LANDFALL_VECTORS/rke.json` if set, else the copy beside the tests. Every field is
//! named here, so that one that is not compared cannot go unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use landfall_images::rke::{Ask, Cluster, Pull, Release, Resolved, Table, heading};
use landfall_oci::Reference;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The release that was observed.
const OBSERVED: &str = "v1.6.3";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "rules")]
    _rules: Value,
    cases: Vec<Case>,
    cli: Vec<Cli>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: String,
    cluster_yml: String,
    args: Vec<String>,
    resolved: Value,
    error: Option<String>,
    system_images_raw: Value,
    invalid_refs_rke_produces: Value,
    expected_images: Value,
    expected_required_images: Value,
    addon_images: Value,
    kubelet_infra_image: Value,
    expected_auths: Value,
    expected_cred_helpers: Value,
    kubelet_docker_config_json: Value,
    pull_auth_by_registry: Value,
    etcd_backup_image: Value,
    etcd_restore_image: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cli {
    name: String,
    args: Vec<String>,
    rc: i32,
    ordered: bool,
    stdout_log_lines: Vec<String>,
    stdout_lines: Vec<String>,
    stderr: String,
    #[serde(default)]
    env: Option<Value>,
    note: String,
}

fn vectors() -> Vectors {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let folder = std::env::var_os("LANDFALL_VECTORS").map_or(own, PathBuf::from);
    serde_json::from_slice(&std::fs::read(folder.join("rke.json")).unwrap()).unwrap()
}

fn release() -> Release<'static> {
    Table::embedded().release(OBSERVED).unwrap()
}

#[test]
fn vectors_clusters() {
    let mut failures = Vec::new();
    let cases = vectors().cases;
    assert!(cases.len() >= 34);
    for case in &cases {
        assert!(
            case.args.is_empty(),
            "{}: unknown arguments {:?}",
            case.name,
            case.args
        );
        let reading = super::read(&case.cluster_yml);
        let Some(cluster) = reading.cluster else {
            failures.push(format!("{}: not read\n{:?}", case.name, reading.diagnostics));
            continue;
        };
        let resolved = Resolved::new(&cluster, &release());
        for (field, actual, expected) in compared(&cluster, &resolved, case) {
            if !is_same(&actual, expected) {
                failures.push(format!(
                    "{}: {field}\n  ours: {actual}\n  rke:  {expected}",
                    case.name
                ));
            }
        }
        let error = resolved.refusal(&cluster).map(|refusal| refusal.message);
        if error != case.error {
            failures.push(format!(
                "{}: error\n  ours: {error:?}\n  rke:  {:?}",
                case.name, case.error
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Go prints nothing at all where a map, list or text is empty: as null, or as the empty one.
fn is_same(actual: &Value, expected: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    actual == expected || is_nothing(actual) && is_nothing(expected)
}

fn compared<'e>(
    cluster: &Cluster,
    resolved: &Resolved<'_>,
    expected: &'e Case,
) -> Vec<(&'static str, Value, &'e Value)> {
    let raw: Map<_, _> = resolved
        .raw()
        .map(|(component, image)| (component.to_owned(), json!(image)))
        .collect();
    let invalid: Vec<_> = resolved
        .invalid()
        .into_iter()
        .map(|invalid| invalid.image)
        .collect();
    let auths = cluster.auths().into_iter();
    let auths: BTreeMap<_, _> = auths.map(|(url, auth)| (url, json!({"auth": auth}))).collect();
    let config = cluster.kubelet_docker_config();
    let choices = json!({
        "version": resolved.version, "network": resolved.network, "dns": resolved.dns,
        "ingress": resolved.ingress, "monitoring": resolved.monitoring,
    });
    vec![
        ("resolved", choices, &expected.resolved),
        (
            "system_images_raw",
            Value::Object(raw),
            &expected.system_images_raw,
        ),
        (
            "invalid_refs_rke_produces",
            json!(invalid),
            &expected.invalid_refs_rke_produces,
        ),
        (
            "expected_images",
            json!(resolved.all()),
            &expected.expected_images,
        ),
        (
            "expected_required_images",
            json!(resolved.required()),
            &expected.expected_required_images,
        ),
        (
            "addon_images",
            json!(resolved.addon_images()),
            &expected.addon_images,
        ),
        (
            "kubelet_infra_image",
            json!(resolved.infra_image),
            &expected.kubelet_infra_image,
        ),
        ("expected_auths", json!(auths), &expected.expected_auths),
        (
            "expected_cred_helpers",
            json!(cluster.cred_helpers()),
            &expected.expected_cred_helpers,
        ),
        (
            "kubelet_docker_config_json",
            json!(config.as_ref().map(|config| config.expose())),
            &expected.kubelet_docker_config_json,
        ),
        (
            "pull_auth_by_registry",
            pulls(cluster, resolved),
            &expected.pull_auth_by_registry,
        ),
        (
            "etcd_backup_image",
            json!(resolved.backup_image()),
            &expected.etcd_backup_image,
        ),
        (
            "etcd_restore_image",
            json!(resolved.restore_image()),
            &expected.etcd_restore_image,
        ),
    ]
}

/// For each registry: what its images are pulled with, and how many they are.
fn pulls(cluster: &Cluster, resolved: &Resolved<'_>) -> Value {
    let mut pulls: BTreeMap<String, (Value, u32)> = BTreeMap::new();
    for image in resolved.all() {
        let image = Reference::parse(image).unwrap();
        let (Some(entry), Some(pull)) = (cluster.registry_of(&image), cluster.pull_credential(&image)) else {
            continue;
        };
        let mut config = Map::new();
        let (user, password) = match &pull {
            Pull::Basic { user, password } => (user.as_str(), password.expose()),
            // Amazon's answer was a stub that gave this token.
            Pull::Ecr(keys) if keys.is_ecr() => ("AWS", "ecrtoken"),
            Pull::Ecr(_) => continue,
        };
        for (field, text) in [("username", user), ("password", password)] {
            if !text.is_empty() {
                config.insert(field.to_owned(), json!(text));
            }
        }
        pulls
            .entry(entry.key().to_owned())
            .or_insert((Value::Object(config), 0))
            .1 += 1;
    }
    let pulls = pulls.into_iter();
    let pulls = pulls.map(|(url, (config, images))| (url, json!({"auth_config": config, "images": images})));
    Value::Object(pulls.collect())
}

#[test]
fn vectors_config_system_images() {
    let cases = vectors().cli;
    assert!(cases.len() >= 7);
    for case in &cases {
        let (rc, logs, lines) = run(case);
        assert_eq!(rc, case.rc, "{}", case.name);
        assert_eq!(case.stderr, "", "{}", case.name);
        if case.ordered {
            assert_eq!(lines, case.stdout_lines, "{}", case.name);
        } else {
            assert_eq!(sorted(&lines), sorted(&case.stdout_lines), "{}", case.name);
        }
        // What --debug and --trace add depends on the bytes of the data.
        let is_chatter = |line: &String| line.contains("level=debug") || line.contains("level=trace");
        let told = case.stdout_log_lines.iter().filter(|line| !is_chatter(line));
        let told: Vec<String> = told.cloned().collect();
        // Go goes through a map in no order: the lines, and the versions in one of them.
        let unordered = |logs: &[String]| sorted(&logs.iter().map(|line| words(line)).collect::<Vec<_>>());
        assert_eq!(unordered(&logs), unordered(&told), "{}", case.name);
    }
    fn sorted<T: Ord + Clone>(lines: &[T]) -> Vec<T> {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    }
    fn words(line: &str) -> BTreeSet<String> {
        let parts = line.split([' ', '[', ']', '"']);
        parts.map(ToOwned::to_owned).collect()
    }
}

/// What the program prints: its exit code, its log, its lines.
fn run(case: &Cli) -> (i32, Vec<String>, Vec<String>) {
    let (mut ask, mut quiet, mut images, mut data) = (Ask::default(), false, false, metadata_of(case));
    let mut words = case.args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (flag, value) = word
            .split_once('=')
            .map_or((word, None), |(flag, value)| (flag, Some(value)));
        // Go takes one dash for two.
        let flag = match flag.strip_prefix("--") {
            Some(long) => format!("-{long}"),
            None => flag.to_owned(),
        };
        let is_on = value.is_none_or(|value| value == "true");
        match flag.as_str() {
            "env" | "rke" | "config" => {}
            // What these add to the log is told apart by its level.
            "-d" | "-debug" | "-trace" => {}
            "-s" | "-system-images" => images = is_on,
            "-q" | "-quiet" => quiet = is_on,
            "-a" | "-all" => ask.all = is_on,
            "-l" | "-list-version" => ask.list_versions = is_on,
            "-version" => ask.version = value.or_else(|| words.next()).map(ToOwned::to_owned),
            "RANCHER_METADATA_URL" => data = value.map(ToOwned::to_owned),
            _ => panic!("{}: unknown argument {word}", case.name),
        }
    }
    let (rc, mut logs, lines) = printed(&ask, images, data.as_deref());
    if quiet {
        logs.clear();
    }
    (rc, logs, lines)
}

/// The place of another `data.json`, where the case gives it as a variable of the environment or tells of it.
fn metadata_of(case: &Cli) -> Option<String> {
    let name = "RANCHER_METADATA_URL";
    if let Some(place) = case.env.as_ref().and_then(|env| env.get(name)) {
        return place.as_str().map(ToOwned::to_owned);
    }
    let note = case.note.split_once(&format!("{name}="))?.1;
    let place = note.split([' ', ',', ';', ')', '"', '`']).next()?;
    Some(place.to_owned())
}

fn printed(ask: &Ask, images: bool, data: Option<&str>) -> (i32, Vec<String>, Vec<String>) {
    let fatal = |message: String| {
        let log = format!("time=\"<T>\" level=fatal msg=\"{message}\"");
        (1, vec![log], Vec::new())
    };
    let known = match data
        .filter(|place| !place.is_empty())
        .map(|place| (place, std::fs::read(place)))
    {
        None => None,
        Some((place, Err(error))) if error.kind() == std::io::ErrorKind::NotFound => {
            return fatal(format!(
                "failed to load data.json, error: open {place}: no such file or directory"
            ));
        }
        Some((place, Err(_))) => {
            return fatal(format!(
                "failed to load data.json, error: read {place}: is a directory"
            ));
        }
        Some((_, Ok(bytes))) => Some(Table::from_kdm(&bytes, Table::embedded()).unwrap()),
    };
    let release = match &known {
        Some(table) => table.release(OBSERVED).unwrap(),
        None => release(),
    };
    if ask.list_versions && !images {
        let versions = release.list_versions(ask).into_iter();
        return (0, Vec::new(), versions.map(ToOwned::to_owned).collect());
    }
    match release.system_images(ask) {
        Err(message) => fatal(message),
        Ok(blocks) => {
            let log = |version: &str| format!("time=\"<T>\" level=info msg=\"{}\"", heading(version));
            let logs = blocks.iter().map(|block| log(&block.version));
            let images = blocks.iter().flat_map(|block| &block.images);
            (0, logs.collect(), images.map(ToString::to_string).collect())
        }
    }
}

#[test]
fn config_as_the_real_program_answers() {
    let answer = |args: &[&str], note: &str| {
        run(&Cli {
            name: args.join(" "),
            args: args.iter().map(ToString::to_string).collect(),
            env: None,
            rc: 0,
            ordered: true,
            stdout_log_lines: Vec::new(),
            stdout_lines: Vec::new(),
            stderr: String::new(),
            note: note.to_owned(),
        })
    };
    let current = [
        "v1.27.16-rancher1-1",
        "v1.28.14-rancher1-1",
        "v1.29.9-rancher1-1",
        "v1.30.5-rancher1-1",
    ];
    let (rc, logs, lines) = answer(&["rke", "config", "-s", "-a"], "");
    assert_eq!((rc, logs.len(), lines.len()), (0, 4, 110));
    // Images win over versions, and versions have no log.
    assert_eq!(answer(&["rke", "config", "-s", "-l"], "").2.len(), 26);
    assert_eq!(
        answer(&["rke", "config", "-l"], ""),
        (0, vec![], vec![current[3].to_owned()])
    );
    let (rc, logs, mut lines) = answer(&["rke", "--quiet", "config", "--list-version", "--all"], "");
    lines.sort();
    assert_eq!(
        (rc, logs, lines),
        (0, vec![], current.map(ToOwned::to_owned).to_vec())
    );
    assert_eq!(answer(&["rke", "config", "-s", "--version", ""], "").2.len(), 26);
    assert_eq!(
        answer(
            &["rke", "--trace", "config", "-s", "-version=v1.13.1-rancher1-1"],
            ""
        )
        .2
        .len(),
        18
    );
    // What makes it stop is logged too, so that with --quiet nothing is said.
    let (rc, logs, lines) = answer(&["rke", "config", "-s", "--version", "nope"], "");
    assert!(rc == 1 && lines.is_empty() && logs[0].contains("supported versions are: [v1."));
    assert_eq!(
        answer(&["rke", "-q", "config", "-s", "--version", "nope"], ""),
        (1, vec![], vec![])
    );
    let missing = "time=\"<T>\" level=fatal msg=\"failed to load data.json, error: open /none/data.json: no such file or directory\"";
    let missing = (1, vec![missing.to_owned()], vec![]);
    let variable = "RANCHER_METADATA_URL=/none/data.json";
    assert_eq!(answer(&["env", variable, "rke", "config", "-s"], ""), missing);
    assert_eq!(
        answer(
            &["rke", "config", "-l"],
            &format!("with {variable}, there is none")
        ),
        missing
    );
}
