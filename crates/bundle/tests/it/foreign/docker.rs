//! docker-archives: the forms that Docker, podman, skopeo and crane have given them.

use std::io::Read;

use landfall_bundle::BundleError;
use landfall_oci::{MediaType, View};
use serde_json::json;

use super::{Archive, Bench, assert_whole, bytes, config, gzip, images, layer, names, sha256};
use crate::support::noise;

fn layers() -> [Vec<u8>; 3] {
    [
        layer("bin/sh", &noise(1, 9000)),
        layer("etc/x", &noise(2, 700)),
        layer("y", b""),
    ]
}

/// What Docker before version 25 writes: a folder for each layer, links for those that are shared, the list last.
fn old_docker() -> Archive {
    let [base, one, other] = layers();
    let first = config("amd64", &[&base, &one]);
    let second = config("amd64", &[&base, &other]);
    let (first_name, second_name) = (sha256(&first).hex() + ".json", sha256(&second).hex() + ".json");
    Archive::default()
        .folder("aaa/")
        .file("aaa/VERSION", b"1.0")
        .file("aaa/json", br#"{"id":"aaa"}"#)
        .file("aaa/layer.tar", &base)
        .folder("bbb/")
        .file("bbb/VERSION", b"1.0")
        .file("bbb/layer.tar", &one)
        .file(&first_name, &first)
        .folder("ccc/")
        .file("ccc/layer.tar", &other)
        .symlink("ddd/layer.tar", "../aaa/layer.tar")
        .file(&second_name, &second)
        .json(
            "manifest.json",
            &json!([
                {"Config": first_name, "RepoTags": ["rancher/one:v1", "one:latest"],
                 "Layers": ["aaa/layer.tar", "bbb/layer.tar"]},
                {"Config": second_name, "RepoTags": ["quay.io/team/two:v2"],
                 "Layers": ["ddd/layer.tar", "ccc/layer.tar"]},
            ]),
        )
        .json("repositories", &json!({"rancher/one": {"v1": "bbb"}, "one": {"latest": "bbb"}, "quay.io/team/two": {"v2": "ccc"}}))
}

#[test]
fn old_dockers_plain_and_compressed_and_named_wrongly() {
    let bench = Bench::new();
    let plain = old_docker().done();
    let [base, one, _] = layers();
    let expected = bench.open(&bench.write("images.tar.gz", &plain)).unwrap();
    assert_whole(&expected);
    assert_eq!(
        names(&expected),
        [
            "docker.io/library/one:latest",
            "docker.io/rancher/one:v1",
            "quay.io/team/two:v2"
        ]
    );
    for compressed in [
        gzip(&plain),
        zstd::encode_all(&plain[..], 3).unwrap(),
        lz4(&plain),
        bzip2(&plain),
    ] {
        let bundle = bench.open(&bench.write("images.tar", &compressed)).unwrap();
        assert_eq!(images(&bundle), images(&expected));
        assert_eq!(bundle.blobs(), expected.blobs());
        assert_whole(&bundle);
    }
    // The config is what it was; the layers unpack to what they were; the shared one is there once.
    let root = images(&expected)[1].1;
    let manifest = expected.manifest(&root).unwrap();
    assert_eq!(manifest.media_type, MediaType::DOCKER_MANIFEST);
    let View::Image(image) = manifest.view().unwrap() else {
        panic!()
    };
    assert_eq!(
        bytes(&expected, &image.config.digest),
        config("amd64", &[&base, &one])
    );
    let unpacked = image.layers.iter().map(|layer| {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(&bytes(&expected, &layer.digest)[..])
            .read_to_end(&mut out)
            .unwrap();
        out
    });
    assert_eq!(unpacked.collect::<Vec<_>>(), [base, one]);
    assert_eq!(expected.blobs().len(), 2 + 2 + 3);
}

#[test]
fn the_manifest_is_written_as_docker_writes_it() {
    let bench = Bench::new();
    let tar = layer("x", b"x");
    let packed = gzip(&tar);
    let config = config("arm64", &[&tar]);
    let (config_digest, layer_digest) = (sha256(&config), sha256(&packed));
    // As crane and RKE2's archives have it: the layer is still compressed, so nothing of the image is lost.
    let archive = Archive::default()
        .json("manifest.json", &json!([{"Config": config_digest.to_string(), "RepoTags": ["a/b:1"], "Layers": [format!("{}.tar.gz", layer_digest.hex())]}]))
        .file(&config_digest.to_string(), &config)
        .file(&format!("{}.tar.gz", layer_digest.hex()), &packed);
    let bundle = bench.open_bytes(&archive.done()).unwrap();
    let manifest = String::from_utf8(bytes(&bundle, &images(&bundle)[0].1)).unwrap();
    let expected = format!(
        "{{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",\n   \
         \"config\": {{\n      \"mediaType\": \"application/vnd.docker.container.image.v1+json\",\n      \"size\": {},\n      \
         \"digest\": \"{config_digest}\"\n   }},\n   \"layers\": [\n      {{\n         \
         \"mediaType\": \"application/vnd.docker.image.rootfs.diff.tar.gzip\",\n         \"size\": {},\n         \
         \"digest\": \"{layer_digest}\"\n      }}\n   ]\n}}",
        config.len(),
        packed.len()
    );
    assert_eq!(manifest, expected);
    assert_whole(&bundle);
}

#[test]
fn layers_that_are_compressed_in_other_ways() {
    let bench = Bench::new();
    let tar = layer("x", &noise(7, 3000));
    let config = config("amd64", &[&tar]);
    for (packed, is_kept, types) in [
        (
            zstd::encode_all(&tar[..], 3).unwrap(),
            true,
            MediaType::OCI_MANIFEST,
        ),
        (bzip2(&tar), false, MediaType::DOCKER_MANIFEST),
    ] {
        let archive = Archive::default()
            .file("layer", &packed)
            .file("config", &config)
            .json(
                "manifest.json",
                &json!([{"Config": "config", "RepoTags": ["a/b:1"], "Layers": ["layer"]}]),
            );
        let bundle = bench.open_bytes(&gzip(&archive.done())).unwrap();
        assert_whole_but_unneeded(&bundle);
        assert_eq!(bundle.contains(&sha256(&packed)), is_kept);
        assert_eq!(bundle.images()[0].root.media_type, types);
    }
}

fn assert_whole_but_unneeded(bundle: &landfall_bundle::Bundle) {
    assert_whole(bundle);
    assert!(bundle.refused().is_empty());
}

#[test]
fn docker_25_with_its_own_store_writes_manifests_that_are_not_to_be_believed() {
    let bench = Bench::new();
    let tar = layer("x", &noise(8, 2000));
    let config = config("amd64", &[&tar]);
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes).hex());
    // 25.0 names no layers at all.
    let made_up = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "layers": [],
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": sha256(&config), "size": config.len()},
    })
    .to_string();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": MediaType::OCI_MANIFEST, "digest": sha256(made_up.as_bytes()), "size": made_up.len(),
        "annotations": {"io.containerd.image.name": "docker.io/a/b:1", "org.opencontainers.image.ref.name": "1"},
    }]});
    let archive = Archive::default()
        .folder("blobs/")
        .folder("blobs/sha256/")
        .file(&blob(made_up.as_bytes()), made_up.as_bytes())
        .file(&blob(&config), &config)
        .file(&blob(&tar), &tar)
        .json("index.json", &index)
        .json(
            "manifest.json",
            &json!([{"Config": blob(&config), "RepoTags": ["a/b:1"], "Layers": [blob(&tar)]}]),
        )
        .json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}));
    let by_hand = archive.clone().json("repositories", &json!({"a/b": {"1": "x"}}));
    for bytes in [by_hand.clone().done(), gzip(&by_hand.done())] {
        let bundle = bench.open_bytes(&bytes).unwrap();
        assert_whole(&bundle);
        assert_eq!(names(&bundle), ["docker.io/a/b:1"]);
        let manifest = bundle.manifest(&bundle.images()[0].root.digest).unwrap();
        assert_eq!(manifest.media_type, MediaType::DOCKER_MANIFEST);
        assert_eq!(manifest.view().unwrap().blobs().count(), 2);
    }
    // Without `repositories` it is the containerd store's, and the index holds.
    for bytes in [archive.clone().done(), gzip(&archive.done())] {
        let bundle = bench.open_bytes(&bytes).unwrap();
        assert_eq!(bundle.images()[0].root.digest, sha256(made_up.as_bytes()));
    }
}

#[test]
fn before_docker_1_10_there_was_only_repositories() {
    let bench = Bench::new();
    let [base, top, _] = layers();
    let archive = Archive::default()
        .json("repositories", &json!({"old/app": {"v1": "bbb"}}))
        .file("aaa/layer.tar", &base)
        .json("aaa/json", &json!({"id": "aaa", "created": "2014-01-01T00:00:00Z", "container_config": {"Cmd": ["/bin/sh", "-c", "x"]}}))
        .file("bbb/layer.tar", &top)
        .json("bbb/json", &json!({"id": "bbb", "parent": "aaa", "architecture": "amd64", "os": "linux", "config": {"Cmd": ["y"]}, "Size": 5}));
    let bundle = bench.open_bytes(&archive.clone().done()).unwrap();
    assert_whole(&bundle);
    assert_eq!(
        images(&bundle),
        images(&bench.open_bytes(&gzip(&archive.done())).unwrap())
    );
    assert_eq!(names(&bundle), ["docker.io/old/app:v1"]);
    let View::Image(image) = bundle
        .manifest(&bundle.images()[0].root.digest)
        .unwrap()
        .view()
        .unwrap()
    else {
        panic!()
    };
    let config: serde_json::Value = serde_json::from_slice(&bytes(&bundle, &image.config.digest)).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], json!([sha256(&base), sha256(&top)]));
    assert_eq!(config["history"][0]["created_by"], "/bin/sh -c x");
    assert_eq!(
        (&config["config"]["Cmd"][0], config.get("id"), config.get("Size")),
        (&json!("y"), None, None)
    );
}

#[test]
fn an_image_without_a_name_goes_by_its_digest() {
    let bench = Bench::new();
    let tar = layer("x", b"x");
    let archive = |tags| {
        let config = config("amd64", &[&tar]);
        let list = json!([{"Config": "c.json", "RepoTags": tags, "Layers": ["l/layer.tar"]}]);
        Archive::default()
            .file("c.json", &config)
            .file("l/layer.tar", &tar)
            .json("manifest.json", &list)
            .done()
    };
    for tags in [json!(null), json!([])] {
        let bundle = bench.open_bytes(&archive(tags)).unwrap();
        let image = &bundle.images()[0];
        assert_eq!(
            (&image.reference, &image.name),
            (&None, &image.root.digest.to_string())
        );
        assert_whole(&bundle);
    }
}

#[test]
fn two_images_of_one_name_are_an_error_that_names_both() {
    let bench = Bench::new();
    let tar = layer("x", b"x");
    let (one, other) = (config("amd64", &[&tar]), config("arm64", &[&tar]));
    let list = |first: &str, second: &str| {
        json!([
            {"Config": "one.json", "RepoTags": [first], "Layers": ["l"]},
            {"Config": "other.json", "RepoTags": [second], "Layers": ["l"]},
        ])
    };
    let archive = |list| {
        let files = Archive::default()
            .file("one.json", &one)
            .file("other.json", &other)
            .file("l", &tar);
        files.json("manifest.json", &list).done()
    };
    // The same name in two spellings, too.
    for bytes in [
        archive(list("a/b:1", "a/b:1")),
        gzip(&archive(list("a/b:1", "docker.io/a/b:1"))),
    ] {
        let error = bench.open_bytes(&bytes).unwrap_err();
        assert!(matches!(error, BundleError::TwoImages { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("one.json") && text.contains("other.json") && text.contains("a/b:1"),
            "{text}"
        );
    }
    assert_eq!(
        bench
            .open_bytes(&archive(list("a/b:1", "a/b:2")))
            .unwrap()
            .images()
            .len(),
        2
    );
}

#[test]
fn what_is_wrong_with_one_image_does_not_spoil_the_others() {
    let bench = Bench::new();
    let (good, bad) = (layer("x", b"x"), layer("y", b"y"));
    let (right, wrong) = (config("amd64", &[&good]), config("amd64", &[&good, &bad]));
    let image = |config: &str, tag: &str, layers: &[&str]| json!({"Config": config, "RepoTags": [tag], "Layers": layers});
    let list = json!([
        image("right.json", "a/right:1", &["good"]),
        image("wrong.json", "a/digest:1", &["good", "good"]),
        image("wrong.json", "a/count:1", &["good"]),
        image("wrong.json", "a/missing:1", &["good", "nowhere"]),
        image("wrong.json", "a/leads-out:1", &["good", "../../etc/passwd"]),
        image("none.json", "a/config:1", &[]),
        image(&format!("{}.json", "a".repeat(64)), "a/name:1", &["good"]),
        image("right.json", "a/cut:1", &["cut"]),
    ]);
    let archive = Archive::default()
        .file("good", &good)
        .file("right.json", &right)
        .file("wrong.json", &wrong)
        .file(&format!("{}.json", "a".repeat(64)), &right)
        .file("cut", &gzip(&noise(3, 9000))[..4000])
        .json("manifest.json", &list);
    for bytes in [archive.clone().done(), gzip(&archive.done())] {
        let bundle = bench.open_bytes(&bytes).unwrap();
        assert_eq!(names(&bundle), ["docker.io/a/right:1"]);
        let reasons: Vec<_> = bundle
            .refused()
            .iter()
            .map(|refused| (refused.name.as_str(), refused.reason.as_str()))
            .collect();
        for (name, words) in [
            ("a/digest:1", "save it again"),
            ("a/count:1", "names 2 layers, manifest.json 1"),
            ("a/missing:1", "`nowhere` is not in the archive"),
            ("a/leads-out:1", "is not in the archive"),
            ("a/config:1", "its config `none.json` is not in the archive"),
            ("a/name:1", "has the digest"),
            ("a/cut:1", "cut off"),
        ] {
            let found = reasons
                .iter()
                .find(|(found, _)| *found == name)
                .unwrap_or_else(|| panic!("{name}: {reasons:?}"));
            assert!(found.1.contains(words), "{name}: {}", found.1);
        }
    }
}

pub(super) fn lz4(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(super) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast())
        .read_to_end(&mut out)
        .unwrap();
    out
}
