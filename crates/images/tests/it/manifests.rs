//! Images of Kubernetes objects, file by file as people have them.

use landfall_images::gathered::Gathered;
use landfall_images::manifests::{Manifests, Origin, Problem};

fn scan(text: &str) -> (Gathered, Vec<Problem>) {
    let mut manifests = Manifests::new("manifests");
    manifests.read("all.yaml", text.as_bytes(), Origin::File);
    manifests.finish()
}

/// `image` for what is sure, `image ?` for a guess; then the parts.
fn images(text: &str) -> Vec<String> {
    let (gathered, problems) = scan(text);
    assert_eq!(problems, [], "{text}");
    gathered
        .iter()
        .map(|(text, wanted)| match wanted.why.iter().all(|why| why.guess) {
            true => format!("{text} ?"),
            false => text.to_owned(),
        })
        .collect()
}

/// Each reason as `image | part | place`.
fn reasons(text: &str) -> Vec<String> {
    let (gathered, _) = scan(text);
    let of = |(text, wanted): (&str, &landfall_images::gathered::Wanted)| {
        let line = |why: &landfall_images::gathered::Why| {
            format!("{text} | {} | {}", why.part, why.place.as_deref().unwrap_or("-"))
        };
        wanted.why.iter().map(line).collect::<Vec<_>>()
    };
    gathered.iter().flat_map(of).collect()
}

fn remarks(text: &str) -> Vec<String> {
    let (gathered, _) = scan(text);
    let line = |remark: &landfall_images::gathered::Remark| {
        format!("{} {}", remark.place.as_deref().unwrap_or("-"), remark.message)
    };
    gathered.remarks.iter().map(line).collect()
}

const POD: &str = "
      initContainers:
      - {name: i, image: init:1}
      containers:
      - name: c
        image: \"reg.example:5000/app/c:2\"
      ephemeralContainers: [{name: e, image: debug}]
      volumes:
      - {name: v, image: {reference: quay.io/data/set:3, pullPolicy: Always}}
      - {name: w, emptyDir: {}}
";

#[test]
fn every_kind_of_workload_is_looked_into() {
    let templated = [
        ("apps/v1", "Deployment"),
        ("apps/v1beta2", "Deployment"),
        ("extensions/v1beta1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("batch/v1", "Job"),
        ("v1", "ReplicationController"),
    ];
    let pod = |indent: &str| POD.replace("\n      ", &format!("\n{indent}"));
    let mut texts: Vec<_> = templated
        .map(|(version, kind)| {
            format!(
                "apiVersion: {version}\nkind: {kind}\nspec:\n  template:\n    spec:{}",
                pod("      ")
            )
        })
        .into();
    texts.push(format!("apiVersion: v1\nkind: Pod\nspec:{}", pod("  ")));
    texts.push(format!(
        "apiVersion: v1\nkind: PodTemplate\ntemplate:\n  spec:{}",
        pod("    ")
    ));
    for version in ["batch/v1", "batch/v1beta1"] {
        texts.push(format!(
            "apiVersion: {version}\nkind: CronJob\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:{}",
            pod("          ")
        ));
    }
    for text in texts {
        assert_eq!(
            images(&text),
            [
                "debug",
                "init:1",
                "quay.io/data/set:3",
                "reg.example:5000/app/c:2"
            ],
            "{text}"
        );
    }
}

#[test]
fn reasons_name_the_object_the_field_and_the_line() {
    let text = "# first\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\napiVersion: apps/v1\nkind: Deployment\n\
                metadata:\n  name: web\n  namespace: ns\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        \
                image: nginx:1\n        args: [--x, --helper-image=a/b:1]\n        env:\n        - {name: SIDE_IMAGE, value: c/d:2}\n";
    assert_eq!(
        reasons(text),
        [
            "a/b:1 | Deployment ns/web: spec.template.spec.containers[0].args[1] | all.yaml:17",
            "c/d:2 | Deployment ns/web: spec.template.spec.containers[0].env.SIDE_IMAGE | all.yaml:19",
            "nginx:1 | Deployment ns/web: spec.template.spec.containers[0].image | all.yaml:16",
        ]
    );
}

#[test]
fn lists_json_and_streams() {
    let pod = |image: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p"}},"spec":{{"containers":[{{"name":"c","image":"{image}"}}]}}}}"#
        )
    };
    let list = format!(
        r#"{{"apiVersion":"v1","kind":"List","items":[{},{}]}}"#,
        pod("a:1"),
        pod("b:1")
    );
    assert_eq!(images(&list), ["a:1", "b:1"]);
    // A typed list's items need not say what they are.
    let typed = format!(
        r#"{{"apiVersion":"v1","kind":"PodList","items":[{}]}}"#,
        pod("a:1").replace(r#""apiVersion":"v1","kind":"Pod","#, "")
    );
    assert_eq!(images(&typed), ["a:1"]);
    assert_eq!(
        images(&format!("{}\n{}{}", pod("a:1"), pod("b:1"), pod("c:1"))),
        ["a:1", "b:1", "c:1"]
    );
    assert_eq!(
        images(&format!("[{},{}]", pod("a:1"), pod("b:1"))),
        ["a:1", "b:1"]
    );
    assert_eq!(
        images(&format!("---\n{}\n---\n{}\n...\n", pod("a:1"), pod("b:1"))),
        ["a:1", "b:1"]
    );
    // As PowerShell redirects it.
    let utf16: Vec<u8> = [0xFEFF]
        .into_iter()
        .chain(pod("a:1").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut manifests = Manifests::new("manifests");
    manifests.read("x.json", &utf16, Origin::File);
    let (gathered, problems) = manifests.finish();
    assert_eq!((gathered.iter().count(), problems.len()), (1, 0));
}

#[test]
fn aliases_and_merges_are_followed() {
    let text = "apiVersion: v1\nkind: Pod\nx: &base {name: b, image: base:1}\nspec:\n  containers:\n  - <<: *base\n    name: c\n  - *base\n  - {<<: *base, image: other:2}\n";
    assert_eq!(images(text), ["base:1", "other:2"]);
    // What stands twice: the last one counts, as with kubectl.
    assert_eq!(
        images("apiVersion: v1\nkind: Pod\nspec:\n  containers: [{image: a:1, image: b:1}]\n"),
        ["b:1"]
    );
}

fn container(fields: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: c\n    image: main:1\n{fields}"
    )
}

#[test]
fn arguments_and_environment() {
    let cases: [(&str, &[&str]); 14] = [
        (
            "    args: [--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1]",
            &["quay.io/jetstack/cert-manager-acmesolver:v1"],
        ),
        ("    command: [/bin/op, --helper-image, a/b:1, --v=2]", &["a/b:1"]),
        ("    args: [--helper-image, --other, a/b:1]", &[]),
        ("    args: ['--pause-image=busybox']", &["busybox ?"]),
        (
            "    args: [-image=a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]",
            &["a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
        ),
        (
            "    args: [--prometheus-config-reloader=quay.io/prometheus-operator/prometheus-config-reloader:v0.77.1]",
            &["quay.io/prometheus-operator/prometheus-config-reloader:v0.77.1 ?"],
        ),
        ("    args: ['--images=\"a/b:1,c/d:2\"']", &["a/b:1", "c/d:2"]),
        (
            "    command: [sh, -c, 'exec op --agent-image=a/b:1 --image-pull-policy=Always']",
            &["a/b:1 ?"],
        ),
        (
            "    args: [--image-pull-policy=IfNotPresent, --image-gc-high-threshold=85, --pull-image=true, --image-registry=quay.io, --image-pull-progress-deadline=10m]",
            &[],
        ),
        (
            "    args: [--metrics-addr=127.0.0.1:8080, --url=https://x.y/z:1, --zk=zk.example:2181/a, --image-service-endpoint=unix:///run/x.sock]",
            &[],
        ),
        (
            "    env: [{name: RELATED_IMAGE_OPERAND, value: quay.io/x/y:1}, {name: A, value: b}]",
            &["quay.io/x/y:1"],
        ),
        (
            "    env: [{name: CATTLE_SHELL_IMAGE, value: 'rancher/shell:v0.2.1'}, {name: IMAGE_PULL_POLICY, value: Always}]",
            &["rancher/shell:v0.2.1"],
        ),
        (
            "    env: [{name: AGW, value: cr.example.dev/agentgateway:v1}]",
            &["cr.example.dev/agentgateway:v1 ?"],
        ),
        (
            "    env: [{name: X_IMAGE, valueFrom: {configMapKeyRef: {name: c, key: k}}}]",
            &[],
        ),
    ];
    for (fields, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .copied()
            .filter(|image| *image != "main:1")
            .collect();
        let mut found = images(&container(fields));
        found.retain(|image| image != "main:1");
        assert_eq!(found, expected, "{fields}");
    }
}

#[test]
fn what_is_filled_in_later_is_said_and_not_listed() {
    let text = container(
        "    args: ['--helper-image=$(HELPER)', '--default-base-image=quay.io/a/b']\n    env: [{name: X_IMAGE, value: '${X}'}]",
    );
    assert_eq!(images(&text), ["main:1"]);
    assert_eq!(
        remarks(&text),
        [
            "all.yaml:8 Pod p: spec.containers[0].args[0] `$(HELPER)` is filled in later, so its image is not listed",
            "all.yaml:8 Pod p: spec.containers[0].args[1] names the repository `quay.io/a/b` without a tag: which of its tags is used, the program decides",
            "all.yaml:9 Pod p: spec.containers[0].env.X_IMAGE `${X}` is filled in later, so its image is not listed",
        ]
    );
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{image: '{{ .Values.x }}'}, {image: ''}, {image: auto}]\n";
    assert!(images(text).is_empty());
    assert_eq!(remarks(text).len(), 3, "{:?}", remarks(text));
}

#[test]
fn a_name_that_no_node_can_pull_is_an_error() {
    let (gathered, problems) = scan(&container("  - name: d\n    image: Rancher/Shell:v1\n"));
    assert_eq!(gathered.iter().count(), 1);
    let problem = problems[0].to_string();
    assert!(
        problem.starts_with("all.yaml:9: Pod p: spec.containers[1].image: "),
        "{problem}"
    );
}

#[test]
fn a_broken_document_spoils_no_other() {
    let good =
        |name: &str| format!("apiVersion: v1\nkind: Pod\nspec:\n  containers: [{{image: '{name}:1'}}]\n");
    let text = format!(
        "{}---\nkind: Pod\n  bad: [\n---\n{}---\na: b: c\n",
        good("a"),
        good("b")
    );
    let (gathered, problems) = scan(&text);
    assert_eq!(
        gathered.iter().map(|(text, _)| text).collect::<Vec<_>>(),
        ["a:1", "b:1"]
    );
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown[0].starts_with("all.yaml:7:6: mapping values are not allowed"),
        "{shown:?}"
    );
    assert!(
        shown[1].starts_with("all.yaml:14:5: mapping values are not allowed"),
        "{shown:?}"
    );
    let (_, problems) = scan("image: {{ .Values.image }}\nx: {{ y }}: z\n");
    assert!(problems[0].message.contains("images chart"), "{problems:?}");
}

#[test]
fn definitions_status_and_annotations_of_kubectl_are_not_asked() {
    let text = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {image: a/b:1}\n---\n\
                apiVersion: v1\nkind: Node\nstatus: {images: [{names: ['a/b:1']}]}\n---\n\
                apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"image\":\"old:1\"}'\n    sidecar.istio.io/proxyImage: docker.io/istio/proxyv2:1\n\
                spec: {containers: [{image: now:1}]}\nstatus: {containerStatuses: [{image: x/y:1}]}\n";
    assert_eq!(images(text), ["docker.io/istio/proxyv2:1", "now:1"]);
}

#[test]
fn config_maps_hold_images_and_manifests() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: local-path-config, namespace: kube-system}\ndata:\n  helperPod.yaml: |\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: helper}\n    spec:\n      containers:\n      - name: h\n        image: rancher/mirrored-library-busybox:1.36.1\n  queueSidecarImage: gcr.io/knative/queue@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  config: |\n    executor:\n      image: argo/exec:1\n  env.properties: |\n    AGENT_IMAGE=x/agent:1\n    this is: not: yaml\n";
    assert_eq!(
        reasons(text),
        [
            "argo/exec:1 | ConfigMap kube-system/local-path-config: data.config: executor.image | all.yaml:16",
            "gcr.io/knative/queue@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | ConfigMap kube-system/local-path-config: data.queueSidecarImage | all.yaml:13",
            "rancher/mirrored-library-busybox:1.36.1 | ConfigMap kube-system/local-path-config: data.helperPod.yaml: Pod helper: spec.containers[0].image | all.yaml:12",
            "x/agent:1 | ConfigMap kube-system/local-path-config: data.env.properties | all.yaml:18",
        ]
    );
    // A secret's value is looked into and never shown.
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {image: a/b:1}\ndata:\n  m: aW1hZ2VzOgogIGltYWdlOiBjL2Q6MQo=\n  SOME_IMAGE: Zm9vOmJhcg==\n  password_image: 'not base64!'\n";
    assert_eq!(images(text), ["a/b:1 ?", "c/d:1 ?", "foo:bar ?"]);
}

#[test]
fn custom_resources_by_knowledge_and_by_shape() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nspec: {image: quay.io/prometheus/prometheus:v3, containers: [{name: x, image: side:1}]}",
            &["quay.io/prometheus/prometheus:v3", "side:1"],
        ),
        (
            "apiVersion: monitoring.coreos.com/v1\nkind: Alertmanager\nspec: {baseImage: quay.io/prometheus/alertmanager, version: v0.27.0}",
            &["quay.io/prometheus/alertmanager:v0.27.0"],
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {template: {spec: {containers: [{image: app}]}}}",
            &["app"],
        ),
        (
            "apiVersion: x.example/v1\nkind: Thing\nspec: {image: quay.io/a/b:1, logo: {image: x.png}, other: {image: word}}",
            &["quay.io/a/b:1 ?"],
        ),
        (
            "apiVersion: x.example/v1\nkind: Thing\nspec:\n  proxy: {repository: quay.io/a/proxy, tag: 1.25}\n  agent: {image: {registry: ghcr.io, repository: a/agent, tag: v1}}",
            &["ghcr.io/a/agent:v1 ?", "quay.io/a/proxy:1.25 ?"],
        ),
        (
            "apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{name: s, image: 'a/step:1', args: [--helper-image=h/i:1]}]}",
            &["a/step:1 ?", "h/i:1 ?"],
        ),
        (
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  chart: traefik\n  valuesContent: |\n    image:\n      repository: rancher/mirrored-library-traefik\n      tag: 2.10.7\n",
            &["rancher/mirrored-library-traefik:2.10.7 ?"],
        ),
        (
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nspec: {image: a/b:1}",
            &[],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(images(text), expected, "{text}");
    }
}

#[test]
fn a_controller_without_the_argument_needs_the_solver_that_is_compiled_in() {
    let controller = |args: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: \"quay.io/jetstack/cert-manager-controller:v0.12.0\"\n    args: [{args}]\n"
        )
    };
    assert_eq!(
        images(&controller("--v=2")),
        [
            "quay.io/jetstack/cert-manager-acmesolver:v0.12.0",
            "quay.io/jetstack/cert-manager-controller:v0.12.0"
        ]
    );
    assert_eq!(
        images(&controller("--acme-http01-solver-image=mirror.example/solver:v9")),
        [
            "mirror.example/solver:v9",
            "quay.io/jetstack/cert-manager-controller:v0.12.0"
        ]
    );
}

#[test]
fn hostile_texts_end_soon() {
    // Aliases of aliases.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        bomb += &format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 10].join(", ")
        );
    }
    let (_, problems) = scan(&bomb);
    assert!(problems[0].message.contains("excessive aliasing"), "{problems:?}");
    // Depth, written and by way of aliases.
    let (_, problems) = scan(&"[".repeat(100_000));
    assert_eq!(problems.len(), 1);
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
    let mut chain = format!("a0: &a0 {}\n", deep("x"));
    for level in 1..400 {
        chain += &format!("a{level}: &a{level} {}\n", deep(&format!("*a{}", level - 1)));
    }
    let (_, problems) = scan(&chain);
    assert!(problems[0].message.contains("nested too deeply"), "{problems:?}");
    // An endless one.
    let (_, problems) = scan("a: &a [*a]\n");
    assert!(problems[0].message.contains("contains itself"), "{problems:?}");
    let mut manifests = Manifests::new("manifests");
    manifests.read("x", &[0x80, 0xFF], Origin::File);
    assert_eq!(manifests.finish().1.len(), 1);
}

#[test]
fn config_maps_in_config_maps_have_an_end() {
    let mut text = "image: a/b:1\nkind: x\n".to_owned();
    for level in 0..20 {
        let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
        text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{level}}}\ndata:\n  x: |\n{indented}"
        );
    }
    assert!(images(&text).is_empty());
}

#[test]
fn twenty_thousand_documents() {
    let mut text = String::new();
    for number in 0..20_000 {
        text += &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}}}\nspec:\n  containers:\n  - {{name: c, image: 'a/b:{}'}}\n---\n",
            number % 50
        );
    }
    let (gathered, problems) = scan(&text);
    assert_eq!(problems, []);
    assert_eq!(gathered.iter().count(), 50);
    assert_eq!(
        gathered.iter().map(|(_, wanted)| wanted.why.len()).sum::<usize>(),
        20_000
    );
}

#[test]
fn providers_of_cluster_api_bring_images_from_elsewhere() {
    let text = "apiVersion: operator.cluster.x-k8s.io/v1alpha2\nkind: BootstrapProvider\nmetadata: {name: boot}\nspec: {version: v0.2.2, deployment: {containers: [{name: manager, image: {repository: org/m, tag: v1}}]}}\n";
    let mut manifests = Manifests::new("file");
    manifests.read("p.yaml", text.as_bytes(), Origin::File);
    let (gathered, problems) = manifests.finish();
    assert_eq!(problems, []);
    assert!(
        gathered.remarks[0].message.contains("(v0.2.2)"),
        "{:?}",
        gathered.remarks
    );
}
