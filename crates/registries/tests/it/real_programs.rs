//! What the real programs made of odd files: yaml.v2 with wharfie's types, K3s' own functions and templates, wharfie's
//! puller. The table was printed by them (wharfie v0.7.1, go-containerregistry v0.20.2, yaml.v2 v2.4.0, K3s at
//! 06ea261c); 80 000 files of the same kind were compared when it was made.

use std::collections::BTreeMap;

use landfall_diag::{SourceId, Spanned};
use landfall_oci::{Reference, Secret};
use landfall_registries::k3s::{Options, Program, Rendering};
use landfall_registries::registries_yaml::{self, RegistriesYaml};
use landfall_registries::{Auth, Presented, wharfie};
use serde_json::{Value, json};

use crate::vectors_containerd::same;

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../golden/registries_yaml.json")).expect("a table")
}

fn text<T>(field: &Option<Spanned<T>>, show: impl Fn(&T) -> String) -> String {
    field
        .as_ref()
        .map_or_else(String::new, |field| show(&field.value))
}

fn auth(auth: &Auth) -> Value {
    let secret = |field: &Option<Spanned<Secret>>| text(field, |secret| secret.expose().to_owned());
    json!({
        "username": text(&auth.username, Clone::clone),
        "password": secret(&auth.password),
        "auth": secret(&auth.auth),
        "identitytoken": secret(&auth.identity_token),
    })
}

/// The file as Go writes wharfie's types as JSON, but for empty maps and lists, which may be null there.
fn decoded(file: &RegistriesYaml) -> Value {
    let mirrors = file.mirrors.iter().map(|mirror| {
        let endpoints: Vec<&str> = mirror
            .endpoints
            .iter()
            .map(|endpoint| endpoint.value.as_str())
            .collect();
        let rules = mirror.rewrites.iter();
        let rules: BTreeMap<_, _> = rules
            .map(|rule| (rule.pattern.value.clone(), rule.replacement.value.clone()))
            .collect();
        (
            mirror.key.value.clone(),
            json!({"endpoint": endpoints, "rewrite": rules}),
        )
    });
    let configs = file.configs.iter().map(|config| {
        let tls = config.tls.as_ref().map(|tls| {
            json!({
                "ca_file": text(&tls.ca_file, Clone::clone),
                "cert_file": text(&tls.cert_file, Clone::clone),
                "key_file": text(&tls.key_file, Clone::clone),
                "insecure_skip_verify": tls.insecure_skip_verify.as_ref().is_some_and(|skip| skip.value),
            })
        });
        let auth = config.auth.as_ref().map(|section| auth(&section.value));
        (config.key.value.clone(), json!({"auth": auth, "tls": tls}))
    });
    let auths = file
        .auths
        .iter()
        .map(|entry| (entry.key.value.clone(), auth(&entry.auth.value)));
    json!({
        "mirrors": mirrors.collect::<BTreeMap<_, _>>(),
        "configs": configs.collect::<BTreeMap<_, _>>(),
        "auths": auths.collect::<BTreeMap<_, _>>(),
    })
}

fn without_nulls(value: &Value) -> Value {
    let Value::Object(fields) = value else {
        return value.clone();
    };
    let field = |(key, value): (&String, &Value)| {
        let value = match (key.as_str(), value) {
            ("mirrors" | "configs" | "auths" | "rewrite", Value::Null) => json!({}),
            ("endpoint", Value::Null) => json!([]),
            _ => without_nulls(value),
        };
        (key.clone(), value)
    };
    Value::Object(fields.iter().map(field).collect())
}

fn rendered(case: &Value, file: &RegistriesYaml) -> Result<(), String> {
    let mut options = Options::new(Program::K3s);
    options.disable_default_endpoint = case["no_default"] == true;
    options.embedded_registry = case["embedded"]
        .as_str()
        .filter(|at| !at.is_empty())
        .map(str::to_owned);
    let rendering = Rendering::new(file, &options);
    let hosts = rendering.hosts.iter();
    let hosts: BTreeMap<_, _> = hosts
        .map(|file| (file.path.clone(), file.rendered.text.clone()))
        .collect();
    same("hosts.toml", &json!(hosts), &case["go"]["Hosts"])?;
    same(
        "config.toml",
        &json!(rendering.config_toml.text),
        &case["go"]["Config"],
    )?;
    let mut log: Vec<&str> = rendering.warnings.iter().map(|line| line.text.as_str()).collect();
    let lines = case["go"]["Log"].as_array().into_iter().flatten();
    let mut expected: Vec<&str> = lines.filter_map(Value::as_str).collect();
    log.sort_unstable();
    expected.sort_unstable();
    same("log", &log, &expected)
}

fn asked(case: &Value, file: &RegistriesYaml) -> Result<(), String> {
    let image =
        Reference::parse(case["image"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    let told = wharfie::explain(file, &image);
    let found = told
        .attempts
        .iter()
        .filter(|attempt| attempt.error.is_none())
        .map(|attempt| {
            let mut shown = json!({"URL": attempt.url, "Scope": attempt.token_scope});
            shown["Scheme"] = json!(if attempt.plain_http { "http" } else { "https" });
            if attempt.tls.skip_verify {
                shown["Skip"] = json!(true);
            }
            if !attempt.tls.ca.is_empty() {
                shown["CA"] = json!("ca");
            }
            match &attempt.presented {
                Presented::Anonymous => {}
                Presented::Basic { username, password } => {
                    shown["Auth"] = json!(format!("{username}:{}", password.expose()));
                }
                Presented::IdentityToken(token) => shown["Auth"] = json!(format!("token {}", token.expose())),
                Presented::Broken(_) => shown["Auth"] = json!("broken"),
            }
            shown
        });
    let found = found.collect::<Vec<_>>();
    let attempts = case["go"]["Wharfie"].as_array().into_iter().flatten();
    let expected: Vec<Value> = attempts
        .filter(|attempt| attempt["Scheme"] == "http" || attempt["Scheme"] == "https")
        .cloned()
        .collect();
    same("wharfie", &found, &expected)
}

fn compared(case: &Value) -> Result<(), String> {
    let read = registries_yaml::read(SourceId(0), case["yaml"].as_str().unwrap_or_default());
    let fatal = read
        .registries
        .as_ref()
        .err()
        .map(|error| json!(error.message))
        .unwrap_or_default();
    same("fatal", &fatal, &case["go"]["Fatal"])?;
    let Ok(file) = read.registries else {
        return Ok(());
    };
    same("decoded", &decoded(&file), &without_nulls(&case["go"]["Decoded"]))?;
    rendered(case, &file)?;
    asked(case, &file)
}

#[test]
fn odd_files_come_to_what_the_real_programs_make_of_them() {
    let failures: Vec<String> = cases()
        .iter()
        .filter_map(|case| {
            compared(case)
                .err()
                .map(|error| format!("## {}\n{error}", case["yaml"]))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
