//! What several families of rules need: the program's name, every endpoint made whole, entries by key.

use std::collections::HashMap;

use landfall_diag::{Diagnostic, Span, Spanned};

use super::Input;
use crate::go::url::UrlError;
use crate::k3s::{Generation, Normalized, Options, Program, normalize};
use crate::registries_yaml::{ConfigEntry, MirrorEntry, RegistriesYaml};

/// Docker Hub's host.
pub(super) const HUB: &str = "registry-1.docker.io";

/// One endpoint of a mirror.
pub(super) struct Given<'a> {
    pub(super) mirror: &'a MirrorEntry,
    pub(super) index: usize,
    pub(super) text: &'a Spanned<String>,
    pub(super) whole: Result<Normalized, UrlError>,
}

/// A file that can be read, and what it comes to.
pub(super) struct Context<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) file: &'a RegistriesYaml,
    pub(super) endpoints: Vec<Given<'a>>,
    configs: HashMap<&'a str, &'a ConfigEntry>,
    mirrors: HashMap<&'a str, &'a MirrorEntry>,
}

impl<'a> Context<'a> {
    pub(super) fn new(input: &'a Input<'a>, file: &'a RegistriesYaml) -> Self {
        let mut endpoints = Vec::new();
        for mirror in &file.mirrors {
            for (index, text) in mirror.endpoints.iter().enumerate() {
                endpoints.push(Given {
                    mirror,
                    index,
                    text,
                    whole: normalize(&text.value, mirror_address(input.options)),
                });
            }
        }
        let configs = file.configs.iter();
        let mirrors = file.mirrors.iter();
        Self {
            input,
            file,
            endpoints,
            configs: configs.map(|entry| (entry.key.value.as_str(), entry)).collect(),
            mirrors: mirrors.map(|entry| (entry.key.value.as_str(), entry)).collect(),
        }
    }

    pub(super) fn text(&self) -> &'a str {
        self.input.text
    }

    pub(super) fn options(&self) -> &'a Options {
        self.input.options
    }

    /// `K3s` or `RKE2`.
    pub(super) fn program(&self) -> &'static str {
        program(self.options())
    }

    /// Whether rewrites and mirrors go to config.toml, as they did until January 2024.
    pub(super) fn is_legacy(&self) -> bool {
        self.options().behaviours.generation == Generation::ConfigToml
    }

    pub(super) fn config(&self, key: &str) -> Option<&'a ConfigEntry> {
        self.configs.get(key).copied()
    }

    pub(super) fn mirror(&self, key: &str) -> Option<&'a MirrorEntry> {
        self.mirrors.get(key).copied()
    }

    /// The entry of `configs` that counts for an endpoint of this name.
    pub(super) fn config_for(&self, name: &str) -> Option<&'a ConfigEntry> {
        let hub = || {
            Some(HUB)
                .filter(|_| name == "docker.io")
                .and_then(|key| self.config(key))
        };
        hub().or_else(|| self.config(name))
    }

    /// What an address comes to.
    pub(super) fn whole(&self, address: &str) -> Option<Normalized> {
        normalize(address, mirror_address(self.options())).ok()
    }

    /// The URL of a registry itself; `None` for the wildcard.
    pub(super) fn own_url(&self, key: &str) -> Option<String> {
        let whole = self.whole(key).filter(|_| key != "*")?;
        Some(whole.url.to_string())
    }

    /// Whether K3s writes the registry itself behind its mirrors.
    pub(super) fn has_default(&self, mirror: &MirrorEntry) -> bool {
        !self.options().disable_default_endpoint || self.config(&mirror.key.value).is_some()
    }
}

impl Given<'_> {
    /// Whether it is the mirror's last.
    pub(super) fn is_last(&self) -> bool {
        self.index + 1 == self.mirror.endpoints.len()
    }

    /// The places of all endpoints of its mirror.
    pub(super) fn siblings(&self) -> Vec<Span> {
        self.mirror
            .endpoints
            .iter()
            .map(|endpoint| endpoint.span)
            .collect()
    }
}

fn mirror_address(options: &Options) -> &str {
    options.embedded_registry.as_deref().unwrap_or(":")
}

/// Whether one of the rules was found broken within a place.
pub(super) fn told(found: &[Diagnostic], codes: &[&str], place: Span) -> bool {
    let within =
        |span: Span| span.source == place.source && place.start <= span.start && span.end <= place.end;
    found
        .iter()
        .any(|one| codes.contains(&one.code) && one.primary.as_ref().is_some_and(|label| within(label.span)))
}

pub(super) fn program(options: &Options) -> &'static str {
    match options.program {
        Program::K3s => "K3s",
        Program::Rke2 => "RKE2",
    }
}
