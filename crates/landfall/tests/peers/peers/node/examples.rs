//! The examples: each file, what can be pulled with it and from whom, what cannot and why.

/// A file and what becomes of it.
pub(super) struct Example {
    /// What it shows.
    pub(super) name: &'static str,
    /// registries.yaml.
    pub(super) yaml: &'static str,
    /// Images, and the registries that are asked for the name, in order.
    pub(super) works: &'static [(&'static str, &'static [&'static str])],
    /// Images that fail, and part of the error in 1.6 and in 2.x.
    pub(super) fails: &'static [(&'static str, [&'static str; 2])],
}

const HUB_MIRROR: &str = "fogjl973.mirror.aliyuncs.com";
const PUBLIC: &str = "public.kingsd.top";
const SELF_SIGNED: &str = "self-signed.kingsd.top";
const UNKNOWN_AUTHORITY: &str = "certificate signed by unknown authority";
const ADDRESS: &str = "10.201.170.187";

pub(super) const LINKED: Example = Example {
    name: "a second name for a registry",
    yaml: r#"
mirrors:
  docker.io:
    endpoint:
      - "https://fogjl973.mirror.aliyuncs.com/"
      - "https://registry-1.docker.io/"
  public.kingsd.top:
    endpoint:
      - "https://public.kingsd.top/"
  public-1.kingsd.top:
    endpoint:
      - "https://public.kingsd.top/"
configs:
  public.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
"#,
    works: &[
        ("public.kingsd.top/demo/nginx:1.27", &[PUBLIC]),
        ("public-1.kingsd.top/demo/nginx:1.27", &[PUBLIC]),
    ],
    fails: &[],
};

pub(super) const MIRROR: Example = Example {
    name: "a mirror",
    yaml: r#"
mirrors:
  docker.io:
    endpoint:
      - "https://fogjl973.mirror.aliyuncs.com/"
      - "https://registry-1.docker.io/"
"#,
    works: &[("docker.io/library/busybox:1.36", &[HUB_MIRROR])],
    fails: &[],
};

pub(super) const TRUSTED: Example = Example {
    name: "a trusted certificate",
    yaml: r#"
mirrors:
  public.kingsd.top:
    endpoint:
      - "https://public.kingsd.top/"
configs:
  public.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
"#,
    works: &[("public.kingsd.top/demo/ubuntu:20.04", &[PUBLIC])],
    fails: &[("self-signed.kingsd.top/demo/nginx:1.27", [UNKNOWN_AUTHORITY; 2])],
};

pub(super) const CA: Example = Example {
    name: "a certificate of one's own, by its authority",
    yaml: r#"
mirrors:
  self-signed.kingsd.top:
    endpoint:
      - "https://self-signed.kingsd.top/"
configs:
  self-signed.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
    tls:
      ca_file: /opt/certs/ca.crt
"#,
    works: &[("self-signed.kingsd.top/demo/ubuntu:22.04", &[SELF_SIGNED])],
    fails: &[],
};

pub(super) const INSECURE: Example = Example {
    name: "a certificate of one's own, not looked at",
    yaml: r#"
mirrors:
  self-signed.kingsd.top:
    endpoint:
      - "https://self-signed.kingsd.top/"
configs:
  self-signed.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
    tls:
      insecure_skip_verify: true
"#,
    works: &[("self-signed.kingsd.top/demo/ubuntu:22.04", &[SELF_SIGNED])],
    fails: &[],
};

pub(super) const PLAIN: Example = Example {
    name: "no TLS",
    yaml: r#"
mirrors:
  10.201.170.187:
    endpoint:
      - "http://10.201.170.187/"
configs:
  10.201.170.187:
    auth:
      username: admin
      password: Harbor12345
"#,
    works: &[("10.201.170.187/demo/ubuntu:24.04", &[ADDRESS])],
    fails: &[],
};

pub(super) const ONE_ADDRESS: Example = Example {
    name: "one address for all registries",
    yaml: r#"
mirrors:
  docker.io:
    endpoint:
      - "https://fogjl973.mirror.aliyuncs.com/"
      - "https://public.kingsd.top/"
      - "https://self-signed.kingsd.top/"
      - "http://10.201.170.187/"
      - "https://registry-1.docker.io/"
configs:
  public.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
  self-signed.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
    tls:
      ca_file: /opt/certs/ca.crt
  10.201.170.187:
    auth:
      username: admin
      password: Harbor12345
"#,
    works: &[
        ("docker.io/demo/nginx:1.27", &[HUB_MIRROR, PUBLIC]),
        ("docker.io/demo/ubuntu:20.04", &[HUB_MIRROR, PUBLIC]),
        ("docker.io/demo/ubuntu:22.04", &[HUB_MIRROR, PUBLIC, SELF_SIGNED]),
        (
            "docker.io/demo/ubuntu:24.04",
            &[HUB_MIRROR, PUBLIC, SELF_SIGNED, ADDRESS],
        ),
        ("docker.io/library/busybox:1.36", &[HUB_MIRROR]),
    ],
    fails: &[(
        "docker.io/demo/ubuntu:26.04",
        ["docker.io/demo/ubuntu:26.04: not found"; 2],
    )],
};

pub(super) const COMPLETE: Example = Example {
    name: "all of it",
    yaml: r#"
mirrors:
  docker.io:
    endpoint:
      - "https://fogjl973.mirror.aliyuncs.com/"
      - "https://registry-1.docker.io/"
  public.kingsd.top:
    endpoint:
      - "https://public.kingsd.top/"
  self-signed.kingsd.top:
    endpoint:
      - "https://self-signed.kingsd.top/"
  10.201.170.187:
    endpoint:
      - "http://10.201.170.187/"
configs:
  public.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
  self-signed.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
    tls:
      ca_file: /opt/certs/ca.crt
  10.201.170.187:
    auth:
      username: admin
      password: Harbor12345
"#,
    works: &[
        ("docker.io/library/busybox:1.36", &[HUB_MIRROR]),
        ("public.kingsd.top/demo/nginx:1.27", &[PUBLIC]),
        ("self-signed.kingsd.top/demo/nginx:1.27", &[SELF_SIGNED]),
        ("10.201.170.187/demo/nginx:1.27", &[ADDRESS]),
    ],
    fails: &[],
};

pub(super) const REWRITE: &str = r#"
mirrors:
  docker.io:
    endpoint:
      - "https://public.kingsd.top/"
    rewrite:
      "^rancher/(.*)": "demo/$1"
configs:
  public.kingsd.top:
    auth:
      username: admin
      password: Harbor12345
"#;

pub(super) const WILDCARD: Example = Example {
    name: "a mirror for all but one, which has no credentials",
    yaml: r#"
mirrors:
  10.201.170.187:
    endpoint:
      - "http://10.201.170.187/"
  "*":
    endpoint:
      - "https://public.kingsd.top/"
configs:
  "public.kingsd.top":
    auth:
      username: admin
      password: Harbor12345
"#,
    works: &[
        ("quay.io/demo/nginx:1.27", &[PUBLIC]),
        ("docker.io/demo/ubuntu:20.04", &[PUBLIC]),
        ("public.kingsd.top/demo/nginx:1.27", &[PUBLIC]),
    ],
    fails: &[(
        "10.201.170.187/demo/nginx:1.27",
        [
            "failed with status code [manifests 1.27]: 401 Unauthorized",
            "no basic auth credentials",
        ],
    )],
};

pub(super) const TEMPLATE: &str = "
mirrors:
  <REGISTRY>:
    endpoint:
      - https://<REGISTRY>/v2
configs:
  <REGISTRY>:
    auth:
      username: <BASIC AUTH USERNAME>
      password: <BASIC AUTH PASSWORD>
      token: <BEARER TOKEN>
    tls:
      ca_file: <PATH TO SERVER CA>
      cert_file: <PATH TO CLIENT CERT>
      key_file: <PATH TO CLIENT KEY>
      insecure_skip_verify: <SKIP TLS CERT VERIFICATION BOOLEAN>
";
