//! The requests for an image's manifest, host by host.

use landfall_oci::Reference;

use super::credentials;
use super::endpoint::{Endpoint, endpoints};
use super::image::Image;
use super::rewrite::{Rewritten, Rules};
use crate::containerd::{Alternative, LogLine};
use crate::registries_yaml::RegistriesYaml;
use crate::{Attempt, Because, Presented, TlsUse};

/// What wharfie will do for an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The image, whole, under Docker Hub's name here.
    pub image: String,
    /// The first request for the manifest to each host, in order. Before it `/v2/` of the same host is asked.
    pub attempts: Vec<Attempt>,
    /// Requests that may stand in an attempt's place: any of several rules that match is applied.
    pub alternatives: Vec<Alternative>,
    /// What is logged.
    pub log: Vec<LogLine>,
    /// Why no request is sent at all.
    pub error: Option<String>,
}

/// A puller with its file, for many images: patterns are compiled once.
pub struct Wharfie<'a> {
    file: &'a RegistriesYaml,
    rules: Rules,
}

impl<'a> Wharfie<'a> {
    /// Reads a file.
    #[must_use]
    pub fn new(file: &'a RegistriesYaml) -> Self {
        Self {
            file,
            rules: Rules::new(file),
        }
    }

    /// Tells every host that would be asked for the image.
    #[must_use]
    pub fn explain(&self, reference: &Reference) -> Explanation {
        let mut told = Explanation::default();
        told.error = self.tell(reference, &mut told).err();
        told
    }

    fn tell(&self, reference: &Reference, told: &mut Explanation) -> Result<(), String> {
        let image = Image::new(reference)?;
        told.image = image.text();
        for endpoint in endpoints(self.file, &image.registry, &mut told.log)? {
            let mut log = Vec::new();
            let mut results = match endpoint.is_default(&image.registry) {
                true => Vec::new(),
                false => self.rules.results(&image, &mut log),
            }
            .into_iter();
            let instead_of = told.attempts.len();
            told.attempts
                .push(attempt(self.file, &endpoint, &image, results.next(), &mut log));
            for other in results {
                let attempt = attempt(self.file, &endpoint, &image, Some(other), &mut Vec::new());
                told.alternatives.push(Alternative { instead_of, attempt });
            }
            told.log.extend(log);
        }
        Ok(())
    }
}

/// Tells every host that would be asked for one image.
#[must_use]
pub fn explain(file: &RegistriesYaml, reference: &Reference) -> Explanation {
    Wharfie::new(file).explain(reference)
}

fn attempt(
    file: &RegistriesYaml,
    endpoint: &Endpoint,
    image: &Image,
    rewritten: Option<Rewritten>,
    log: &mut Vec<LogLine>,
) -> Attempt {
    let (repository, rewrite) = match rewritten {
        Some(new) => (new.repository, Some(new.span)),
        None => (image.repository.clone(), None),
    };
    let rest = format!("/{repository}/manifests/{}", image.target);
    let url = endpoint.request(&image.registry, &rest);
    let config = credentials::config(file, &url.host);
    let (presented, credential) = credentials::present(config);
    let (tls, tls_span) = match credentials::tls(config).as_ref() {
        _ if url.scheme != "https" => (TlsUse::default(), None),
        Ok((tls, span)) => (tls.clone(), *span),
        Err(error) => {
            let asked = endpoint.request(&image.registry, "/");
            log.push(LogLine {
                text: format!("Failed to get TLS config for endpoint {asked}: {error}"),
                span: config
                    .and_then(|config| config.tls.as_ref())
                    .map(|section| section.span),
            });
            (TlsUse::default(), None)
        }
    };
    let error = (!matches!(url.scheme.as_str(), "http" | "https"))
        .then(|| format!("unsupported protocol scheme \"{}\"", url.scheme));
    let sent = error.is_none();
    Attempt {
        url: url.to_string(),
        host: url.host.clone(),
        plain_http: url.scheme == "http",
        http_fallback: false,
        tls,
        presented: if sent { presented } else { Presented::Anonymous },
        token_scope: match sent {
            true => format!("repository:{repository}:pull"),
            false => String::new(),
        },
        error,
        because: Because {
            endpoint: endpoint.span,
            rewrite,
            credential: credential.filter(|_| sent),
            tls: tls_span,
        },
        repository,
    }
}
