//! From the tree to the fields, as wharfie's types are filled (`pkg/registries/types.go`).
//!
//! A field that comes twice is set twice: a map or a section is added to, a list is replaced, null clears.

use landfall_diag::Spanned;
use landfall_diag::yaml::{Decoded, Decoder, Node, YamlError};
use landfall_oci::Secret;

use super::model::{AuthEntry, ConfigEntry, MirrorEntry, RegistriesYaml, YamlTls};
use crate::{Auth, Rewrite};

type Done = Result<(), YamlError>;

/// Fills the whole file.
pub(super) fn registries(decoder: &mut Decoder, root: &Node) -> Result<RegistriesYaml, YamlError> {
    let mut all = RegistriesYaml::default();
    decoder.mapping(
        root,
        "registries.Registry",
        &mut |decoder, key, value| match key.value.as_str() {
            "mirrors" => mirrors(decoder, value, &mut all.mirrors),
            "configs" => configs(decoder, value, &mut all.configs),
            "auths" => auths(decoder, value, &mut all.auths),
            _ => Ok(()),
        },
    )?;
    Ok(all)
}

fn mirrors(decoder: &mut Decoder, node: &Node, all: &mut Vec<MirrorEntry>) -> Done {
    const TYPE: &str = "map[string]registries.Mirror";
    let done = decoder.mapping(node, TYPE, &mut |decoder, key, value| {
        let span = key.span.to(value.span);
        let mut entry = MirrorEntry {
            key,
            span,
            endpoints: Vec::new(),
            rewrites: Vec::new(),
        };
        if mirror(decoder, value, &mut entry)? != Decoded::Refused {
            all.retain(|other| other.key != entry.key);
            all.push(entry);
        }
        Ok(())
    })?;
    cleared(&done, || all.clear());
    Ok(())
}

fn mirror(decoder: &mut Decoder, node: &Node, entry: &mut MirrorEntry) -> Result<Decoded<()>, YamlError> {
    decoder.mapping(node, "registries.Mirror", &mut |decoder, key, value| {
        match key.value.as_str() {
            "endpoint" => match decoder.strings(value)? {
                Decoded::Value(endpoints) => entry.endpoints = endpoints,
                Decoded::Null => entry.endpoints.clear(),
                Decoded::Refused => {}
            },
            "rewrite" => rewrites(decoder, value, &mut entry.rewrites)?,
            _ => {}
        }
        Ok(())
    })
}

fn rewrites(decoder: &mut Decoder, node: &Node, all: &mut Vec<Rewrite>) -> Done {
    let done = decoder.mapping(node, "map[string]string", &mut |decoder, pattern, value| {
        let text = match decoder.string(value)? {
            Decoded::Value(text) => text,
            Decoded::Null => String::new(),
            Decoded::Refused => return Ok(()),
        };
        all.retain(|other| other.pattern != pattern);
        all.push(Rewrite {
            pattern,
            replacement: Spanned::new(text, value.span),
        });
        Ok(())
    })?;
    cleared(&done, || all.clear());
    Ok(())
}

fn configs(decoder: &mut Decoder, node: &Node, all: &mut Vec<ConfigEntry>) -> Done {
    const TYPE: &str = "map[string]registries.RegistryConfig";
    let done = decoder.mapping(node, TYPE, &mut |decoder, key, value| {
        let span = key.span.to(value.span);
        let mut entry = ConfigEntry {
            key,
            span,
            auth: None,
            tls: None,
        };
        if config(decoder, value, &mut entry)? != Decoded::Refused {
            all.retain(|other| other.key != entry.key);
            all.push(entry);
        }
        Ok(())
    })?;
    cleared(&done, || all.clear());
    Ok(())
}

fn config(decoder: &mut Decoder, node: &Node, entry: &mut ConfigEntry) -> Result<Decoded<()>, YamlError> {
    const TYPE: &str = "registries.RegistryConfig";
    decoder.mapping(node, TYPE, &mut |decoder, key, value| {
        let span = key.span.to(value.span);
        // Only a mapping adds to a section that is there; `NULL` makes an empty one.
        let adds = value.pairs().is_some();
        match key.value.as_str() {
            "auth" => {
                let mut section = entry
                    .auth
                    .take()
                    .filter(|_| adds)
                    .unwrap_or_else(|| Spanned::new(Auth::default(), span));
                section.span = span;
                let done = auth(decoder, value, "*registries.AuthConfig", &mut section.value)?;
                entry.auth = Some(section).filter(|_| done != Decoded::Null);
            }
            "tls" => {
                let mut section = entry
                    .tls
                    .take()
                    .filter(|_| adds)
                    .unwrap_or_else(|| Spanned::new(YamlTls::default(), span));
                section.span = span;
                let done = tls(decoder, value, &mut section.value)?;
                entry.tls = Some(section).filter(|_| done != Decoded::Null);
            }
            _ => {}
        }
        Ok(())
    })
}

fn auth(
    decoder: &mut Decoder,
    node: &Node,
    type_name: &str,
    all: &mut Auth,
) -> Result<Decoded<()>, YamlError> {
    decoder.mapping(
        node,
        type_name,
        &mut |decoder, key, value| match key.value.as_str() {
            "username" => text(decoder, value, &mut all.username, |text| text),
            "password" => text(decoder, value, &mut all.password, Secret::from),
            "auth" => text(decoder, value, &mut all.auth, Secret::from),
            "identity_token" => text(decoder, value, &mut all.identity_token, Secret::from),
            _ => Ok(()),
        },
    )
}

fn tls(decoder: &mut Decoder, node: &Node, all: &mut YamlTls) -> Result<Decoded<()>, YamlError> {
    decoder.mapping(
        node,
        "*registries.TLSConfig",
        &mut |decoder, key, value| match key.value.as_str() {
            "ca_file" => text(decoder, value, &mut all.ca_file, |text| text),
            "cert_file" => text(decoder, value, &mut all.cert_file, |text| text),
            "key_file" => text(decoder, value, &mut all.key_file, |text| text),
            "insecure_skip_verify" => {
                match decoder.boolean(value)? {
                    Decoded::Value(flag) => {
                        all.insecure_skip_verify = Some(Spanned::new(flag, value.span));
                    }
                    Decoded::Null => all.insecure_skip_verify = None,
                    Decoded::Refused => {}
                }
                Ok(())
            }
            _ => Ok(()),
        },
    )
}

fn auths(decoder: &mut Decoder, node: &Node, all: &mut Vec<AuthEntry>) -> Done {
    const TYPE: &str = "map[string]registries.AuthConfig";
    let done = decoder.mapping(node, TYPE, &mut |decoder, key, value| {
        let span = key.span.to(value.span);
        let mut section = Auth::default();
        if auth(decoder, value, "registries.AuthConfig", &mut section)? != Decoded::Refused {
            all.retain(|other| other.key != key);
            all.push(AuthEntry {
                key,
                auth: Spanned::new(section, span),
            });
        }
        Ok(())
    })?;
    cleared(&done, || all.clear());
    Ok(())
}

fn text<T>(
    decoder: &mut Decoder,
    node: &Node,
    field: &mut Option<Spanned<T>>,
    make: impl FnOnce(String) -> T,
) -> Done {
    match decoder.string(node)? {
        Decoded::Value(text) => *field = Some(Spanned::new(make(text), node.span)),
        Decoded::Null => *field = None,
        Decoded::Refused => {}
    }
    Ok(())
}

fn cleared(done: &Decoded<()>, clear: impl FnOnce()) {
    if *done == Decoded::Null {
        clear();
    }
}
