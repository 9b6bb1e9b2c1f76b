//! registries.yaml end to end: the examples of a guide that people follow, rendered as K3s renders them, pulled by a
//! real containerd through CRI from the registries that the guide has, under their very names and ports.

mod examples;
mod world;

use landfall_testkit::peers::node::Release;

use examples::{
    CA, COMPLETE, Example, INSECURE, LINKED, MIRROR, ONE_ADDRESS, PLAIN, REWRITE, TEMPLATE, TRUSTED, WILDCARD,
};
use world::World;

#[test]
fn debian_pulls_every_example() {
    every_example("peers::node::debian_pulls_every_example", Release::Debian);
}

#[test]
fn the_newest_pulls_every_example() {
    every_example("peers::node::the_newest_pulls_every_example", Release::Newest);
}

fn every_example(test: &str, release: Release) {
    let Some(world) = World::enter(test, release) else {
        return;
    };
    for example in [
        LINKED,
        MIRROR,
        TRUSTED,
        CA,
        INSECURE,
        PLAIN,
        ONE_ADDRESS,
        COMPLETE,
        WILDCARD,
    ] {
        follow(&world, &example);
    }
    rewrite_needs_the_fork_or_a_gateway(&world);
    the_template_is_no_configuration();
}

/// Pulls all that an example promises, and asks who was asked.
fn follow(world: &World, example: &Example) {
    let node = world.node(example.yaml);
    for (image, asked) in example.works {
        world.forget();
        let pulled = node.pull(image);
        assert!(
            pulled.is_ok(),
            "{}: {image}: {pulled:?}\n{}",
            example.name,
            world.told()
        );
        assert_eq!(
            world.asked(),
            *asked,
            "{}: {image}\n{}",
            example.name,
            world.told()
        );
        let listed = node.images();
        let id = pulled.unwrap();
        let named = listed.iter().find(|one| one.tags.iter().any(|tag| tag == image));
        assert_eq!(
            named.map(|one| &one.id),
            Some(&id),
            "{}: {image}: {listed:?}",
            example.name
        );
    }
    for (image, [debian, newest]) in example.fails {
        let words = if world.is_debian() { debian } else { newest };
        let error = node.pull(image).expect_err(image).to_string();
        assert!(error.contains(words), "{}: {image}: {error}", example.name);
    }
}

/// containerd knows no `rewrite`: it takes the file and asks for the name as it is.
fn rewrite_needs_the_fork_or_a_gateway(world: &World) {
    let node = world.node(REWRITE);
    world.forget();
    let error = node
        .pull("docker.io/rancher/nginx:1.27")
        .expect_err("no registry has this name")
        .to_string();
    assert_eq!(
        world.asked(),
        ["public.kingsd.top", "registry-1.docker.io"],
        "{error}\n{}",
        world.told()
    );
    rewrite_through_the_gateway(world);
}

/// Where the gateway rewrites, any containerd pulls the example's image, by its name, from one mirror for everything.
fn rewrite_through_the_gateway(world: &World) {
    const IMAGE: &str = "docker.io/rancher/nginx:1.27";
    // These names lead to this machine, which a gateway must be told to be right.
    let (_serving, node) = world.gateway(REWRITE, &[]);
    world.forget();
    let error = node.pull(IMAGE).expect_err("an address that was not allowed");
    assert_eq!(world.told(), "", "{error}");
    let (_serving, node) = world.gateway(REWRITE, &["--upstream-network", "127.0.0.0/8"]);
    let pulled = node.pull(IMAGE);
    let told = world.told();
    assert!(pulled.is_ok(), "{pulled:?}\n{told}");
    assert!(
        told.contains("public.kingsd.top: GET /v2/demo/nginx/manifests/1.27 -> 200"),
        "{told}"
    );
    assert!(!told.contains("registry-1.docker.io"), "{told}");
    let listed = node.images();
    let named = listed.iter().find(|one| one.tags.iter().any(|tag| tag == IMAGE));
    assert_eq!(named.map(|one| &one.id), pulled.as_ref().ok(), "{listed:?}");
}

/// The guide's form to fill in is not even readable: `insecure_skip_verify` is no text.
fn the_template_is_no_configuration() {
    let error = world::read(TEMPLATE)
        .expect_err("a text for a boolean")
        .to_string();
    assert!(error.contains("cannot unmarshal"), "{error}");
}
