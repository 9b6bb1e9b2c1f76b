//! What product the target is: by its host, or, where that says nothing, by asking it.

use http::Method;
use landfall_auth::is_ecr;
use landfall_client::Client;
use landfall_oci::Registry;
use serde::Deserialize;

/// A product whose demands are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// docker.io.
    DockerHub,
    /// Amazon ECR.
    Ecr,
    /// public.ecr.aws.
    EcrPublic,
    /// Azure.
    Acr,
    /// Google's Artifact Registry.
    Gar,
    /// Google's older registry, and Artifact Registry under its names.
    Gcr,
    /// quay.io.
    Quay,
    /// registry.gitlab.com.
    GitLab,
    /// ghcr.io.
    Ghcr,
    /// Harbor, version 2.
    Harbor,
    /// Any other.
    Other,
}

impl Kind {
    /// By the host's name alone; [`Self::Other`] may still be Harbor.
    #[must_use]
    pub fn by_host(registry: &Registry) -> Self {
        if registry.is_docker_hub() {
            return Self::DockerHub;
        }
        let host = registry.host().to_ascii_lowercase();
        match host.as_str() {
            "public.ecr.aws" => Self::EcrPublic,
            "quay.io" => Self::Quay,
            "registry.gitlab.com" => Self::GitLab,
            "ghcr.io" => Self::Ghcr,
            "gcr.io" | "us.gcr.io" | "eu.gcr.io" | "asia.gcr.io" => Self::Gcr,
            _ if is_ecr(registry) => Self::Ecr,
            host if host.ends_with("-docker.pkg.dev") => Self::Gar,
            host if [".azurecr.io", ".azurecr.cn", ".azurecr.us"]
                .iter()
                .any(|end| host.ends_with(end)) =>
            {
                Self::Acr
            }
            _ => Self::Other,
        }
    }

    /// By the host, and where that says nothing, by two small questions. No answer is one, too: this is never a failure.
    pub(crate) async fn find(client: &Client, registry: &Registry) -> Self {
        match Self::by_host(registry) {
            Self::Other if is_harbor(client, registry).await => Self::Harbor,
            kind => kind,
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DockerHub => "Docker Hub",
            Self::Ecr => "Amazon ECR",
            Self::EcrPublic => "the public Amazon ECR",
            Self::Acr => "Azure Container Registry",
            Self::Gar => "Google Artifact Registry",
            Self::Gcr => "gcr.io",
            Self::Quay => "quay.io",
            Self::GitLab => "GitLab",
            Self::Ghcr => "ghcr.io",
            Self::Harbor => "Harbor",
            Self::Other => "the registry",
        }
    }
}

/// Harbor's API is at the host's root, wherever its repositories are.
async fn is_harbor(client: &Client, registry: &Registry) -> bool {
    let get = async |path| {
        let answer = client
            .ask_host(registry, Method::GET, path, "", None, false)
            .await;
        answer.ok().filter(|answer| answer.status.is_success())
    };
    let ping = get("/api/v2.0/ping").await;
    if ping.is_some_and(|answer| answer.body.trim_ascii().eq_ignore_ascii_case(b"pong")) {
        return true;
    }
    /// What Harbor says of itself to everybody.
    #[derive(Deserialize)]
    struct SystemInfo {
        harbor_version: Option<String>,
        auth_mode: Option<String>,
    }
    let info = get("/api/v2.0/systeminfo").await;
    let info = info.and_then(|answer| serde_json::from_slice::<SystemInfo>(&answer.body).ok());
    info.is_some_and(|info| info.harbor_version.is_some() || info.auth_mode.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, kind) in [
            ("docker.io", Kind::DockerHub),
            ("index.docker.io", Kind::DockerHub),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Kind::Ecr),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Kind::Ecr),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Kind::Ecr),
            ("123456789012.dkr-ecr.us-east-1.on.aws", Kind::Ecr),
            ("1234.dkr.ecr.eu-west-1.amazonaws.com", Kind::Other),
            ("public.ecr.aws", Kind::EcrPublic),
            ("europe-west1-docker.pkg.dev", Kind::Gar),
            ("eu.gcr.io", Kind::Gcr),
            ("team.azurecr.io", Kind::Acr),
            ("QUAY.io", Kind::Quay),
            ("quay.io:443", Kind::Quay),
            ("quay.example", Kind::Other),
            ("ghcr.io", Kind::Ghcr),
            ("registry.gitlab.com", Kind::GitLab),
            ("harbor.example", Kind::Other),
        ] {
            assert_eq!(Kind::by_host(&host.parse().unwrap()), kind, "{host}");
        }
    }
}
