//! Every peer runs here: alone and against each other, without a line of the product. What fails here is the
//! ground, not the product.

use std::process::Command;

use landfall_testkit::fake_registry::{Auth, Bearer};
use landfall_testkit::peers::{
    Containerd, Crane, DockerRegistry, Dockerd, Nginx, Podman, Regctl, Skopeo, docker_registry,
};
use landfall_testkit::workload::{Image, Workload};
use landfall_testkit::{Authority, FakeRegistry, FaultProxy, Scratch, certs, run};

/// The first image that is for several platforms, and the first that is not.
fn two_kinds(workload: &Workload) -> (&Image, &Image) {
    let is_index = |image: &&Image| workload.manifests[&image.root].media_type.is_index();
    let several = workload.images.iter().find(is_index).unwrap();
    let one = workload.images.iter().find(|image| !is_index(image)).unwrap();
    (several, one)
}

fn greeting(image: &Image) -> String {
    format!("hello from {} on linux/amd64\n", image.name())
}

#[test]
fn docker_registry_serves_a_laid_down_workload_and_takes_pushes() {
    let workload = Workload::small(11);
    let source = DockerRegistry::with(&workload);
    let target = DockerRegistry::empty();
    let crane = Crane::new();
    for image in &workload.images {
        let from = image.name_in(&source.address());
        let to = image.name_in(&target.address());
        crane.copy(&from, &to).ok();
        assert_eq!(crane.digest(&to), image.root.to_string());
        let stored = target.stored_manifest(image.repository.as_str(), image.tag.as_str());
        assert_eq!(stored.unwrap(), workload.manifests[&image.root].bytes);
    }
}

#[test]
fn docker_registry_asks_for_password_and_tls() {
    let authority = Authority::new();
    let options = docker_registry::Options {
        account: Some(("ann".to_owned(), "secret".to_owned())),
        tls: Some(authority.issue(&certs::LOOPBACK)),
        ..docker_registry::Options::default()
    };
    let workload = Workload::hello("team/hello:1", "hello\n");
    let registry = DockerRegistry::start_with(&options, &workload);
    let image = workload.images[0].name_in(&registry.address());
    let scratch = Scratch::new();
    let ca = scratch.write("ca.pem", authority.certificate());
    let skopeo = Skopeo::new();
    assert!(!skopeo.raw_manifest(&format!("docker://{image}")).is_ok());
    let mut inspect = skopeo.skopeo();
    inspect
        .args(["inspect", "--raw", "--creds", "ann:secret", "--cert-dir"])
        .arg(scratch.path());
    std::fs::copy(&ca, scratch.join("ca.crt")).unwrap();
    run(inspect.arg(format!("docker://{image}"))).ok();
    let containerd = Containerd::start();
    containerd.mirror_tls("docker.io", &registry.url(), &authority.certificate());
    containerd
        .pull("docker.io/team/hello:1", &["--user", "ann:secret"])
        .ok();
}

#[test]
fn containerd_pulls_through_hosts_and_runs() {
    let workload = Workload::small(12);
    let (several, one) = two_kinds(&workload);
    let registry = DockerRegistry::with(&workload);
    let containerd = Containerd::start();
    containerd.mirror("docker.io", &registry.url());
    for (n, image) in [several, one].into_iter().enumerate() {
        let name = image.hub_reference().to_string();
        containerd.pull(&name, &[]).ok();
        assert_eq!(containerd.run(&name, &format!("c{n}")).ok(), greeting(image));
        assert_eq!(containerd.image_digest(&name), Some(image.root.to_string()));
    }
    let everything = several.hub_reference().to_string();
    containerd.fetch(&everything, &["--all-platforms"]).ok();
}

#[test]
fn containerd_imports_a_layout_and_exports() {
    let workload = Workload::hello("team/hello:1", "hello\n");
    let scratch = Scratch::new();
    workload.write_layout(&scratch.folder("layout"));
    let archive = scratch.join("layout.tar");
    run(Command::new("tar")
        .arg("-C")
        .arg(scratch.join("layout"))
        .arg("-cf")
        .arg(&archive)
        .arg("."))
    .ok();
    let containerd = Containerd::start();
    containerd.import(&archive, &[]).ok();
    let name = "docker.io/team/hello:1";
    assert_eq!(containerd.images(), [name]);
    assert_eq!(containerd.run(name, "c").ok(), "hello\n");
    run(containerd
        .ctr()
        .args(["images", "export"])
        .arg(scratch.join("out.tar"))
        .arg(name))
    .ok();
}

#[test]
fn dockerd_pulls_saves_loads_runs_and_pushes() {
    let workload = Workload::small(13);
    let (several, one) = two_kinds(&workload);
    let registry = DockerRegistry::with(&workload);
    let (docker, scratch) = (Dockerd::start(), Scratch::new());
    let names = [several, one].map(|image| image.name_in(&registry.address()));
    for name in &names {
        docker.pull(name).ok();
    }
    let archive = scratch.join("saved.tar");
    docker.save(&[&names[0], &names[1]], &archive).ok();
    for name in &names {
        docker.remove(name).ok();
    }
    assert!(docker.images().is_empty());
    docker.load(&archive).ok();
    assert_eq!(docker.run(&names[0]).ok(), greeting(several));
    assert_eq!(docker.run(&names[1]).ok(), greeting(one));
    let pushed = format!("{}/pushed/by-docker:1", registry.address());
    docker.tag(&names[1], &pushed).ok();
    docker.push(&pushed).ok();
    assert!(registry.stored_manifest("pushed/by-docker", "1").is_some());
}

#[test]
fn podman_pulls_saves_loads_runs_and_pushes() {
    let workload = Workload::small(14);
    let (several, one) = two_kinds(&workload);
    let registry = DockerRegistry::with(&workload);
    let (podman, other, scratch) = (Podman::new(), Podman::new(), Scratch::new());
    let names = [several, one].map(|image| image.name_in(&registry.address()));
    for name in &names {
        podman.pull(name).ok();
    }
    assert_eq!(podman.run(&names[0]).ok(), greeting(several));
    let archive = scratch.join("saved.tar");
    podman
        .save("docker-archive", &[&names[0], &names[1]], &archive)
        .ok();
    other.load(&archive).ok();
    assert_eq!(other.run(&names[1]).ok(), greeting(one));
    podman
        .save("oci-archive", &[&names[1]], &scratch.join("oci.tar"))
        .ok();
    other.load(&scratch.join("oci.tar")).ok();
    let pushed = format!("{}/pushed/by-podman:1", registry.address());
    podman.push(&names[1], &pushed).ok();
    assert!(registry.stored_manifest("pushed/by-podman", "1").is_some());
}

#[test]
fn skopeo_copies_both_ways() {
    let workload = Workload::small(15);
    let (several, one) = two_kinds(&workload);
    let registry = DockerRegistry::with(&workload);
    let (skopeo, scratch) = (Skopeo::new(), Scratch::new());
    for (n, image) in [several, one].into_iter().enumerate() {
        let from = format!("docker://{}", image.name_in(&registry.address()));
        let folder = format!("oci:{}:{n}", scratch.join("layout").display());
        let archive = format!("oci-archive:{}:{n}", scratch.join(format!("{n}.tar")).display());
        skopeo.copy(&from, &folder, &[]).ok();
        skopeo.copy(&folder, &archive, &[]).ok();
        let back = format!("docker://{}/back/n{n}:1", registry.address());
        skopeo.copy(&archive, &back, &[]).ok();
        skopeo.raw_manifest(&back).ok();
    }
    let exact = format!("docker://{}", several.name_in(&registry.address()));
    let raw = skopeo.raw_manifest(&exact).ok();
    assert_eq!(raw.as_bytes(), workload.manifests[&several.root].bytes);
}

#[test]
fn regctl_copies_both_ways_byte_for_byte() {
    let workload = Workload::small(16);
    let registry = DockerRegistry::with(&workload);
    let (regctl, scratch) = (Regctl::new(), Scratch::new());
    regctl.set_tls(&registry.address(), "disabled");
    let (several, one) = two_kinds(&workload);
    for (n, image) in [several, one].into_iter().enumerate() {
        let folder = format!("ocidir://{}:{n}", scratch.join("layout").display());
        regctl.copy(&image.name_in(&registry.address()), &folder).ok();
        regctl
            .copy(&folder, &format!("{}/back/n{n}:1", registry.address()))
            .ok();
        let back = registry.stored_manifest(&format!("back/n{n}"), "1");
        assert_eq!(back.unwrap(), workload.manifests[&image.root].bytes);
    }
    let archive = scratch.join("one.tar").display().to_string();
    regctl.export(&one.name_in(&registry.address()), &archive).ok();
    regctl
        .import(&format!("{}/imported:1", registry.address()), &archive)
        .ok();
}

#[test]
fn crane_pulls_a_layout_and_pushes_it() {
    let workload = Workload::small(17);
    let (several, one) = two_kinds(&workload);
    let registry = DockerRegistry::with(&workload);
    let (crane, scratch) = (Crane::new(), Scratch::new());
    let names = [several, one].map(|image| image.name_in(&registry.address()));
    let (several_dir, one_dir) = (scratch.join("several"), scratch.join("one"));
    crane.pull("oci", &[&names[0]], &several_dir).ok();
    crane.pull("oci", &[&names[1]], &one_dir).ok();
    let back = |name: &str| format!("{}/back/{name}:1", registry.address());
    crane.push(&one_dir, &back("one"), &[]).ok();
    assert_eq!(crane.digest(&back("one")), one.root.to_string());
    crane.push(&several_dir, &back("several"), &["--index"]).ok();
    assert_eq!(crane.tags(&format!("{}/back/one", registry.address())), ["1"]);
}

#[test]
fn peers_pull_from_the_fake_registry() {
    let workload = Workload::small(18);
    let (several, one) = two_kinds(&workload);
    let account = Auth::Bearer(Bearer::account("ann", "secret"));
    let registry = FakeRegistry::builder().workload(&workload).auth(account).start();
    let crane = Crane::new();
    crane.login(&registry.address(), "ann", "secret").ok();
    crane.validate(&one.name_in(&registry.address())).ok();
    crane
        .copy(
            &one.name_in(&registry.address()),
            &format!("{}/copied/one:1", registry.address()),
        )
        .ok();
    assert_eq!(registry.tags()["copied/one:1"], one.root);
    let containerd = Containerd::start();
    containerd.mirror("docker.io", &registry.url());
    let name = several.hub_reference().to_string();
    containerd.pull(&name, &["--user", "ann:secret"]).ok();
    let skopeo = Skopeo::new();
    let scratch = Scratch::new();
    let to = format!("oci:{}:x", scratch.join("layout").display());
    let from = format!("docker://{}", one.name_in(&registry.address()));
    skopeo.copy(&from, &to, &["--src-creds", "ann:secret"]).ok();
}

#[test]
fn nginx_and_the_fault_proxy_stand_in_front_of_a_registry() {
    let workload = Workload::hello("team/hello:1", "hello\n");
    let registry = DockerRegistry::with(&workload);
    let nginx = Nginx::proxy_to(&registry.url(), "");
    let crane = Crane::new();
    crane.validate(&workload.images[0].name_in(&nginx.address())).ok();
    let limited = Nginx::proxy_to(&registry.url(), "client_max_body_size 100;");
    let refused = crane.copy(
        &workload.images[0].name_in(&nginx.address()),
        &format!("{}/copied/hello:1", limited.address()),
    );
    assert!(!refused.is_ok() && refused.stderr.contains("413"), "{refused}");
    let proxy = FaultProxy::to(registry.port());
    crane.validate(&workload.images[0].name_in(&proxy.address())).ok();
    assert!(proxy.bytes_down() > 500 && proxy.bytes_up() > 100);
}
