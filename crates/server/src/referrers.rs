//! Referrers: what is about a manifest (signatures, SBOMs), as an index made for the occasion.

use http::{StatusCode, header};
use landfall_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, MediaType, Repository};
use landfall_store::Page;
use serde_json::json;

use crate::listing::{limit, next_link};
use crate::registry::{Call, Registry};
use crate::reply::{Builder, Failure, OCI_FILTERS, Reply};

/// Descriptors asked of the store at a time.
const MAX_PAGE: usize = 1000;
/// An index is a manifest, and clients read no larger one; some room for its frame.
const MAX_BYTES: usize = MAX_MANIFEST_BYTES - 1024;

impl Registry {
    /// Always 200: a repository or a subject that is not here has no referrers.
    pub(crate) async fn list_referrers(
        &self,
        call: &Call<'_>,
        name: &Repository,
        subject: &Digest,
    ) -> Result<Reply, Failure> {
        let limit = limit(call)?.min(MAX_PAGE);
        let artifact_type = call.query.get("artifactType").filter(|text| !text.is_empty());
        let page = Page {
            after: call.query.get("last"),
            limit,
        };
        let mut found = None;
        let (candidates, source) = self.sources(call, name)?;
        for candidate in candidates {
            let referrers = self
                .all_referrers(&candidate.repository, subject, artifact_type, page)
                .await?;
            if !referrers.items.is_empty() || referrers.next.is_some() {
                found = Some((candidate, referrers));
                break;
            }
        }
        if let Some((source, gateway)) = source.zip(self.gateway.as_ref()).filter(|_| found.is_none()) {
            found = self
                .referrers_from(call, subject, artifact_type, (page, (gateway, &source)))
                .await;
        }
        let mut manifests = Vec::new();
        let mut builder = Builder::new(StatusCode::OK);
        if let Some((candidate, referrers)) = found {
            let asked = referrers.items.len();
            manifests = fitting(referrers.items);
            builder = call.from(&candidate, StatusCode::OK);
            let cut = manifests.last().filter(|_| manifests.len() < asked);
            if let Some(last) = cut.map(|last| last.digest.to_string()).or(referrers.next) {
                let path = format!("/v2/{name}/referrers/{subject}");
                let filter = artifact_type.map(|text| ("artifactType", text));
                let link = next_link(&path, limit, &last, filter.as_slice());
                builder = builder.header(header::LINK, link);
            }
        }
        if artifact_type.is_some() {
            builder = builder.header(OCI_FILTERS, "artifactType");
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": manifests,
        });
        Ok(builder.json(&index, MediaType::OCI_INDEX.as_str()))
    }
}

/// As many as fit into one index; the first always does.
fn fitting(descriptors: Vec<Descriptor>) -> Vec<Descriptor> {
    let mut bytes = 0;
    let fits = |descriptor: &Descriptor| {
        bytes += serde_json::to_vec(descriptor).map_or(0, |json| json.len() + 1);
        bytes <= MAX_BYTES
    };
    let count = descriptors.iter().map(fits).take_while(|fits| *fits).count();
    descriptors.into_iter().take(count.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_no_larger_than_a_manifest() {
        let one = || {
            let mut descriptor = Descriptor::new(MediaType::OCI_MANIFEST, Digest::Sha256([1; 32]), 1);
            descriptor.annotations.insert("a".into(), "x".repeat(1_500_000));
            descriptor
        };
        assert_eq!(fitting(vec![one(), one(), one(), one()]).len(), 2);
        let mut huge = one();
        huge.annotations.insert("b".into(), "x".repeat(5_000_000));
        assert_eq!(fitting(vec![huge, one()]).len(), 1);
        assert!(fitting(Vec::new()).is_empty());
    }
}
