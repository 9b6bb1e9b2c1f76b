//! Charts scanned without Helm. The charts of `tests/charts` are written in the shapes of real ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landfall_images::chart::{Chart, ChartError, Given, Unrendered, complete};
use landfall_images::gathered::Gathered;
use landfall_images::manifests::{Manifests, Origin};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/charts")
        .join(name)
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn chart(name: &str) -> Chart {
    Chart::from_files(name, &files(&folder(name))).unwrap()
}

fn scan(chart: &Chart, given: &Given) -> Gathered {
    let (gathered, problems) = chart.scan(given).unwrap();
    assert_eq!(problems, []);
    gathered
}

fn texts(gathered: &Gathered) -> Vec<&str> {
    gathered.iter().map(|(text, _)| text).collect()
}

fn made_of(values: &str, templates: &str) -> Chart {
    let files = [
        ("Chart.yaml", "name: made\nversion: 1.0.0\nappVersion: 2.0.0\n"),
        ("templates/all.yaml", templates),
        ("values.yaml", values),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    Chart::from_files("made", &files.into()).unwrap()
}

const COMPONENTS: [&str; 2] = ["cainjector", "controller"];

fn expected(version: &str, others: &[&str]) -> Vec<String> {
    let mut all: Vec<_> = ["acmesolver", "webhook"]
        .iter()
        .chain(&COMPONENTS)
        .chain(others)
        .collect();
    all.sort_unstable();
    all.into_iter()
        .map(|name| format!("quay.io/jetstack/cert-manager-{name}:{version}"))
        .collect()
}

#[test]
fn cert_manager_is_complete_in_all_its_shapes() {
    for (version, others) in [
        ("v0.12.0", &[][..]),
        ("v1.12.3", &["ctl"]),
        ("v1.15.3", &["startupapicheck"]),
        ("v1.21.1", &["startupapicheck"]),
    ] {
        let gathered = scan(&chart(&format!("cert-manager-{version}")), &Given::default());
        assert_eq!(texts(&gathered), expected(version, others));
        // The same as the list of facts, where that lies beside the project.
        let facts = format!("../../../shared/lists/cert-manager/cert-manager-{version}-complete.txt");
        if let Ok(facts) = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(facts)) {
            assert_eq!(texts(&gathered), facts.lines().collect::<Vec<_>>());
        }
    }
}

#[test]
fn another_registry_for_cert_manager() {
    let given = Given {
        files: vec![(
            "mine.yaml".into(),
            "imageRegistry: mirror.example:5000\nimageNamespace: cm\nwebhook: {image: {tag: v9}}\n".into(),
        )],
        set: vec![
            "cainjector.image.repository=other.example/x,acmesolver.image.registry=solver.example".into(),
        ],
    };
    assert_eq!(
        texts(&scan(&chart("cert-manager-v1.21.1"), &given)),
        [
            "mirror.example:5000/cm/cert-manager-controller:v1.21.1",
            "mirror.example:5000/cm/cert-manager-startupapicheck:v1.21.1",
            "mirror.example:5000/cm/cert-manager-webhook:v9",
            "other.example/x:v1.21.1",
            "solver.example/cm/cert-manager-acmesolver:v1.21.1",
        ]
    );
}

#[test]
fn shapes() {
    let chart = chart("shapes");
    let gathered = scan(&chart, &Given::default());
    let pinned = format!("ghcr.io/org/pinned@sha256:{}", "a".repeat(64));
    let mut expected = vec![
        "docker.io/listed/by-author:1",
        "docker.io/org/fallback:1",
        "ghcr.io/org/triple:v1",
        &pinned,
        "org/agent:6",
        "org/beside:2",
        "org/extra:1",
        "org/first:1",
        "org/from-file:1",
        "org/from-template:v4.5.6",
        "org/helper:1",
        "org/image-tag:3",
        "org/inner:1.0",
        "org/inner:2.0",
        "org/legacy:1.1",
        "org/list-a:1",
        "org/list-b:1",
        "org/literal:1",
        "org/off:1",
        "org/operator:v4.5.6",
        "org/proxy:5",
        "org/related:1",
        "org/second:1",
        "org/short:8",
        "org/sidecar:4",
        "org/templated:4.5.6",
        "org/test:1",
        "org/third:1",
        "org/tool:1",
        "org/waiter:1",
        "quay.io/org/kiwi:7",
        "quay.io/org/whole:1",
        "rancher/bare:4.5.6",
        "rancher/wins:v0.4",
    ];
    expected.sort_unstable();
    assert_eq!(texts(&gathered), expected);
    let why = |text: &str| {
        let (_, wanted) = gathered.iter().find(|(name, _)| *name == text).unwrap();
        let why = wanted.why.last().unwrap();
        format!(
            "{} | {} | {}",
            why.source,
            why.part,
            why.place.as_deref().unwrap()
        )
    };
    assert_eq!(
        why("org/off:1"),
        "chart shapes 1.2.3+up4.5.6 | values off.image (off: off.enabled is false) | values.yaml:34"
    );
    assert_eq!(
        why("rancher/wins:v0.4"),
        "chart shapes 1.2.3+up4.5.6 | values windows (os: windows,linux) | values.yaml:16"
    );
    assert_eq!(
        why("org/waiter:1"),
        "chart shapes 1.2.3+up4.5.6 | --waiter-image | templates/all.yaml:20"
    );
    assert!(
        why("org/inner:2.0").contains("second.image"),
        "{}",
        why("org/inner:2.0")
    );
    let remarks: Vec<_> = gathered
        .remarks
        .iter()
        .map(|remark| remark.message.as_str())
        .collect();
    for part in [
        "`absent`",
        "`inner` is off by default (inner.enabled is false)",
        "`shapes-crd=match`",
    ] {
        assert!(
            remarks.iter().any(|remark| remark.contains(part)),
            "{part}: {remarks:?}"
        );
    }
    assert!(
        why("org/legacy:1.1").contains("number"),
        "{}",
        why("org/legacy:1.1")
    );
}

#[test]
fn a_registry_for_all() {
    let chart = made_of(
        "image: {repository: org/a, tag: '1'}\nb: {image: {registry: quay.io, repository: org/b, tag: '1'}}\nc: {image: {repository: ghcr.io/org/c, tag: '1'}}\n",
        "",
    );
    let given = |set: &str| Given {
        files: Vec::new(),
        set: vec![set.to_owned()],
    };
    for set in [
        "global.imageRegistry=mirror.example",
        "global.cattle.systemDefaultRegistry=mirror.example",
    ] {
        assert_eq!(
            texts(&scan(&chart, &given(set))),
            [
                "ghcr.io/org/c:1",
                "mirror.example/org/a:1",
                "mirror.example/org/b:1"
            ],
            "{set}"
        );
    }
}

#[test]
fn istio() {
    let chart = made_of(
        "global: {hub: docker.io/istio, tag: 1.22.1, proxy: {image: proxyv2}}\npilot: {image: pilot}\n",
        "",
    );
    assert_eq!(
        texts(&scan(&chart, &Given::default())),
        ["docker.io/istio/pilot:1.22.1", "docker.io/istio/proxyv2:1.22.1"]
    );
}

#[test]
fn the_tag_that_no_value_gives() {
    let values = "image: {repository: org/a, tag: ''}\n";
    let cases = [
        ("image: {{ include \"x\" . }}", "org/a:2.0.0"),
        (
            "image: \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.Version }}\"",
            "org/a:1.0.0",
        ),
        (
            "{{- $tag := default (printf \"v%s\" .Chart.AppVersion) .Values.image.tag }}\napp.kubernetes.io/version: {{ .Chart.AppVersion }}",
            "org/a:v2.0.0",
        ),
        (
            "image: \"x:v{{ default .Chart.AppVersion .tag }}\"",
            "org/a:v2.0.0",
        ),
    ];
    for (template, expected) in cases {
        let gathered = scan(&made_of(values, template), &Given::default());
        assert_eq!(texts(&gathered), [expected], "{template}");
    }
}

#[test]
fn what_helm_rendered_and_what_it_did_not() {
    let rendered = |text: &str| {
        let mut manifests = Manifests::new("chart made 1.0.0");
        manifests.read("rendered", text.as_bytes(), Origin::Helm);
        let (gathered, problems) = manifests.finish();
        assert_eq!(problems, []);
        gathered
    };
    let text = "---\n# Source: made/templates/a.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {helm.sh/hook: test}}\nspec: {containers: [{image: 'org/a:1'}]}\n";
    let chart = made_of(
        "image: {repository: org/a, tag: '1'}\noff: {enabled: false, image: {repository: org/off, tag: '1'}}\n",
        "",
    );
    let seen = scan(&chart, &Given::default());
    let mut told = rendered(text);
    complete(&mut told, seen.clone(), Unrendered::Remark);
    assert_eq!(texts(&told), ["org/a:1"]);
    let why = &told.iter().next().unwrap().1.why[0];
    assert_eq!(
        (why.part.as_str(), why.place.as_deref()),
        (
            "Pod p (test): spec.containers[0].image",
            Some("made/templates/a.yaml")
        )
    );
    assert_eq!(told.remarks.len(), 1);
    assert!(
        told.remarks[0]
            .message
            .starts_with("org/off:1 is in the chart (values off.image (off: off.enabled is false))"),
        "{:?}",
        told.remarks
    );
    let mut all = rendered(text);
    complete(&mut all, seen, Unrendered::Include);
    assert_eq!(texts(&all), ["org/a:1", "org/off:1"]);
}

#[test]
fn what_is_no_chart_is_said() {
    let none = Chart::from_files("x/", &BTreeMap::new()).unwrap_err();
    assert_eq!(
        none.to_string(),
        "x/: no Chart.yaml in it, so it is no Helm chart"
    );
    let files = |text: &str| BTreeMap::from([("Chart.yaml".to_owned(), text.as_bytes().to_vec())]);
    let broken = Chart::from_files("x", &files("name: x\n version: y\n")).unwrap_err();
    assert!(
        matches!(&broken, ChartError::Broken { place, .. } if place == "Chart.yaml:2:9"),
        "{broken}"
    );
    // Broken values: said with their place, templates are read all the same.
    let chart = made_of("a: [\n", "image: org/a:1\n");
    let (gathered, problems) = chart.scan(&Given::default()).unwrap();
    assert_eq!(texts(&gathered), ["org/a:1"]);
    assert!(problems[0].place.starts_with("values.yaml:"), "{problems:?}");
    let given = Given {
        files: vec![("mine.yaml".into(), "a: b: c".into())],
        set: Vec::new(),
    };
    let error = chart.scan(&given).unwrap_err();
    assert!(error.to_string().starts_with("mine.yaml:1:5: "), "{error}");
    // Charts in charts in charts.
    let mut nested = files("name: x\n");
    for level in 1..20 {
        nested.insert(
            format!("{}Chart.yaml", "charts/x/".repeat(level)),
            b"name: x\n".to_vec(),
        );
    }
    assert!(
        Chart::from_files("x", &nested)
            .unwrap_err()
            .to_string()
            .contains("too deeply")
    );
}

#[test]
fn hostile_templates_end_soon() {
    for text in [
        "{{".repeat(50_000),
        "image: {{ ".repeat(20_000),
        format!("image: {{{{ {}x{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        "{{/* ".repeat(20_000),
        format!("image: {{{{ tpl .Values.x . }}}}{}", "\n---".repeat(20_000)),
    ] {
        let _ = made_of(
            "x: '{{ tpl .Values.x . }}'\nimage: {repository: '{{ tpl .Values.x . }}', tag: '1'}\n",
            &text,
        )
        .scan(&Given::default())
        .unwrap();
    }
}

#[test]
fn an_image_whose_tag_the_template_puts_behind_it() {
    // Rancher's own chart.
    let chart = made_of(
        "theImage: org/server\nsideImage: org/side\n# theImageTag: v9\n",
        "- image: {{ .Values.theImage }}:{{ default .Chart.AppVersion .Values.theImageTag }}\n- image: {{ .Values.sideImage }}\n",
    );
    let gathered = scan(&chart, &Given::default());
    assert_eq!(texts(&gathered), ["org/server:2.0.0", "org/side"]);
    let set = Given {
        files: Vec::new(),
        set: vec!["theImageTag=v9".to_owned()],
    };
    assert_eq!(texts(&scan(&chart, &set)), ["org/server:v9", "org/side"]);
}

#[test]
fn a_name_and_its_tag_side_by_side() {
    // Longhorn's first charts, and flags whose value is the next item.
    let chart = made_of(
        "image: {parts: {engine: org/engine, engineTag: v1, path: /a/b, pathTag: x}}\nowner: {helper: org/helper}\n",
        "command:\n- run\n- --helper-image\n- \"{{ .Values.owner.helper }}:v2\"\n- --verbose\n- \"quiet\"\n",
    );
    assert_eq!(
        texts(&scan(&chart, &Given::default())),
        ["org/engine:v1", "org/helper:v2"]
    );
}

#[test]
fn a_digest_where_the_registry_is_far_away() {
    // The ingress controller's chart.
    let digest = format!("sha256:{}", "a".repeat(64));
    let chart = made_of(
        &format!(
            "global: {{image: {{registry: reg.example}}}}\ncontroller: {{image: {{image: org/c, tag: v1, digest: '{digest}', chroot: false}}}}\n"
        ),
        "",
    );
    assert_eq!(
        texts(&scan(&chart, &Given::default())),
        [format!("reg.example/org/c:v1@{digest}")]
    );
}
