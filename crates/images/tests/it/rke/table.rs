//! The table that the program carries is the facts that it was made of.

use std::process::Command;

use landfall_images::rke::{COMPONENTS, Choice, Table};
use serde_json::Value;

fn json() -> Option<Value> {
    let text = std::fs::read(super::facts()?).unwrap();
    Some(serde_json::from_slice(&text).unwrap())
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

#[test]
fn the_table_is_read_whole() {
    let table = Table::embedded();
    assert_eq!(table.versions().count(), 326);
    assert_eq!(table.releases().count(), 161);
    assert_eq!(table.newest_release(), "v1.6.3");
}

#[test]
fn every_version_variant_and_component_equals_the_facts() {
    let Some(facts) = json() else { return };
    let table = Table::embedded();
    assert_eq!(
        texts(&facts["components"]),
        COMPONENTS.map(|component| component.yaml)
    );
    assert_eq!(
        texts(&facts["json_keys"]),
        COMPONENTS.map(|component| component.json)
    );
    let images = texts(&facts["images"]);
    let image = |index: &Value| usize::try_from(index.as_i64().unwrap()).map_or("", |index| images[index]);
    let versions = facts["versions"].as_object().unwrap();
    assert_eq!(versions.len(), table.versions().count());
    for (version, row) in versions {
        let row: Vec<_> = row.as_array().unwrap().iter().map(image).collect();
        let ours: Vec<_> = table
            .images(version)
            .unwrap()
            .iter()
            .map(|(_, image)| image)
            .collect();
        assert_eq!(ours, row, "{version}");
    }
    for (version, variants) in facts["variants"].as_object().unwrap() {
        let row: Vec<_> = versions[version].as_array().unwrap().iter().map(image).collect();
        let ours: Vec<_> = table.variants(version).collect();
        let theirs = variants.as_array().unwrap();
        assert_eq!(ours.len(), theirs.len(), "{version}");
        for ((first, last, ours), theirs) in ours.into_iter().zip(theirs) {
            let range = texts(&theirs["rke"]);
            assert_eq!((first, last), (range[0], range[range.len() - 1]), "{version}");
            let mut wanted = row.clone();
            for (component, index) in theirs["diff"].as_object().unwrap() {
                let place = COMPONENTS
                    .iter()
                    .position(|known| known.yaml == component)
                    .unwrap();
                wanted[place] = image(index);
            }
            assert_eq!(
                ours.iter().map(|(_, image)| image).collect::<Vec<_>>(),
                wanted,
                "{version} {first}"
            );
        }
    }
}

#[test]
fn every_release_and_need_equals_the_facts() {
    let Some(facts) = json() else { return };
    let table = Table::embedded();
    for (name, known) in facts["rke"].as_object().unwrap() {
        let Some(current) = known.get("current") else {
            continue;
        };
        let release = table.release(name).unwrap();
        assert_eq!(release.default, known["default"].as_str().unwrap(), "{name}");
        assert_eq!(release.current, texts(current), "{name}");
        assert!(
            release
                .current
                .iter()
                .all(|version| release.find(version).is_some()),
            "{name}"
        );
        assert!(release.find(release.default).is_some(), "{name}");
    }
    let mut steps_seen = 0;
    for (choice, rule) in facts["needs"].as_object().unwrap() {
        let name = match choice.split_once(" + ") {
            Some((plugin, _)) => format!("{plugin}+cloud"),
            None => choice.clone(),
        };
        for step in rule.as_array().into_iter().flatten().filter_map(Value::as_array) {
            steps_seen += 1;
            let version = step[0].as_str().unwrap();
            let wanted = match &step[1] {
                Value::Null => Vec::new(),
                Value::String(same) => table.needs(same.trim_start_matches("same as "), version).to_vec(),
                list => texts(list),
            };
            assert_eq!(table.needs(&name, version), wanted, "{choice} {version}");
        }
    }
    assert!(steps_seen > 30, "{steps_seen}");
}

#[test]
fn the_checked_in_table_is_what_the_converter_makes() {
    let Some(facts) = super::facts() else { return };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let made = Command::new("python3")
        .arg(format!("{root}/scripts/rke-table"))
        .arg(facts)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let own = std::fs::read_to_string(format!("{root}/crates/images/data/rke.txt")).unwrap();
    assert!(own.as_bytes() == made.stdout, "run scripts/rke-table again");
}

#[test]
fn releases_disagree_and_the_one_asked_for_decides() {
    let table = Table::embedded();
    let coredns = |release: &str| {
        let release = table.release(release).unwrap();
        let found = release.find("v1.13.1-rancher1-2").unwrap();
        (found.images.get("coredns"), found.choice)
    };
    let (image, choice) = coredns("0.2.1");
    assert_eq!(image, "rancher/coredns-coredns:1.2.6");
    assert!(matches!(choice, Choice::Older { .. }));
    let (image, choice) = coredns("v1.6.3");
    assert_eq!(image, "coredns/coredns:1.2.6");
    let others = vec![("v0.2.0".to_owned(), "v0.2.2".to_owned())];
    assert_eq!(choice, Choice::Newest { others });
    let tools = |release: &str| {
        table
            .release(release)
            .unwrap()
            .find("v1.11.3-rancher1-1")
            .unwrap()
            .images
            .get("alpine")
    };
    assert_ne!(tools("v0.1.15"), tools("v0.2.0"));
}

#[test]
fn what_a_release_does_not_know_is_said_with_what_is_nearest() {
    let table = Table::embedded();
    let release = table.release("v1.6.3").unwrap();
    for (version, wanted) in [
        (
            "v1.30.99-rancher1-1",
            "nearest that it knows is v1.30.5-rancher1-1",
        ),
        ("v1.30", "nearest that it knows is v1.30.5-rancher1-1"),
        ("1.28.12", "nearest that it knows is v1.28.12-rancher1-1"),
        ("v1.31.1-rancher1-1", "RKE v1.7.0-dev does (--rke v1.7.0-dev)"),
        ("nonsense", "it offers v1.27.16-rancher1-1, v1.28.14-rancher1-1"),
    ] {
        assert!(release.find(version).is_none(), "{version}");
        let told = release.unknown(version).to_string();
        assert!(told.contains(wanted), "{version}: {told}");
    }
    let patch = table.release("v1.4.99").unwrap();
    assert_eq!(patch.instead, Some("v1.4.22"));
    for bad in ["", "v", "1.6", "latest", "v0.0.9"] {
        assert!(table.release(bad).is_err(), "{bad}");
    }
}
