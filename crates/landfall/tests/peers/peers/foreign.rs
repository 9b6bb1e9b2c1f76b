//! What Debian's docker-registry has stored, served where it lies: before, while and after that registry runs.

use landfall_testkit::Workload;
use landfall_testkit::peers::DockerRegistry;

use super::serving::Serving;
use super::stored;
use crate::place::{Place, same_bytes};

#[test]
fn a_registry_moves_without_copying() {
    let workload = Workload::small(64);
    let place = Place::with_list(&workload);
    let theirs = DockerRegistry::with(&workload);
    place.save(&theirs.address(), "before.tar", &[]).ok();
    let before = stored::snapshot(&theirs);
    let root = theirs.root().to_str().unwrap().to_owned();

    let serving = Serving::start(&place, &[&root, "--root", "store"]);
    place.save(serving.address(), "after.tar", &[]).ok();
    assert!(same_bytes(&place.path("before.tar"), &place.path("after.tar")));

    // Pushes go to the directory; pulls see both.
    let more = Workload::hello("new/app:1", "new");
    more.write_layout(&place.path("new"));
    let push = |name: &str| place.landfall(&["push", "new", &serving.name(name)]);
    push("new/app:1").ok();
    place
        .landfall(&["pull", &serving.name("new/app:1"), "-o", "new.tar"])
        .ok();
    // What is below comes first: its tags cannot be moved from above.
    let name = workload.images[0].name();
    let refused = push(&name);
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(refused.stderr.contains("it is served read-only"), "{refused}");
    place.save(serving.address(), "again.tar", &[]).ok();
    assert!(same_bytes(&place.path("before.tar"), &place.path("again.tar")));
    assert!(stored::snapshot(&theirs) == before, "their folder was written to");

    // They are still at work: what is pushed to them is seen.
    let late = Workload::hello("late/app:1", "late");
    late.write_layout(&place.path("late"));
    let target = format!("{}/late/app:1", theirs.address());
    place.landfall(&["push", "late", &target]).ok();
    place
        .landfall(&["pull", &serving.name("late/app:1"), "-o", "late.tar"])
        .ok();
}
