//! Docker's `config.json` and podman's `auth.json`, decoded as Go's programs do (spec/kube.md §2.2).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use landfall_oci::{DOCKER_HUB, Registry, Repository};
use serde_json::{Map, Value};

use crate::{Credential, Secret};

/// The name under which docker files Docker Hub's credential.
pub(crate) const HUB_KEY: &str = "https://index.docker.io/v1/";
const HUB_NAMES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];

/// One decoded file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DockerConfig {
    /// By `host[:port][/path]`, lower case; with the key as it was written.
    auths: BTreeMap<String, (String, Credential)>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

impl DockerConfig {
    /// Decodes a file. The error says what is wrong, with no content but names.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("not JSON at line {}, column {}", error.line(), error.column()))?;
        let root = object(&value, "the file")?;
        let mut config = Self {
            store: string(root, "credsStore")?.filter(|name| !name.is_empty()),
            ..Self::default()
        };
        if let Some(helpers) = field(root, "credHelpers") {
            let helpers = object(helpers, "`credHelpers`")?;
            for server in helpers.keys() {
                let name = string(helpers, server)?.unwrap_or_default();
                config.helpers.insert(normalise(server), name);
            }
        }
        if let Some(auths) = field(root, "auths") {
            for (key, entry) in object(auths, "`auths`")? {
                let credential =
                    decode_entry(entry).map_err(|reason| format!("auths[\"{key}\"]: {reason}"))?;
                let name = normalise(key);
                // `reg` and `https://reg` may both be there: the plain one is newer.
                if *key == name || !config.auths.contains_key(&name) {
                    config.auths.insert(name, (key.clone(), credential));
                }
            }
        }
        Ok(config)
    }

    /// The helper that keeps a registry's credential, and the key that says so.
    pub(crate) fn helper(&self, registry: &Registry) -> Option<(&str, String)> {
        for name in server_names(registry) {
            if let Some(helper) = self.helpers.get(&name) {
                // An empty name switches the store off for this registry.
                return (!helper.is_empty()).then(|| (helper.as_str(), format!("credHelpers[\"{name}\"]")));
            }
        }
        self.store
            .as_deref()
            .map(|store| (store, "credsStore".to_owned()))
    }

    /// The credential for a repository, the longest path first, and the key that it stands under.
    pub(crate) fn entry(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Option<(&str, &Credential)> {
        let mut path = repository.map(Repository::as_str).unwrap_or_default();
        loop {
            for host in server_names(registry) {
                let name = if path.is_empty() {
                    host
                } else {
                    format!("{host}/{path}")
                };
                if let Some((key, credential)) = self.auths.get(&name) {
                    return Some((key, credential));
                }
            }
            if path.is_empty() {
                return None;
            }
            path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
}

/// The names under which a registry may be filed, as they come out of [`normalise`].
fn server_names(registry: &Registry) -> Vec<String> {
    match registry.is_docker_hub() {
        true => HUB_NAMES.map(str::to_owned).into(),
        false => vec![registry.as_str().to_ascii_lowercase()],
    }
}

/// `https://Reg:5000/v2/` → `reg:5000`; `reg/project` stays. A URL's path says nothing about repositories.
fn normalise(key: &str) -> String {
    let without_scheme = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let (host, path) = match without_scheme {
        Some(url) => (url.split('/').next().unwrap_or_default(), ""),
        None => key.split_once('/').unwrap_or((key, "")),
    };
    let host = host.to_ascii_lowercase();
    match path.trim_end_matches('/') {
        "" | "v1" | "v2" => host,
        path => format!("{host}/{path}"),
    }
}

/// A field by its name in any case, as Go finds it; `null` counts as absent.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = object.get(name);
    let found = exact.or_else(|| {
        let mut others = object.iter();
        others
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    });
    found.filter(|value| !value.is_null())
}

fn string(object: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match field(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{name}` is not a string")),
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("{what} is not an object"))
}

fn decode_entry(entry: &Value) -> Result<Credential, String> {
    if entry.is_null() {
        return Ok(Credential::Anonymous);
    }
    let entry = object(entry, "the entry")?;
    let text = |name| Ok::<_, String>(string(entry, name)?.unwrap_or_default());
    let (mut username, mut password) = (text("username")?, text("password")?);
    let auth = text("auth")?;
    if !auth.is_empty() {
        (username, password) = decode_auth(&auth)?;
    }
    let (identity, registry) = (text("identitytoken")?, text("registrytoken")?);
    Ok(if !registry.is_empty() {
        Credential::RegistryToken {
            token: registry.into(),
        }
    } else if !identity.is_empty() {
        Credential::IdentityToken {
            token: identity.into(),
        }
    } else if username.is_empty() && password.is_empty() {
        Credential::Anonymous
    } else {
        basic(username, password)
    })
}

fn basic(username: String, password: String) -> Credential {
    Credential::Basic {
        username,
        password: Secret::from(password),
    }
}

/// base64 of `user:password`: padded standard alphabet when it ends in `=`, else unpadded; line breaks are skipped.
fn decode_auth(auth: &str) -> Result<(String, String), String> {
    let compact: String = auth.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let padded = auth.trim().ends_with('=');
    let engine = if padded { &STANDARD } else { &STANDARD_NO_PAD };
    let decoded = engine
        .decode(&compact)
        .map_err(|_| "`auth` is not base64".to_owned())?;
    let text = String::from_utf8(decoded).map_err(|_| "`auth` does not hold text".to_owned())?;
    let (username, password) = text
        .split_once(':')
        .ok_or_else(|| "`auth` holds no `user:password`".to_owned())?;
    // Old docker versions padded the password with NUL.
    Ok((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(config: &DockerConfig, registry: &str, repository: &str) -> Option<String> {
        let repository = repository.parse().unwrap();
        match config.entry(&registry.parse().unwrap(), Some(&repository))?.1 {
            Credential::Basic { username, .. } => Some(username.clone()),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn the_longest_path_wins() {
        let config = DockerConfig::parse(
            br#"{"auths":{
                "reg:5000":{"username":"host","password":"p"},
                "reg:5000/team":{"username":"team","password":"p"},
                "reg:5000/team/app":{"username":"app","password":"p"},
                "https://Other.example/v1/":{"username":"other","password":"p"}
            }}"#,
        )
        .unwrap();
        assert_eq!(user(&config, "reg:5000", "team/app/x").as_deref(), Some("app"));
        assert_eq!(user(&config, "reg:5000", "team/apple").as_deref(), Some("team"));
        assert_eq!(user(&config, "reg:5000", "x").as_deref(), Some("host"));
        assert_eq!(user(&config, "other.example", "x").as_deref(), Some("other"));
        assert_eq!(user(&config, "reg:5001", "x"), None);
    }

    #[test]
    fn docker_hub_has_many_names() {
        for key in [
            HUB_KEY,
            "docker.io",
            "index.docker.io",
            "https://registry-1.docker.io",
        ] {
            let json = format!(r#"{{"auths":{{"{key}":{{"username":"hub","password":"p"}}}}}}"#);
            let config = DockerConfig::parse(json.as_bytes()).unwrap();
            assert_eq!(
                user(&config, "docker.io", "library/nginx").as_deref(),
                Some("hub"),
                "{key}"
            );
        }
    }

    #[test]
    fn entries_are_decoded_as_go_does() {
        let decode = |json: &str| decode_entry(&serde_json::from_str(json).unwrap());
        let is = |json: &str, user: &str, word: &str| {
            assert_eq!(decode(json), Ok(basic(user.into(), word.into())), "{json}");
        };
        is(r#"{"auth":"dXNlcjpwYTpzcw=="}"#, "user", "pa:ss");
        is(r#"{"auth":"dXNlcjpwYTpzcw"}"#, "user", "pa:ss");
        is(
            r#"{"AUTH":"dXNl\r\ncjpwYTpzcw==","username":"x"}"#,
            "user",
            "pa:ss",
        );
        is(r#"{"auth":"OnNlY3JldA=="}"#, "", "secret");
        is(
            r#"{"Username":"u","password":"p","email":"e","more":1}"#,
            "u",
            "p",
        );
        assert_eq!(decode("{}"), Ok(Credential::Anonymous));
        assert!(matches!(
            decode(r#"{"auth":"dTo=","identitytoken":"t"}"#),
            Ok(Credential::IdentityToken { .. })
        ));
        assert!(matches!(
            decode(r#"{"registrytoken":"t"}"#),
            Ok(Credential::RegistryToken { .. })
        ));
        for bad in [
            r#"{"auth":"dXNlcg=="}"#,
            r#"{"auth":"dXNlcjpwYTpzcw="}"#,
            r#"{"auth":"_-__"}"#,
            r#"{"auth":"dXNl cjpw"}"#,
            r#"{"auth":7}"#,
            "[]",
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn helpers_come_before_the_store_and_can_be_switched_off() {
        let config = DockerConfig::parse(
            br#"{"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud","quiet.example":""}}"#,
        )
        .unwrap();
        let helper = |registry: &str| {
            config
                .helper(&registry.parse().unwrap())
                .map(|(name, _)| name.to_owned())
        };
        assert_eq!(helper("gcr.io").as_deref(), Some("gcloud"));
        assert_eq!(helper("docker.io").as_deref(), Some("desktop"));
        assert_eq!(helper("quiet.example"), None);
    }

    #[test]
    fn a_broken_file_is_described_without_its_content() {
        for bad in [
            r#"{"auths":{"reg":{"auth":"aHVudGVyMg=="}}}"#,
            r#"{"auths":{"reg":{"password":["hunter2"]}}}"#,
            r#"{"auths":{"reg":{"password":"hunter2"}"#,
            r#"{"auths":"hunter2"}"#,
        ] {
            let reason = DockerConfig::parse(bad.as_bytes()).unwrap_err();
            assert!(
                !reason.contains("hunter2") && !reason.contains("aHVud"),
                "{reason}"
            );
        }
        assert_eq!(DockerConfig::parse(b" \n"), Ok(DockerConfig::default()));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(auth in "[A-Za-z0-9+/=\r\n ]{0,40}", key in "[a-zA-Z:/.0-9]{0,30}") {
            let entry = serde_json::json!({ "auths": { key: { "auth": auth } } });
            let _ = DockerConfig::parse(entry.to_string().as_bytes());
        }
    }
}
