//! Windows and Linux images under one name, saved and loaded on Linux, as real programs see them.

mod containerd;

use std::fs;

use landfall_oci::Digest;
use landfall_testkit::digest::sha256;
use landfall_testkit::peers::dockerd::DOCKER;
use landfall_testkit::peers::{Crane, DockerRegistry, Dockerd, Nginx, Regctl, Skopeo};
use landfall_testkit::workload::Family;
use landfall_testkit::{Outcome, Scratch, run};
use serde_json::Value;

use super::serving::Serving;
use super::stored;
use crate::place::Place;
use crate::windows_world::{BOTH, VERSIONS, World};

const NAME: &str = "rancher/a";

/// `rancher/a:1` for Linux and two versions of Windows, whose base layers are on a web server only; `rancher/w:1` for
/// Windows alone; all of it in `bundle.tar`.
struct Set {
    world: World,
    place: Place,
    /// What the web server hands out. Without it, the base layers are in the bundle only.
    bases: Scratch,
    web: Option<Nginx>,
}

impl Set {
    fn saved() -> Self {
        let bases = Scratch::new();
        let folder = bases.folder("cdn");
        let web = Nginx::start(&format!("location / {{ root {}; }}", bases.path().display()));
        let mut world = World::with_bases_at(&format!("http://{}", web.address()));
        for (layer, content) in world.bases() {
            fs::write(folder.join(layer.digest().to_string()), content.bytes()).unwrap();
        }
        world.add_linux("rancher/a:1");
        world.add_windows("rancher/a:1");
        world.add_windows("rancher/w:1");
        let place = Place::new();
        place.scratch.write("linux.txt", "rancher/a:1\n");
        place.scratch.write("windows.txt", "rancher/a:1\nrancher/w:1\n");
        let upstream = world.registry();
        let from = upstream.address();
        let args = [
            "save",
            "-l",
            "linux.txt",
            "-o",
            "bundle.tar",
            "--from",
            &from,
            "--windows-list",
            "windows.txt",
            "--windows-versions",
            BOTH,
        ];
        place.landfall(&args).ok();
        place.landfall(&["verify", "bundle.tar"]).ok();
        Self {
            world,
            place,
            bases,
            web: Some(web),
        }
    }

    /// The same, from the publisher straight into a registry.
    fn copy(&self, address: &str) -> Outcome {
        let upstream = self.world.registry();
        let from = upstream.address();
        let args = [
            "copy",
            "-l",
            "linux.txt",
            "--from",
            &from,
            "-r",
            address,
            "--windows-list",
            "windows.txt",
            "--windows-versions",
            BOTH,
        ];
        self.place.landfall(&args)
    }

    fn load(&self, address: &str) -> Outcome {
        self.place
            .landfall(&["load", "bundle.tar", "-r", address, "--attempts", "1"])
    }

    /// The digest of a member: `windows-1809`, or nothing for Linux.
    fn member(&self, version: &str) -> Digest {
        let name = match version {
            "" => "rancher/a:1".to_owned(),
            version => format!("rancher/a:1-windows-{version}"),
        };
        self.world.workload.image(&name).root
    }

    /// Nobody listens where the web server was.
    fn stop_web(&mut self) {
        self.web = None;
    }

    /// The web server has the base layers no longer.
    fn forget_bases(&self) {
        fs::remove_dir_all(self.bases.join("cdn")).unwrap();
    }
}

/// skopeo goes by os and architecture alone and takes the first; which image a version has, the list says.
fn assert_skopeo(set: &Set, address: &str) {
    let skopeo = Skopeo::new();
    let name = format!("docker://{address}/{NAME}:1");
    let config = |more: &[&str], name: &str| -> Value {
        let mut command = skopeo.skopeo();
        command
            .args(more)
            .args(["inspect", "--config", "--tls-verify=false", name]);
        serde_json::from_str(&run(&mut command).ok()).unwrap()
    };
    let windows = ["--override-os", "windows", "--override-arch", "amd64"];
    assert_eq!(config(&windows, &name)["os.version"], VERSIONS[0].1);
    let linux = config(&["--override-os", "linux", "--override-arch", "amd64"], &name);
    assert_eq!(
        (&linux["os"], &linux["os.version"]),
        (&"linux".into(), &Value::Null)
    );
    let list: Value = serde_json::from_str(&skopeo.raw_manifest(&name).ok()).unwrap();
    let members = list["manifests"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    for (member, (version, build)) in members.iter().zip(VERSIONS) {
        assert_eq!(member["platform"]["os.version"], build);
        assert_eq!(member["digest"], set.member(version).to_string());
        let one = format!("docker://{address}/{NAME}@{}", member["digest"].as_str().unwrap());
        assert_eq!(config(&windows, &one)["os.version"], build);
    }
}

/// A whole copy, base layers and all. skopeo 1.9 asks their urls first, and the registry only where nobody answers
/// there: at a 404 it gives up.
fn assert_skopeo_copies(set: &Set, address: &str) {
    let copied = set.place.path("copied");
    let name = format!("docker://{address}/{NAME}:1");
    Skopeo::new()
        .copy(&name, &format!("dir:{}", copied.display()), &[])
        .ok();
    for (layer, _) in set.world.bases() {
        assert_eq!(
            sha256(&fs::read(copied.join(layer.digest().hex())).unwrap()),
            layer.digest()
        );
    }
    fs::remove_dir_all(copied).unwrap();
}

/// crane and regctl choose by os.version.
fn assert_by_version(set: &Set, address: &str) {
    let (crane, regctl) = (Crane::new(), Regctl::new());
    regctl.set_tls(address, "disabled");
    let name = format!("{address}/{NAME}:1");
    let mut wishes: Vec<_> = VERSIONS
        .map(|(version, build)| {
            let of_crane = format!("windows/amd64:{build}");
            (
                of_crane,
                format!("windows/amd64,osver={build}"),
                set.member(version),
            )
        })
        .into();
    wishes.push(("linux/amd64".to_owned(), "linux/amd64".to_owned(), set.member("")));
    for (of_crane, of_regctl, wanted) in wishes {
        let found = run(crane
            .crane()
            .args(["digest", "--insecure", "--platform", &of_crane, &name]));
        assert_eq!(found.ok().trim(), wanted.to_string(), "{of_crane}");
        let found = run(regctl
            .regctl()
            .args(["image", "digest", "--platform", &of_regctl, &name]));
        assert_eq!(found.ok().trim(), wanted.to_string(), "{of_regctl}");
    }
}

#[test]
fn one_tag_serves_every_node() {
    let mut set = Set::saved();
    let strict = DockerRegistry::that_takes_urls();
    let ours = Serving::start(&set.place, &["--root", "store"]);
    for address in [&strict.address(), ours.address()] {
        set.load(address).ok();
        assert_by_version(&set, address);
    }
    for address in [&strict.address(), ours.address()] {
        assert_skopeo(&set, address);
        assert_skopeo_copies(&set, address);
        containerd::assert_by_version(&set, address);
    }
    // From now on only the registries have the base layers.
    set.forget_bases();
    for address in [&strict.address(), ours.address()] {
        containerd::assert_debian(&set, address);
        containerd::assert_from_the_registry(&set, address);
    }
    // And behind an air gap: nobody answers where the urls point to.
    set.stop_web();
    for address in [&strict.address(), ours.address()] {
        assert_skopeo_copies(&set, address);
        containerd::assert_gives_up(&set, address);
    }
}

/// What a copy leaves in a real registry is what a bundle leaves there, base layers and all; a second one writes nothing.
#[test]
fn a_copy_is_what_a_bundle_is() {
    let mut set = Set::saved();
    let [copied, loaded] = [(), ()].map(|()| DockerRegistry::that_takes_urls());
    set.copy(&copied.address()).ok();
    set.load(&loaded.address()).ok();
    let tags = [
        (
            NAME,
            ["1", "1-linux-amd64", "1-windows-1809", "1-windows-ltsc2022"].as_slice(),
        ),
        (
            "rancher/w",
            ["1", "1-windows-1809", "1-windows-ltsc2022"].as_slice(),
        ),
    ];
    for (repository, tags) in tags {
        for tag in tags {
            let manifest = copied.stored_manifest(repository, tag);
            assert!(manifest.is_some(), "{repository}:{tag}");
            assert_eq!(
                manifest,
                loaded.stored_manifest(repository, tag),
                "{repository}:{tag}"
            );
        }
    }
    let before = stored::snapshot(&copied);
    set.copy(&copied.address()).ok();
    assert!(
        stored::snapshot(&copied) == before,
        "a rerun wrote into the registry"
    );
    set.stop_web();
    assert_skopeo_copies(&set, &copied.address());
}

/// Debian's docker-registry refuses manifests with urls until it is told otherwise; what is Linux alone arrives.
#[test]
fn a_registry_that_takes_no_urls_is_explained() {
    let set = Set::saved();
    let registry = DockerRegistry::empty();
    let outcome = set.load(&registry.address());
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome.stdout.contains("validation.manifests.urls.allow"),
        "{outcome}"
    );
    assert_eq!(registry.stored_manifest(NAME, "1"), None);
    assert_eq!(
        registry
            .stored_manifest(NAME, "1-linux-amd64")
            .map(|bytes| sha256(&bytes)),
        Some(set.member(""))
    );
}

fn docker(scratch: &Scratch, args: &[&str]) -> Outcome {
    let mut command = DOCKER.command();
    command
        .arg("manifest")
        .args(args)
        .env("DOCKER_CLI_EXPERIMENTAL", "enabled")
        .env("DOCKER_CONFIG", scratch.folder("config"));
    run(&mut command)
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn members(list: &Value) -> Vec<Value> {
    let mut members = list["manifests"].as_array().unwrap().clone();
    members.sort_by_key(|member| member["digest"].to_string());
    members
}

/// The same members put together by Docker: every field of every entry, and all else in the list, is the same. The
/// order is not: Docker sorts by the members' names, whatever order they were given in.
#[test]
fn docker_makes_the_same_list() {
    let set = Set::saved();
    let registry = DockerRegistry::that_takes_urls();
    set.load(&registry.address()).ok();
    let scratch = Scratch::new();
    let name = |tag: &str| format!("{}/{NAME}:{tag}", registry.address());
    let parts = ["1-windows-1809", "1-windows-ltsc2022", "1-linux-amd64"].map(name);
    let mut create = vec!["create", "--insecure"];
    let list = name("docker");
    create.push(&list);
    create.extend(parts.iter().map(String::as_str));
    create.push("--amend");
    docker(&scratch, &create).ok();
    docker(&scratch, &["push", "--insecure", "--purge", &list]).ok();
    let ours = registry.stored_manifest(NAME, "1").unwrap();
    let theirs = registry.stored_manifest(NAME, "docker").unwrap();
    let inspected = docker(&scratch, &["inspect", "--insecure", &name("1")]).ok();
    assert_eq!(json(inspected.as_bytes()), json(&ours));
    assert_eq!(members(&json(&ours)), members(&json(&theirs)));
    for field in ["schemaVersion", "mediaType"] {
        assert_eq!(json(&ours)[field], json(&theirs)[field]);
    }
    assert_eq!(
        json(&ours).as_object().unwrap().len(),
        json(&theirs).as_object().unwrap().len()
    );
    // The same layout too: the length is the same to the byte.
    assert_eq!(ours.len(), theirs.len());
    let order = |bytes: &[u8]| -> Vec<String> {
        let members = json(bytes)["manifests"].as_array().unwrap().clone();
        members
            .iter()
            .map(|member| member["platform"]["os"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(order(&ours), ["windows", "windows", "linux"]);
    assert_eq!(order(&theirs), ["linux", "windows", "windows"], "no longer so?");
    // A member that is an index of its own, Docker refuses; we take its one Windows image.
    let refused = docker(
        &scratch,
        &["create", "--insecure", &name("no"), &name("1"), &parts[0]],
    );
    assert!(
        refused.stderr.contains("is a manifest list"),
        "no longer so? {refused}"
    );
}

/// Our bundle with Windows images goes through `docker load` on Linux, which ends at the first image for another system.
#[test]
fn docker_loads_the_linux_half() {
    let set = Set::saved();
    let docker = Dockerd::start();
    docker.load(&set.place.path("bundle.tar")).ok();
    let mut names = docker.images();
    names.sort();
    assert_eq!(names, ["rancher/a:1", "rancher/a:1-linux-amd64"]);
    assert_eq!(docker.run("rancher/a:1").ok(), "hello from rancher/a:1\n");
}

/// An index that Docker made and pushed is extended where it lies, and stays as it is when nothing is missing.
#[test]
fn a_list_of_dockers_own_is_taken_as_it_is() {
    let mut world = World::new();
    world.add_linux("rancher/a:1-linux-amd64");
    world.add_windows("rancher/a:1");
    let registry = DockerRegistry::with(&world.workload);
    let scratch = Scratch::new();
    let name = |tag: &str| format!("{}/{NAME}:{tag}", registry.address());
    let parts = ["1-windows-1809", "1-windows-ltsc2022", "1-linux-amd64"].map(name);
    let list = name("1");
    let mut create = vec!["create", "--insecure", &list];
    create.extend(parts.iter().map(String::as_str));
    docker(&scratch, &create).ok();
    docker(&scratch, &["push", "--insecure", "--purge", &list]).ok();
    let place = Place::new();
    place.scratch.write("list.txt", "rancher/a:1\n");
    let from = registry.address();
    let more = ["--windows-list", "list.txt", "--windows-versions", BOTH];
    let outcome = place.save(&from, "bundle.tar", &more);
    assert!(outcome.stdout.contains("stays as it is"), "{outcome}");
    let target = DockerRegistry::empty();
    place
        .landfall(&["load", "bundle.tar", "-r", &target.address()])
        .ok();
    assert_eq!(
        target.stored_manifest(NAME, "1"),
        registry.stored_manifest(NAME, "1")
    );
    assert_eq!(world.family, Family::Docker);
}
