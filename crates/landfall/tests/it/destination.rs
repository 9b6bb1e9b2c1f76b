//! What a target registry demands: Harbor's projects and rights, ECR's repositories, limits of names, tags that do not
//! move, refusals in words that say what to do.

use std::collections::BTreeMap;

use landfall_testkit::fake_registry::{Ecr, Fault, Harbor, HarborProject, HarborUser, Kind, Request, Rule};
use landfall_testkit::{Authority, FakeRegistry, Outcome, Workload, run};

use crate::place::{Place, failed, report};

const PASSWORD: &str = "Har-b0r-s3cret";

/// A place with a bundle of these names, each of one small image.
fn bundle(names: &[&str]) -> Place {
    let place = Place::new();
    let mut workload = Workload::hello("x/seed:1", "hello");
    let root = workload.images[0].root;
    for name in names {
        workload.tag(name, root);
    }
    workload.images.retain(|image| image.name() != "x/seed:1");
    place.scratch.write("list.txt", names.join("\n"));
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    place
}

fn two_projects() -> Place {
    bundle(&["rancher/a:1", "rancher/b:1", "quay.io/x/y:3"])
}

fn harbor() -> Harbor {
    Harbor::new()
        .user("admin", HarborUser::new(PASSWORD).admin())
        .user("ann", HarborUser::new(PASSWORD).creates())
        .user("bob", HarborUser::new(PASSWORD).pushes_to("rancher"))
        .user("robot$ci", HarborUser::new(PASSWORD).robot().pushes_to("rancher"))
}

fn with_rancher() -> Harbor {
    harbor().project("rancher", HarborProject::default())
}

fn start(harbor: Harbor) -> FakeRegistry {
    FakeRegistry::builder().harbor(harbor).start()
}

/// `load bundle.tar` by a user; whatever happens, the password is not shown.
#[track_caller]
fn load(place: &Place, target: &str, user: &str, more: &[&str]) -> Outcome {
    let mut command = place.command(&["load", "bundle.tar", "-r", target, "--attempts", "1"]);
    command
        .args(more)
        .env("LANDFALL_USERNAME", user)
        .env("LANDFALL_PASSWORD", PASSWORD);
    let outcome = run(&mut command);
    assert!(!format!("{outcome}").contains(PASSWORD), "{outcome}");
    outcome
}

#[track_caller]
fn says(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for word in words {
        assert!(said.contains(word), "no {word:?} in {outcome}");
    }
}

fn projects(registry: &FakeRegistry) -> BTreeMap<String, bool> {
    registry.projects()
}

fn creations(request: &Request) -> bool {
    request.kind == Kind::Api && request.method == "POST"
}

#[test]
fn a_missing_project_fails_its_own_images_and_says_how_to_create_it() {
    let place = two_projects();
    let target = start(with_rancher());
    let outcome = load(&place, &target.address(), "admin", &["--output", "json"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let report = report(&outcome);
    assert_eq!(failed(&report), ["quay.io/x/y:3"]);
    let reason = report["report"]["failed"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("no project `quay.io`") && reason.contains("--create-missing"),
        "{reason}"
    );
    assert_eq!(
        target.tags().into_keys().collect::<Vec<_>>(),
        ["rancher/a:1", "rancher/b:1"]
    );
    assert_eq!(target.count_where(creations), 0);
    assert_eq!(
        target.count_where(|request| request.path.contains("quay.io") && request.kind == Kind::UploadStart),
        0
    );
}

#[test]
fn missing_projects_are_created_when_asked() {
    let place = two_projects();
    for (flag, is_public) in [
        (&["--create-missing"][..], false),
        (&["--create-missing=private"], false),
        (&["--create-missing=public"], true),
    ] {
        let target = start(with_rancher());
        let outcome = load(&place, &target.address(), "admin", flag);
        says(&outcome, 0, &["created the", "quay.io", "3 of 3 images complete"]);
        assert_eq!(projects(&target)["quay.io"], is_public);
        assert_eq!(target.tags().len(), 3);
        target.clear_requests();
        load(&place, &target.address(), "admin", flag).ok();
        assert_eq!(target.count(Kind::UploadStart) + target.count_where(creations), 0);
    }
}

#[test]
fn without_need_harbors_api_is_not_asked() {
    let place = bundle(&["rancher/a:1"]);
    let target = start(with_rancher());
    load(&place, &target.address(), "bob", &[]).ok();
    assert_eq!(target.count(Kind::Api), 0);
}

#[test]
fn a_dry_run_says_which_projects_would_be_created_and_which_are_missing() {
    let place = two_projects();
    let target = start(with_rancher());
    let address = target.address();
    let outcome = load(&place, &address, "admin", &["--dry-run"]);
    let missing = format!("MISSING     project {address}/quay.io (1 image would fail)");
    says(
        &outcome,
        1,
        &[&missing, "WOULD FAIL  quay.io/x/y:3", "--create-missing"],
    );
    let outcome = load(&place, &address, "admin", &["--dry-run", "--create-missing"]);
    says(
        &outcome,
        0,
        &[&format!("CREATE      project {address}/quay.io (for 1 image)")],
    );
    let outcome = load(
        &place,
        &address,
        "admin",
        &["--dry-run", "--create-missing", "--output", "json"],
    );
    let plan: serde_json::Value = serde_json::from_str(&outcome.ok()).unwrap();
    assert_eq!(plan["places"][0]["kind"], "project");
    assert_eq!(plan["places"][0]["action"], "create");
    assert_eq!(projects(&target).len(), 1, "a dry run creates nothing");
    assert_eq!(
        target.count_where(|request| request.method == "POST" && request.kind != Kind::Token),
        0
    );
}

#[test]
fn who_may_not_create_projects_is_told_so() {
    let place = two_projects();
    let target = start(with_rancher());
    let outcome = load(&place, &target.address(), "bob", &["--create-missing"]);
    says(
        &outcome,
        1,
        &[
            "Only system admin can create project",
            "may not create projects",
            "--username",
        ],
    );
    assert_eq!(target.tags().len(), 2, "what has a place is pushed all the same");
    let place = bundle(&["quay.io/x/y:3"]);
    let outcome = load(&place, &target.address(), "bob", &["--create-missing"]);
    says(&outcome, 6, &["may not create projects"]);
    // The right to create is enough.
    load(&place, &target.address(), "ann", &["--create-missing"]).ok();
}

#[test]
fn a_robot_that_the_api_tells_nothing_pushes_where_it_may() {
    let target = start(with_rancher());
    let place = bundle(&["rancher/a:1"]);
    load(&place, &target.address(), "robot$ci", &["--create-missing"]).ok();
    assert_eq!(target.tags().len(), 1);
    let place = two_projects();
    let outcome = load(&place, &target.address(), "robot$ci", &["--create-missing"]);
    says(&outcome, 1, &["did not create the project `quay.io`"]);
    // Alone and without the flag, all that is known is that Harbor refuses: both reasons are named.
    let place = bundle(&["quay.io/x/y:3"]);
    let outcome = load(&place, &target.address(), "robot$ci", &[]);
    says(&outcome, 6, &["no such project", "--create-missing"]);
}

#[test]
fn a_version_that_hides_what_is_missing() {
    let place = two_projects();
    let target = start(with_rancher().hides_missing());
    let outcome = load(
        &place,
        &target.address(),
        "admin",
        &["--dry-run", "--create-missing"],
    );
    says(&outcome, 0, &["quay.io (for 1 image), unless it is there"]);
    load(&place, &target.address(), "admin", &["--create-missing"]).ok();
    assert_eq!(target.tags().len(), 3);
}

#[test]
fn wrong_passwords_end_the_run() {
    let place = two_projects();
    let target = start(with_rancher());
    let mut command = place.command(&["load", "bundle.tar", "-r", &target.address(), "--create-missing"]);
    let outcome = run(command
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", "wr0ng-one"));
    says(&outcome, 6, &["--username"]);
    assert!(!format!("{outcome}").contains("wr0ng-one"));
    assert_eq!(projects(&target).len(), 1);
}

#[test]
fn two_loads_at_once_create_one_project() {
    let target = start(harbor());
    let address = target.address();
    std::thread::scope(|scope| {
        let load = || scope.spawn(|| load(&two_projects(), &address, "ann", &["--create-missing"]));
        for handle in [load(), load(), load()] {
            handle.join().unwrap().ok();
        }
    });
    assert_eq!(
        projects(&target).into_keys().collect::<Vec<_>>(),
        ["quay.io", "rancher"]
    );
    assert_eq!(target.tags().len(), 3);
}

#[test]
fn somebody_else_creates_the_project_first() {
    let place = two_projects();
    let target = start(with_rancher());
    let conflict = Fault::status(409, "CONFLICT");
    target.rule(Rule::on(Kind::Api, conflict).when(|request| request.method == "POST"));
    // Told that it is there by now, the run goes on; here that is a lie, which the push finds out.
    let outcome = load(&place, &target.address(), "admin", &["--create-missing"]);
    says(&outcome, 1, &["quay.io/x/y", "no such project"]);
    assert!(!format!("{outcome}").contains("did not create"), "{outcome}");
}

#[test]
fn creation_goes_over_the_registrys_own_tls() {
    let authority = Authority::new();
    let place = bundle(&["rancher/a:1"]);
    place.scratch.write("ca.crt", authority.certificate());
    let target = FakeRegistry::builder()
        .tls(authority.issue(&["127.0.0.1"]))
        .harbor(harbor())
        .start();
    let more = ["--create-missing", "--tls-ca", "ca.crt"];
    load(&place, &target.address(), "admin", &more).ok();
    assert_eq!(target.tags().len(), 1);
}

#[test]
fn copy_and_push_create_too() {
    let workload = Workload::hello("rancher/a:1", "hello");
    let upstream = FakeRegistry::with(&workload);
    let place = Place::new();
    place.layout("layout", "hello");
    let target = start(harbor());
    let name = workload.images[0].name();
    let args = [
        "copy",
        &name,
        "-r",
        &target.address(),
        "--from",
        &upstream.address(),
        "--create-missing",
    ];
    let mut copy = place.command(&args);
    run(copy
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", PASSWORD))
    .ok();
    let image = format!("{}/other/image:2", target.address());
    let mut push = place.command(&["push", "layout", &image, "--create-missing=public"]);
    run(push
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", PASSWORD))
    .ok();
    assert!(projects(&target)["other"]);
    assert!(target.tags().contains_key("other/image:2"));
}

#[test]
fn a_plain_registry_needs_nothing_of_it() {
    let place = two_projects();
    let target = FakeRegistry::empty();
    load(&place, &target.address(), "x", &["--create-missing"]).ok();
    assert_eq!(target.tags().len(), 3);
    assert_eq!(target.count_where(creations), 0);
}

#[test]
fn names_that_the_target_cannot_hold_are_refused_in_the_plan() {
    let place = bundle(&["rancher/a:1", "quay.io/x/y:3"]);
    let refuse = |target: &str, more: &[&str], words: &[&str]| {
        let mut args = vec!["load", "bundle.tar", "-r", target];
        args.extend(more);
        says(&place.landfall(&args), 2, words);
    };
    // No host is asked: there is none here.
    refuse(
        "docker.io/team",
        &[],
        &[
            "docker.io/team/rancher/a:1",
            "NAMESPACE/NAME",
            "--map docker.io/rancher=PATH",
        ],
    );
    refuse("docker.io/team", &["--dry-run"], &["quay.io/x/y:3", "4 parts"]);
    refuse(
        "europe-west1-docker.pkg.dev/p",
        &["--map", "docker.io/rancher="],
        &["PROJECT/REPOSITORY/NAME"],
    );
    refuse(
        "quay.example",
        &["--max-depth", "2"],
        &["quay.example/quay.io/x/y:3", "--max-depth allows 2"],
    );
    let target = start(harbor().project("rancher", HarborProject::default()));
    let outcome = load(&place, &target.address(), "admin", &["--map", "quay.io/x="]);
    says(
        &outcome,
        2,
        &["/y:3`: Harbor has PROJECT/NAME only", "--map quay.io/x=PATH"],
    );
    assert!(target.tags().is_empty());
    let registry = target.address();
    let outcome = place.landfall(&[
        "push",
        "bundle.tar",
        &format!("{registry}/y:3"),
        "--image",
        "quay.io/x/y:3",
    ]);
    says(&outcome, 2, &["PROJECT/NAME"]);
}

/// Two layouts with different content, and the digests of their images.
fn layouts() -> (Place, String, String) {
    let place = Place::new();
    let (one, two) = (place.layout("one", "one"), place.layout("two", "two"));
    (place, one, two)
}

#[track_caller]
fn push(place: &Place, layout: &str, name: &str) -> Outcome {
    let mut command = place.command(&["push", layout, name, "--attempts", "1"]);
    command
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", PASSWORD);
    run(&mut command)
}

/// The tag is pushed by somebody else between the question and the push.
fn blind_once(target: &FakeRegistry) {
    target.rule(Rule::on(Kind::ManifestHead, Fault::status(404, "")).times(1));
}

#[test]
fn a_tag_that_does_not_move_is_done_or_says_both_digests() {
    let immutable = || HarborProject {
        is_immutable: true,
        ..HarborProject::default()
    };
    let (place, one, two) = layouts();
    let ecr = Ecr::new().repository("p/x").immutable();
    for target in [
        start(harbor().project("p", immutable())),
        FakeRegistry::builder().ecr(ecr).start(),
    ] {
        let name = format!("{}/p/x:1", target.address());
        push(&place, "one", &name).ok();
        says(&push(&place, "one", &name), 0, &["there already"]);
        blind_once(&target);
        says(&push(&place, "one", &name), 0, &["it has the right digest"]);
        let outcome = push(&place, "two", &name);
        says(&outcome, 1, &[&one, &two, "immutable", "choose another tag"]);
        assert_eq!(target.tags()["p/x:1"].to_string(), one);
    }
}

#[test]
fn a_tag_is_found_where_head_is_forbidden() {
    let (place, one, two) = layouts();
    let target = FakeRegistry::builder()
        .ecr(Ecr::new().repository("p/x").immutable())
        .start();
    let name = format!("{}/p/x:1", target.address());
    target.rule(Rule::on(Kind::ManifestHead, Fault::status(403, "DENIED")));
    push(&place, "one", &name).ok();
    says(&push(&place, "one", &name), 0, &["there already"]);
    says(&push(&place, "two", &name), 1, &[&one, &two]);
}

#[test]
fn a_used_up_quota_is_said_and_no_matter_of_rights() {
    let (place, ..) = layouts();
    let project = HarborProject {
        quota: Some(10),
        ..HarborProject::default()
    };
    let target = start(harbor().project("p", project));
    let outcome = push(&place, "one", &format!("{}/p/x:1", target.address()));
    says(
        &outcome,
        1,
        &["quota is used up", "configured upper limit of 10 Byte"],
    );
    assert!(!format!("{outcome}").contains("ask for that right"), "{outcome}");
    target.set_project("p", HarborProject::default());
    push(&place, "one", &format!("{}/p/x:1", target.address())).ok();
}

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// The program, for which the fake is every host there is, and the API of AWS besides.
#[track_caller]
fn anywhere(place: &Place, target: &FakeRegistry, args: &[&str]) -> Outcome {
    let mut command = place.command(args);
    command
        .args(["--plain-http", "--attempts", "1"])
        .env("HTTP_PROXY", target.url())
        .env("NO_PROXY", "127.0.0.1")
        .env("LANDFALL_USERNAME", "AWS")
        .env("LANDFALL_PASSWORD", PASSWORD)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", PASSWORD)
        .env("AWS_ENDPOINT_URL_ECR", target.url());
    let outcome = run(&mut command);
    assert!(!format!("{outcome}").contains(PASSWORD), "{outcome}");
    outcome
}

#[test]
fn repositories_that_ecr_lacks_are_known_in_the_plan() {
    let place = two_projects();
    let target = FakeRegistry::builder()
        .ecr(Ecr::new().repository("rancher/a"))
        .start();
    let outcome = anywhere(&place, &target, &["load", "bundle.tar", "-r", ECR, "--dry-run"]);
    says(
        &outcome,
        1,
        &[
            &format!("MISSING     repository {ECR}/rancher/b"),
            "--create-missing",
        ],
    );
    let outcome = anywhere(&place, &target, &["load", "bundle.tar", "-r", ECR]);
    says(
        &outcome,
        1,
        &["no repository `rancher/b`", "does not make them on push"],
    );
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), ["rancher/a:1"]);
}

#[test]
fn repositories_that_ecr_lacks_are_made_when_asked() {
    let place = two_projects();
    let target = FakeRegistry::builder()
        .ecr(Ecr::new().repository("rancher/a"))
        .start();
    let args = ["load", "bundle.tar", "-r", ECR, "--create-missing"];
    let outcome = anywhere(&place, &target, &[&args[..], &["--dry-run"]].concat());
    says(
        &outcome,
        0,
        &[&format!("CREATE      repository {ECR}/quay.io/x/y (for 1 image)")],
    );
    assert_eq!(target.count_where(creations), 0, "a dry run makes nothing");
    let outcome = anywhere(&place, &target, &args);
    says(&outcome, 0, &["created the repository", "3 of 3 images complete"]);
    assert_eq!((target.count_where(creations), target.tags().len()), (2, 3));
    target.clear_requests();
    anywhere(&place, &target, &args).ok();
    assert_eq!(target.count_where(creations), 0, "nothing is missing any more");
}

#[test]
fn who_may_not_make_repositories_is_told_so() {
    let place = two_projects();
    let target = FakeRegistry::builder()
        .ecr(Ecr::new().repository("rancher/a").denies())
        .start();
    let outcome = anywhere(
        &place,
        &target,
        &["load", "bundle.tar", "-r", ECR, "--create-missing"],
    );
    says(
        &outcome,
        1,
        &["rancher/b was not created", "CreateRepository", "1 of 3 images"],
    );
    assert_eq!(target.tags().len(), 1);
}
