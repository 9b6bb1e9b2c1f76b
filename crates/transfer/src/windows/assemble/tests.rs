//! Lists are what Docker's own would be: entries, order, bytes, and what becomes of indexes that were there.

use landfall_oci::annotation;
use serde_json::json;

use super::*;

fn member(byte: u8, platform: &str) -> Member {
    Member {
        manifest: Descriptor::new(MediaType::DOCKER_MANIFEST, Digest::Sha256([byte; 32]), 439),
        platform: platform.parse().unwrap(),
    }
}

fn entry(member: &Member) -> Value {
    json!({
        "digest": member.manifest.digest, "mediaType": member.manifest.media_type, "size": 439,
        "platform": member.platform,
    })
}

fn index(media_type: &MediaType, entries: &[Value], more: &Value) -> Existing {
    let mut value = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
    if let (Some(value), Some(more)) = (value.as_object_mut(), more.as_object()) {
        value.extend(more.clone());
    }
    let bytes = Bytes::from(value.to_string());
    let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
    Existing::read(&RawManifest::new(None, digest, bytes).unwrap()).unwrap()
}

fn listed(assembled: &Assembled) -> Vec<u8> {
    assembled
        .entries
        .iter()
        .map(|entry| entry.digest.as_bytes()[0])
        .collect()
}

/// What `docker manifest create` and `docker manifest push` of docker.io 20.10.24 and of 28.2 stored for three such
/// members (their order there is that of the members' names).
#[test]
fn the_bytes_are_dockers() {
    let digest = |hex: &str| format!("sha256:{hex}").parse::<Digest>().unwrap();
    let of = |hex: &str, config: Value| Member {
        manifest: Descriptor::new(MediaType::DOCKER_MANIFEST, digest(hex), 439),
        platform: stated_platform(config.to_string().as_bytes()).unwrap(),
    };
    let windows = |build: &str| {
        json!({"created": "2024-01-01T00:00:00Z", "os": "windows", "architecture": "amd64",
            "os.version": build, "os.features": ["win32k"], "config": {}, "variant": null})
    };
    let members = [
        of(
            "3d2693c5877136676b3b2ee8de23707ef3db7ff3043e95d307002aee7ebc244e",
            json!({"os": "linux", "architecture": "amd64"}),
        ),
        of(
            "a0dc2d342323364aafec296fb6ee273dbb7aca71a45d6231a2d9df9f05750142",
            windows("10.0.17763.5458"),
        ),
        of(
            "6143a82e0c4f1b9881e5afbab901e7107572254625500e33859deb4313bf544b",
            windows("10.0.20348.2113"),
        ),
    ];
    let made = assemble(&members, &[], IndexFormat::Docker).unwrap();
    assert_eq!(
        made.manifest.digest.to_string(),
        "sha256:487e52746087a7f6adf4afd9366ce216a0eecef75418ebac0e2ac445004b5f4e"
    );
}

/// The same from docker 28.2 on three OCI members: it chooses the type by theirs.
#[test]
fn the_oci_bytes_are_dockers_too() {
    let of = |hex: &str, os: &str, os_version: &str| Member {
        manifest: Descriptor::new(
            MediaType::OCI_MANIFEST,
            format!("sha256:{hex}").parse().unwrap(),
            417,
        ),
        platform: Platform {
            os_version: os_version.to_owned(),
            os_features: if os == "windows" {
                vec!["win32k".to_owned()]
            } else {
                Vec::new()
            },
            ..Platform::new(os, "amd64")
        },
    };
    let members = [
        of(
            "bfb777dd15c0a6985bc263b653cb0ae6da1dc365c7a6e053e7a0b100375a8a7d",
            "linux",
            "",
        ),
        of(
            "712c34d8b2791132d8f53e6fbd325da817626d8ade46f9fdec2cc8eda1c7830b",
            "windows",
            "10.0.17763.5458",
        ),
        of(
            "ed8d79a5c0a4aa70b583daad5e29ecd62ab7f299af2a938c20d993a740756879",
            "windows",
            "10.0.20348.2113",
        ),
    ];
    let made = assemble(&members, &[], IndexFormat::Oci).unwrap();
    assert_eq!(
        made.manifest.digest.to_string(),
        "sha256:e0b34662fd7ebfa829eb56de045c1693e319092aeab4e96f2845e754febc72bf"
    );
}

#[test]
fn configs_say_what_docker_would_take() {
    let said = |text: &str| stated_platform(text.as_bytes()).map(|platform| platform.to_string());
    assert_eq!(
        said(r#"{"os":"linux","architecture":"arm","variant":"v7"}"#).unwrap(),
        "linux/arm/v7"
    );
    for nothing in [
        "{}",
        r#"{"os":"linux"}"#,
        r#"{"os":"","architecture":"amd64"}"#,
        "[]",
        "x",
    ] {
        assert_eq!(said(nothing), None, "{nothing}");
    }
}

#[test]
fn an_index_that_holds_everything_stays_byte_for_byte() {
    let (linux, windows) = (member(1, "linux/amd64"), member(2, "windows(10.0.17763.1)/amd64"));
    let there = index(
        &MediaType::OCI_INDEX,
        &[entry(&linux), entry(&windows)],
        &json!({"x": 1}),
    );
    let made = assemble(
        &[windows, linux],
        std::slice::from_ref(&there),
        IndexFormat::Docker,
    )
    .unwrap();
    assert!(made.is_unchanged);
    assert_eq!(made.manifest, there.manifest);
}

#[test]
fn members_come_first_and_nothing_is_lost() {
    let (amd, arm) = (member(1, "linux/amd64"), member(3, "linux/arm64"));
    let mut note = entry(&member(4, "linux/amd64"));
    note["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    note["annotations"] = json!({
        annotation::DOCKER_REFERENCE_TYPE: "attestation-manifest",
        annotation::DOCKER_REFERENCE_DIGEST: amd.manifest.digest.to_string(),
    });
    let mut odd = entry(&arm);
    odd["platform"]["features"] = json!(["sse4"]);
    let there = index(
        &MediaType::OCI_INDEX,
        &[odd.clone(), entry(&amd), note],
        &json!({"annotations": {"a": "b"}}),
    );
    let windows = member(2, "windows(10.0.17763.1)/amd64");
    let made = assemble(&[windows, amd], std::slice::from_ref(&there), IndexFormat::Oci).unwrap();
    assert_eq!(listed(&made), [2, 1, 3, 4]);
    let value: Value = serde_json::from_slice(&made.manifest.bytes).unwrap();
    assert_eq!(value["annotations"]["a"], "b");
    assert_eq!(value["manifests"][2], odd);
    let docker = assemble(
        &[member(2, "windows(10.0.17763.1)/amd64")],
        &[there],
        IndexFormat::Docker,
    )
    .unwrap();
    assert_eq!(listed(&docker), [2, 3, 1, 4]);
    assert!(
        !std::str::from_utf8(&docker.manifest.bytes)
            .unwrap()
            .contains("\"a\"")
    );
}

#[test]
fn a_member_from_outside_replaces_its_own_build_only() {
    let old = [
        member(1, "windows(10.0.17763.1)/amd64"),
        member(2, "windows(10.0.20348.1)/amd64"),
        member(3, "linux/amd64"),
    ];
    let there = index(&MediaType::DOCKER_LIST, &old.each_ref().map(entry), &json!({}));
    let new = member(9, "windows(10.0.17763.5458)/amd64");
    let made = assemble(&[new], &[there], IndexFormat::Docker).unwrap();
    assert_eq!(listed(&made), [9, 2, 3]);
    assert_eq!(made.replaced.len(), 1);
    assert_eq!(made.replaced[0].digest.as_bytes()[0], 1);
}

#[test]
fn later_indexes_only_add_platforms() {
    let first = index(
        &MediaType::DOCKER_LIST,
        &[entry(&member(1, "linux/amd64"))],
        &json!({}),
    );
    let second = [member(2, "linux/amd64"), member(3, "linux/arm64")];
    let second = index(&MediaType::DOCKER_LIST, &second.each_ref().map(entry), &json!({}));
    let made = assemble(
        &[member(9, "windows(10.0.17763.1)/amd64")],
        &[first, second],
        IndexFormat::Docker,
    );
    assert_eq!(listed(&made.unwrap()), [9, 1, 3]);
}

#[test]
fn one_image_is_listed_once_and_one_platform_by_its_first_member() {
    let twice = [
        member(1, "windows(10.0.17763.1)/amd64"),
        member(1, "windows(10.0.17763.1)/amd64"),
        member(2, "windows(10.0.17763.9)/amd64"),
    ];
    let made = assemble(&twice, &[], IndexFormat::Docker).unwrap();
    assert_eq!(listed(&made), [1]);
    assert!(assemble(&[], &[], IndexFormat::Docker).is_err());
    let again = assemble(&twice, &[], IndexFormat::Docker).unwrap();
    assert_eq!(again.manifest.bytes, made.manifest.bytes);
}

#[test]
fn an_entry_that_says_less_than_its_config_is_completed() {
    let whole = member(1, "windows(10.0.17763.1)/amd64");
    let mut short = entry(&whole);
    short["platform"] = json!({"os": "windows", "architecture": "amd64"});
    let there = index(&MediaType::DOCKER_LIST, &[short], &json!({}));
    let made = assemble(std::slice::from_ref(&whole), &[there], IndexFormat::Docker).unwrap();
    assert!(!made.is_unchanged);
    assert_eq!(made.entries[0].platform.as_ref(), Some(&whole.platform));
}
