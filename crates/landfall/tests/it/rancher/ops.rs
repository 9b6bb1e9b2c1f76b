//! The calls of docker that the scripts make, in their order, as a run of the originals against a docker that only
//! writes down its arguments showed them; and where ours differ, because the originals are wrong there.

use crate::place::Place;

fn ops(place: &Place, script: &str, args: &[&str]) -> Vec<String> {
    let script = format!("rancher-{script}-images");
    let outcome = place.landfall(&[&[script.as_str()], args, &["--dry-run", "--format=ops"]].concat());
    outcome.ok().lines().map(str::to_owned).collect()
}

/// Case 1: upstream pulls `a` twice, `c:1` with its carriage return, `  d:4` with its blanks, and not `e:5`.
#[test]
fn an_odd_list_is_six_images() {
    let place = Place::new();
    place.scratch.write(
        "rancher-images.txt",
        "a\n\na\nquay.io/x/y:3\nb:2\nc:1\r\n  d:4\ne:5",
    );
    let outcome = place.landfall(&["rancher-save-images", "--dry-run", "--format=ops"]);
    let notes = [
        "stands on line 1 already",
        "Windows line ends",
        "blanks around",
        "no newline after the last line",
    ];
    for note in notes {
        assert!(outcome.stderr.contains(note), "{outcome}");
    }
    let names = ["a", "quay.io/x/y:3", "b:2", "c:1", "d:4", "e:5"];
    let mut expected: Vec<_> = names.iter().map(|name| format!("docker pull {name}")).collect();
    expected.push(format!("docker save {}", names.join(" ")));
    assert_eq!(outcome.ok().lines().collect::<Vec<_>>(), expected);
}

/// Cases 2 and 3.
#[test]
fn targets_are_put_together_from_texts() {
    let place = Place::new();
    let list = [
        "rancher/a:1",
        "b:2",
        "quay.io/x/y:3",
        "docker.io/rancher/q:1",
        "c",
    ];
    place.scratch.write("rancher-images.txt", list.join("\n") + "\n");
    let expected = |source: &str, target: &str| {
        let places = [
            "rancher/a:1",
            "rancher/b:2",
            "quay.io/x/y:3",
            "docker.io/rancher/q:1",
            "rancher/c",
        ];
        let mut ops = vec!["docker load --input rancher-images.tar.gz".to_owned()];
        for (name, place) in list.iter().zip(places) {
            ops.push(format!("docker tag {source}{name} {target}/{place}"));
            ops.push(format!("docker push {target}/{place}"));
        }
        ops
    };
    assert_eq!(ops(&place, "load", &["-r", "reg:5000"]), expected("", "reg:5000"));
    assert_eq!(
        ops(&place, "load", &["-r", "reg:5000/"]),
        expected("", "reg:5000")
    );
    assert_eq!(ops(&place, "load", &["-r", "reg/proj"]), expected("", "reg/proj"));
    assert_eq!(
        ops(&place, "load", &["-r", "reg", "-s", "src.io/"]),
        expected("src.io/", "reg")
    );
    let pulls = ops(&place, "save", &["-s", "src.io/"]);
    assert_eq!(
        pulls[..2],
        ["docker pull src.io/rancher/a:1", "docker pull src.io/b:2"]
    );
    assert_eq!(
        ops(&place, "save", &["--from-aliyun", "true"])[0],
        "docker pull registry.cn-hangzhou.aliyuncs.com/rancher/a:1"
    );
}

/// Case 4. Upstream makes no list for `winonly:1`, because it is "in" ` winonly:1.2`; the rest is as upstream's.
#[test]
fn lists_for_windows() {
    let place = Place::new();
    place.scratch.write("x.txt", "a:1\na:1-rc\nwinonly:1.2\nb:2\n");
    place.scratch.write("w.txt", "a:1\nquay:3\nwinonly:1\nb:2\n");
    let windows = [
        "--windows-image-list",
        "w.txt",
        "--windows-versions",
        "1809,ltsc2022",
    ];
    let found = ops(
        &place,
        "load",
        &[&["-r", "reg", "-l", "x.txt"], windows.as_slice()].concat(),
    );
    let list = |name: &str, linux: &str| {
        let n = format!("reg/rancher/{name}");
        vec![
            format!(
                "docker manifest create {n} {n}-windows-1809 {n}-windows-ltsc2022{} --amend",
                linux.replace('@', &n)
            ),
            format!("docker manifest push {n} --purge"),
        ]
    };
    let pushed = |name: &str, suffix: &str| {
        let target = format!("reg/rancher/{name}{suffix}");
        vec![
            format!("docker tag {name} {target}"),
            format!("docker push {target}"),
        ]
    };
    let expected = [
        vec!["docker load --input rancher-images.tar.gz".to_owned()],
        list("quay:3", ""),
        list("winonly:1", ""),
        pushed("a:1", "-linux-amd64"),
        list("a:1", " @-linux-amd64"),
        pushed("a:1-rc", ""),
        pushed("winonly:1.2", ""),
        pushed("b:2", "-linux-amd64"),
        list("b:2", " @-linux-amd64"),
    ];
    assert_eq!(found, expected.concat());
}

/// Case 9: a chart goes where its line says, like anything else.
#[test]
fn charts_are_lines_like_others() {
    let place = Place::new();
    place
        .scratch
        .write("rancher-images.txt", "rancher/charts/x:1.2.3_up4.5.6\n");
    assert_eq!(
        ops(&place, "load", &["-r", "reg"])[2],
        "docker push reg/rancher/charts/x:1.2.3_up4.5.6"
    );
}

/// Cases 11 and 12, on real lists where they are at hand.
#[test]
fn real_lists() {
    let lists = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lists");
    let Ok(text) = std::fs::read_to_string(lists.join("movers_rancher-v2.7.9_712_nofinalnewline.txt")) else {
        return;
    };
    let place = Place::new();
    place.scratch.write("rancher-images.txt", text);
    let found = ops(&place, "save", &[]);
    assert_eq!(found.len(), 712 + 1);
    assert!(
        found[711].ends_with("cluster-api-provider-rke2-controlplane:v0.2.2"),
        "{}",
        found[711]
    );
    let text = std::fs::read_to_string(lists.join("movers_rancher-v2.13.2_568.txt")).unwrap();
    let names: Vec<_> = text.lines().collect();
    let shorter = |name: &&&str| {
        names
            .iter()
            .any(|other| other != *name && other.starts_with(**name))
    };
    let windows: Vec<_> = names.iter().filter(shorter).copied().collect();
    place.scratch.write("rancher-images.txt", &text);
    place.scratch.write("w.txt", windows.join("\n"));
    let found = ops(&place, "load", &["-r", "reg", "--windows-image-list", "w.txt"]);
    let count = |start: &str| found.iter().filter(|op| op.starts_with(start)).count();
    assert_eq!(count("docker manifest create"), windows.len());
    assert_eq!(count("docker push"), names.len());
    let plain = found
        .iter()
        .filter(|op| op.starts_with("docker push") && !op.ends_with("-linux-amd64"));
    let listed_so = names
        .iter()
        .filter(|name| name.ends_with("-linux-amd64") && !windows.contains(*name));
    assert_eq!(plain.count() + listed_so.count(), names.len() - windows.len());
}
