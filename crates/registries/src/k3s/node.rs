//! A node of K3s or RKE2: the containerd that reads what was rendered, explained in places of registries.yaml.

use std::collections::BTreeMap;

use landfall_diag::{SourceId, Span, Spanned};
use landfall_oci::Reference;

use super::options::Options;
use super::rendering::Rendering;
use super::text::Rendered;
use super::version::Generation;
use crate::Attempt;
use crate::containerd::{
    Containerd, Credential, Explanation, FileState, Flavour, Legacy, LogLine, Mirror, Setup,
};
use crate::hosts::{CertsD, HostDir, NOWHERE, toml};
use crate::registries_yaml::{RegistriesYaml, YamlTls};

/// Rendered files are sources of their own, numbered from here, far from those of the caller.
const FIRST: u32 = 1 << 31;

/// What lies on the node already.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What is known of certificate files.
    pub files: BTreeMap<String, FileState>,
    /// Directories of certs.d that K3s did not write.
    pub directories: BTreeMap<String, HostDir>,
}

/// A node, ready to explain.
#[derive(Debug)]
pub struct Node {
    options: Options,
    rendering: Rendering,
    containerd: Containerd,
    refusal: Option<LogLine>,
    /// The TLS sections of the file, so that a certificate's line leads to its section.
    tls: Vec<Span>,
}

impl Node {
    /// A node with nothing else on it.
    #[must_use]
    pub fn new(file: &RegistriesYaml, options: Options) -> Self {
        Self::within(file, options, Surroundings::default())
    }

    /// A node on which there is something already.
    #[must_use]
    pub fn within(file: &RegistriesYaml, options: Options, surroundings: Surroundings) -> Self {
        let rendering = Rendering::new(file, &options);
        let refusal = refusal(&rendering, &options);
        let setup = setup(file, &options, &rendering, surroundings);
        let tls = file.configs.iter().filter_map(|config| config.tls.as_ref());
        Self {
            tls: tls.map(|section| section.span).collect(),
            containerd: Containerd::new(setup),
            options,
            rendering,
            refusal,
        }
    }

    /// With what it was started.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What was written, and what was logged while doing so.
    #[must_use]
    pub fn rendering(&self) -> &Rendering {
        &self.rendering
    }

    /// The containerd; its places are in rendered files, which [`Self::place`] leads back.
    #[must_use]
    pub fn containerd(&self) -> &Containerd {
        &self.containerd
    }

    /// The credentials that went to config.toml.
    #[must_use]
    pub fn credentials(&self) -> &[Credential] {
        &self.containerd.setup().credentials
    }

    /// Why nothing runs on this node: the agent or its containerd does not start.
    #[must_use]
    pub fn refusal(&self) -> Option<&LogLine> {
        self.refusal.as_ref()
    }

    /// What is behind a source of this node's own: a rendered hosts.toml and its path.
    #[must_use]
    pub fn rendered(&self, source: SourceId) -> Option<(&str, &Rendered)> {
        let index = source.0.checked_sub(FIRST).filter(|_| source != NOWHERE.source)?;
        let file = self.rendering.hosts.get(index as usize)?;
        Some((&file.path, &file.rendered))
    }

    /// The place in registries.yaml behind one of a rendered file. `None` for what no line asked for.
    #[must_use]
    pub fn place(&self, span: Span) -> Option<Span> {
        let place = match self.rendered(span.source) {
            Some((_, rendered)) => rendered.origin(span.range())?,
            None => span,
        };
        Some(place).filter(|place| place.source != NOWHERE.source)
    }

    /// Tells every host that would be asked for an image, in places of registries.yaml.
    #[must_use]
    pub fn explain(&self, image: &Reference) -> Explanation {
        let mut told = self.containerd.explain(image);
        for attempt in &mut told.attempts {
            self.lead_back(attempt);
        }
        for alternative in &mut told.alternatives {
            self.lead_back(&mut alternative.attempt);
        }
        for skipped in &mut told.skipped {
            skipped.span = skipped.span.and_then(|span| self.place(span));
        }
        for line in told.log.iter_mut().chain(&mut told.pull_error) {
            line.span = line.span.and_then(|span| self.place(span));
        }
        if let Some(refusal) = &self.refusal {
            told.attempts.clear();
            told.alternatives.clear();
            told.pull_error = Some(refusal.clone());
        }
        told
    }

    fn lead_back(&self, attempt: &mut Attempt) {
        let because = &mut attempt.because;
        for span in [
            &mut because.endpoint,
            &mut because.rewrite,
            &mut because.credential,
        ] {
            *span = span.and_then(|span| self.place(span));
        }
        because.tls = because
            .tls
            .and_then(|span| self.place(span))
            .map(|place| self.tls_section(place));
    }

    fn tls_section(&self, place: Span) -> Span {
        let holds = |section: &&Span| {
            section.source == place.source && section.start <= place.start && place.end <= section.end
        };
        self.tls.iter().find(holds).copied().unwrap_or(place)
    }
}

fn setup(
    file: &RegistriesYaml,
    options: &Options,
    rendering: &Rendering,
    surroundings: Surroundings,
) -> Setup {
    let behaviours = options.behaviours;
    let mut setup = Setup::new(Flavour::K3s);
    setup.behaviour = behaviours.containerd.behaviour();
    setup.docker_io_alias = behaviours.docker_io_alias;
    setup.original_scope = behaviours.original_scope;
    setup.windows = options.windows;
    setup.files = surroundings.files;
    setup.credentials = credentials(file);
    if behaviours.generation == Generation::ConfigToml {
        setup.legacy = legacy(file);
        return setup;
    }
    let mut root = CertsD::new(options.certs_d());
    if behaviours.keeps_foreign {
        root.dirs = surroundings.directories;
    }
    for (index, hosts) in rendering.hosts.iter().enumerate() {
        if let Some(directory) = &hosts.directory {
            // Whatever else was in a directory of this name is removed before.
            root.dirs.remove(directory);
            let source = SourceId(FIRST.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)));
            root.put(directory, source, &hosts.rendered.text);
        }
    }
    setup.roots.push(root);
    setup
}

fn credentials(file: &RegistriesYaml) -> Vec<Credential> {
    let credential = |config: &crate::registries_yaml::ConfigEntry| {
        let auth = config.auth.as_ref()?;
        Some(Credential {
            key: config.key.clone(),
            auth: auth.value.clone(),
            span: auth.span,
        })
    };
    file.configs.iter().filter_map(credential).collect()
}

fn legacy(file: &RegistriesYaml) -> Legacy {
    let mirrors = file.mirrors.iter().map(|mirror| Mirror {
        name: mirror.key.clone(),
        span: mirror.span,
        endpoints: mirror.endpoints.clone(),
        rewrites: mirror.rewrites.clone(),
    });
    let tls = file.configs.iter().filter_map(|config| {
        let tls: &Spanned<YamlTls> = config.tls.as_ref()?;
        Some((config.key.clone(), tls.clone()))
    });
    Legacy {
        mirrors: mirrors.collect(),
        tls: tls.collect(),
    }
}

/// A config.toml that containerd cannot read keeps it from starting; all values but rewrites, paths and keys are
/// written with Go's quotes, which TOML understands in most cases only.
fn refusal(rendering: &Rendering, options: &Options) -> Option<LogLine> {
    if let Some(error) = &rendering.error {
        return Some(LogLine {
            text: error.clone(),
            span: None,
        });
    }
    let rendered = &rendering.config_toml;
    let dialect = options.behaviours.containerd.behaviour().dialect(true);
    let error = toml::parse_as(SourceId(FIRST), &rendered.text, dialect.go_toml).error?;
    Some(LogLine {
        text: format!(
            "containerd: failed to load TOML: {}: {error}",
            options.config_toml()
        ),
        span: rendered
            .origin(error.span.range())
            .filter(|place| place.source != NOWHERE.source),
    })
}
