//! OCI layouts in other wrappings, and what hangar, hauler, skopeo and zarf write.

use std::path::PathBuf;

use landfall_bundle::foreign::{self, Look};
use landfall_oci::{Digest, MediaType, View};
use serde_json::{Value, json};

use super::docker::{bzip2, lz4};
use super::zips::Zip;
use super::{Archive, Bench, assert_whole, gzip, images, layer, names, sha256};
use crate::support::{World, noise, world};

/// A layout's files by name, the documents last.
fn files(world: &World, index: &Value) -> Vec<(String, Vec<u8>)> {
    let name = |digest: &Digest| format!("blobs/{}/{}", digest.algorithm(), digest.hex());
    let manifests = world
        .manifests
        .iter()
        .map(|(digest, manifest)| (name(digest), manifest.bytes.to_vec()));
    let blobs = world
        .blobs
        .iter()
        .map(|(digest, (bytes, _))| (name(digest), bytes.clone()));
    let mut files: Vec<_> = manifests.chain(blobs).collect();
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    files.push((
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    ));
    files
}

fn index(world: &World, annotations: impl Fn(&str) -> Value) -> Value {
    let entries = world.images.iter().map(|image| {
        json!({
            "mediaType": image.root.media_type, "digest": image.root.digest, "size": image.root.size,
            "annotations": annotations(&image.reference.to_string()),
        })
    });
    json!({"schemaVersion": 2, "manifests": entries.collect::<Vec<_>>()})
}

fn by_containerd_name(name: &str) -> Value {
    json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": "ignored"})
}

fn tar(prefix: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let add =
        |archive: Archive, (name, bytes): &(String, Vec<u8>)| archive.file(&format!("{prefix}{name}"), bytes);
    files.iter().fold(Archive::default(), add).done()
}

fn expected(world: &World) -> Vec<(String, Digest)> {
    let mut all: Vec<_> = world
        .images
        .iter()
        .map(|image| (image.reference.to_string(), image.root.digest))
        .collect();
    all.sort();
    all
}

#[test]
fn oci_layouts_in_every_compression_and_below_a_folder() {
    let bench = Bench::new();
    let mut world = world();
    // A layer that really is a tar, uncompressed: its bytes must come out as they went in.
    let plain = world.image("linux/amd64", &[layer("x", &noise(5, 4000))]);
    world.name("docker.io/plain/layer:1", &plain);
    let files = files(&world, &index(&world, by_containerd_name));
    for prefix in ["", "./", "store/"] {
        let plain = tar(prefix, &files);
        let long = |bytes: &[u8]| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(25).unwrap();
            std::io::copy(&mut &bytes[..], &mut encoder).unwrap();
            encoder.finish().unwrap()
        };
        for bytes in [gzip(&plain), long(&plain), lz4(&plain), bzip2(&plain), plain] {
            let bundle = bench.open_bytes(&bytes).unwrap();
            assert_eq!(images(&bundle), expected(&world));
            assert_whole(&bundle);
        }
    }
}

#[test]
fn a_look_unpacks_nothing() {
    let bench = Bench::new();
    let world = world();
    let files = files(&world, &index(&world, by_containerd_name));
    let path = bench.write("archive", &gzip(&tar("", &files)));
    let Look::Bundle(bundle) = foreign::look(&path, &bench.workshop()).unwrap() else {
        panic!()
    };
    assert_eq!(images(&bundle), expected(&world));
    assert!(world.manifests.keys().all(|digest| bundle.contains(digest)));
}

#[test]
fn archives_in_parts() {
    let bench = Bench::new();
    let world = world();
    let files = files(&world, &index(&world, by_containerd_name));
    let bytes = gzip(&tar("", &files));
    let names: [fn(usize) -> String; 3] = [
        |n| format!("haul.tar.zst.{:03}", n + 1),
        |n| format!("zarf.tar.part{:03}", n + 1),
        |n| format!("haul_{n}.tar.zst"),
    ];
    for name in names {
        for (n, part) in bytes.chunks(bytes.len() / 3).enumerate() {
            bench.write(&name(n), part);
        }
        let first = bench.write(&name(0), &bytes[..bytes.len() / 3]);
        assert_eq!(images(&bench.open(&first).unwrap()), expected(&world));
    }
    // Two whole archives with numbers are two archives.
    bench.write("images_1.tar.gz", &bytes);
    let one = bench.write("images_0.tar.gz", &bytes);
    assert_eq!(images(&bench.open(&one).unwrap()), expected(&world));
}

/// What hauler's index says of an image, its signature and a chart.
#[test]
fn haulers_names() {
    let bench = Bench::new();
    let mut world = World::default();
    let image = world.image("linux/amd64", &[layer("x", b"x")]);
    let other = world.image("linux/amd64", &[layer("y", b"y")]);
    let entry = |root: &landfall_oci::RawManifest, annotations: Value| json!({"mediaType": root.media_type, "digest": root.digest, "size": root.bytes.len(), "annotations": annotations});
    let name = "io.containerd.image.name";
    let short = "org.opencontainers.image.ref.name";
    let index = json!({"schemaVersion": 2, "manifests": [
        entry(&image, json!({"kind": "dev.hauler/image", name: "quay.io/team/app:v1", short: "team/app:v1"})),
        entry(&other, json!({"kind": "dev.cosignproject.cosign/sigs", name: "quay.io/team/app:v1", short: "team/app:v1"})),
        entry(&other, json!({"kind": "dev.hauler/atts/abc", name: "quay.io/team/app:v1",
            "hauler.dev/subject-digest": other.digest})),
        entry(&other, json!({"kind": "dev.hauler/referrers/abc", name: "quay.io/team/app:v1"})),
        entry(&other, json!({"hauler.dev/original-ref": "ghcr.io/a/b:2", short: "a/b:2"})),
        entry(&other, json!({"kind": "dev.hauler/image", "hauler.dev/original-ref": "https://charts.example|hauler/chart:1", short: "hauler/chart:1.0.0"})),
    ]});
    let mut files = files(&world, &index);
    files.push(("store.json".to_owned(), b"{}".to_vec()));
    let bundle = bench
        .open_bytes(&zstd::encode_all(&tar("", &files)[..], 3).unwrap())
        .unwrap();
    let wanted = [
        "docker.io/hauler/chart:1.0.0".to_owned(),
        "ghcr.io/a/b:2".to_owned(),
        format!("quay.io/team/app:sha256-{}.att", other.digest.hex()),
        format!("quay.io/team/app:sha256-{}.sig", image.digest.hex()),
        "quay.io/team/app:v1".to_owned(),
        format!("quay.io/team/app@{}", other.digest),
    ];
    assert_eq!(names(&bundle), wanted);
    assert_whole(&bundle);
    // The store as a folder; and the haul for containerd, whose own index leaves out what containerd cannot read.
    for (file, bytes) in &files {
        bench.write(&format!("store/{file}"), bytes);
    }
    let folder = bench.write("store/audit.log", b"");
    assert_eq!(names(&bench.open(folder.parent().unwrap()).unwrap()), wanted);
    let full = files.iter().position(|(name, _)| name == "index.json").unwrap();
    files[full].0 = "hauler-index.json".to_owned();
    files.retain(|(name, _)| name != "oci-layout");
    files.push((
        "index.json".to_owned(),
        br#"{"schemaVersion":2,"manifests":[]}"#.to_vec(),
    ));
    files.push(("manifest.json".to_owned(), b"[]".to_vec()));
    for bytes in [tar("", &files), gzip(&tar("", &files))] {
        assert_eq!(names(&bench.open_bytes(&bytes).unwrap()), wanted);
    }
}

#[test]
fn zarfs_packages() {
    let bench = Bench::new();
    let world = world();
    let mut files = files(&world, &index(&world, by_containerd_name));
    for (name, _) in &mut files {
        *name = format!("images/{name}");
    }
    files.push(("zarf.yaml".to_owned(), b"kind: ZarfPackageConfig\n".to_vec()));
    files.push(("components/x.tar".to_owned(), layer("x", b"x")));
    let bundle = bench
        .open_bytes(&zstd::encode_all(&tar("", &files)[..], 3).unwrap())
        .unwrap();
    assert_eq!(images(&bundle), expected(&world));
}

/// A folder as skopeo's `dir:` has it.
fn skopeo(bench: &Bench, folder: &str, world: &World, root: &Digest) -> PathBuf {
    for (digest, manifest) in &world.manifests {
        let name = match digest == root {
            true => "manifest.json".to_owned(),
            false => format!("{}.manifest.json", digest.hex()),
        };
        bench.write(&format!("{folder}/{name}"), &manifest.bytes);
    }
    for (digest, (bytes, _)) in &world.blobs {
        bench.write(&format!("{folder}/{}", digest.hex()), bytes);
    }
    bench
        .write(
            &format!("{folder}/version"),
            b"Directory Transport Version: 1.1\n",
        )
        .parent()
        .unwrap()
        .to_owned()
}

#[test]
fn skopeos_folders() {
    let bench = Bench::new();
    let world = world();
    let root = world.images[0].root.digest;
    let folder = skopeo(&bench, "one", &world, &root);
    let bundle = bench.open(&folder).unwrap();
    assert_eq!(names(&bundle), [root.to_string()]);
    assert_whole(&bundle);
    // A tree, whose paths are the names; other things in it, and links, are left alone.
    skopeo(&bench, "tree/quay.io/team/app:v1", &world, &root);
    skopeo(&bench, "tree/busybox:1.36", &world, &world.images[1].root.digest);
    bench.write("tree/notes/readme", b"");
    std::os::unix::fs::symlink(&folder, bench.write("tree/x", b"").with_file_name("linked:1")).unwrap();
    let bundle = bench.open(&folder.with_file_name("tree")).unwrap();
    assert_eq!(
        names(&bundle),
        ["docker.io/library/busybox:1.36", "quay.io/team/app:v1"]
    );
    assert_whole(&bundle);
    // A manifest that is not what the file was called by.
    let wrong = folder.join(format!("{}.manifest.json", world.images[1].root.digest.hex()));
    std::fs::write(wrong, "{}").unwrap();
    assert!(
        bench
            .open(&folder)
            .unwrap()
            .manifest(&world.images[1].root.digest)
            .is_err()
    );
}

/// hangar's zip of a world: two platforms under one name, each an entry of the list.
fn hangar(world: &World, list: Value, version: &str, zip64: bool) -> Zip {
    let mut zip = Zip::new(zip64);
    for (digest, manifest) in &world.manifests {
        zip = zip.folder(&format!("{}/", digest.hex()));
        zip = zip.stored(&format!("{}/oci-layout", digest.hex()), b"{}");
        zip = zip.stored(&format!("share/sha256/{}", digest.hex()), &manifest.bytes);
    }
    for (digest, (bytes, _)) in &world.blobs {
        zip = zip.stored(&format!("share/sha256/{}", digest.hex()), bytes);
    }
    let index = json!({"list": list, "version": version, "time": "2024-01-01T00:00:00Z"});
    zip.stored("index.json", index.to_string().as_bytes())
}

#[test]
fn hangars_archives_with_and_without_zip64() {
    let bench = Bench::new();
    let mut world = World::default();
    let amd = world.image("linux/amd64", &[noise(1, 3000)]);
    let arm = world.image("linux/arm64", &[noise(2, 3000)]);
    let gone = sha256(b"gone");
    let member = |arch: &str, digest: &Digest| json!({"arch": arch, "os": "linux", "mediaType": MediaType::OCI_MANIFEST, "digest": digest});
    let list = json!([
        {"source": "docker.io/library/nginx", "tag": "1.27", "archList": ["amd64", "arm64"], "images": [member("amd64", &amd.digest), member("arm64", &arm.digest)]},
        {"source": "docker.io/rancher/one", "tag": "v1", "images": [member("amd64", &amd.digest)]},
        {"source": "quay.io/a/gone", "tag": "v1", "images": [member("amd64", &gone)]},
        // `hangar sync` added a platform later.
        {"source": "docker.io/rancher/one", "tag": "v1", "images": [member("arm64", &arm.digest), member("amd64", &amd.digest)]},
        {"source": "docker.io/rancher/single", "tag": "v1", "images": [member("amd64", &amd.digest)]},
    ]);
    let mut roots = Vec::new();
    for zip64 in [false, true] {
        let zip = hangar(&world, list.clone(), "v1.2.0", zip64);
        let bundle = bench.open(&bench.write("hangar.zip", &zip.done())).unwrap();
        assert_whole(&bundle);
        assert_eq!(
            names(&bundle),
            [
                "docker.io/library/nginx:1.27",
                "docker.io/rancher/one:v1",
                "docker.io/rancher/single:v1"
            ]
        );
        let refused: Vec<_> = bundle
            .refused()
            .iter()
            .map(|refused| refused.name.as_str())
            .collect();
        assert_eq!(refused, ["quay.io/a/gone:v1"]);
        let View::Index(index) = bundle.manifest(&images(&bundle)[0].1).unwrap().view().unwrap() else {
            panic!()
        };
        let platforms: Vec<_> = index
            .manifests
            .iter()
            .map(|member| member.platform.clone().unwrap().to_string())
            .collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(images(&bundle)[0].1, images(&bundle)[1].1);
        assert_eq!(images(&bundle)[2].1, amd.digest);
        roots.push(images(&bundle));
    }
    assert_eq!(roots[0], roots[1]);
    let old = bench
        .open(&bench.write("old.zip", &hangar(&world, json!([]), "v1.1.0", false).done()))
        .unwrap_err();
    assert!(old.to_string().contains("v1.1.0"), "{old}");
}

#[test]
fn a_zip_that_is_an_oci_layout() {
    let bench = Bench::new();
    let world = world();
    let files = files(&world, &index(&world, by_containerd_name));
    let zip = files
        .iter()
        .fold(Zip::default(), |zip, (name, bytes)| zip.stored(name, bytes));
    let bundle = bench.open(&bench.write("layout.zip", &zip.done())).unwrap();
    assert_eq!(images(&bundle), expected(&world));
    assert_whole(&bundle);
}

#[test]
fn strangers_are_told_what_they_are() {
    let bench = Bench::new();
    for (archive, words) in [
        (
            Archive::default().file("docker/registry/v2/blobs/sha256/aa/x/data", b"x"),
            "oc-mirror",
        ),
        (
            Archive::default()
                .file("manifest.json", b"[]")
                .file(&format!("sha256-{}.tar.gz", "a".repeat(64)), b"x"),
            "imgpkg",
        ),
        (
            Archive::default()
                .file("manifest.json", b"{}")
                .file("version", b"x"),
            "skopeo",
        ),
        (Archive::default().file("readme", b"x"), "without images"),
    ] {
        for bytes in [archive.clone().done(), gzip(&archive.done())] {
            let error = bench.open_bytes(&bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
    for (bytes, words) in [
        (&b"7z\xbc\xaf\x27\x1c...."[..], "7-zip"),
        (b"", "empty"),
        (b"hello", "neither a tar archive nor anything else"),
        (&gzip(b"hello"), "no tar archive"),
        (&gzip(&[b'x'; 2000]), "no tar archive"),
    ] {
        let error = bench.open_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
