//! Referrers: always an index, in pages, of one type where asked; also of what is spread over layers.

use landfall_hash::digest;
use landfall_oci::Algorithm;
use serde_json::json;

use super::data::Data;
use super::steps::{push, referrers};
use super::{ALGORITHMS, INDEX, REPO, Stand, manifest_path, pages, stands};

const KIND: &str = "application/x.page+json";

#[tokio::test]
async fn of_nothing() {
    for stand in stands().await.into_iter().chain([Stand::bundle(Data::default())]) {
        for algorithm in ALGORITHMS {
            let subject = digest(algorithm, b"nothing");
            for name in [REPO, "no/such/repository"] {
                let found = stand.get(&format!("/v2/{name}/referrers/{subject}")).await;
                found.expect(200);
                assert_eq!(found.header("content-type"), INDEX);
                let empty = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
                assert_eq!(found.json(), empty);
            }
        }
        for wrong in ["sha256:bad", "latest", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
            let bad = stand.get(&format!("/v2/{REPO}/referrers/{wrong}")).await;
            bad.expect_error(400, "DIGEST_INVALID");
        }
    }
}

fn five() -> Data {
    let mut data = Data::default();
    let image = data.image(20, 0, json!({}));
    data.tag("image", &image);
    for n in 0..5 {
        let more = json!({"subject": image.descriptor(), "artifactType": KIND, "n": n});
        let referrer = data.image(21 + n, 0, more);
        data.refers(&image.digest, &referrer);
    }
    data
}

#[tokio::test]
async fn in_pages() {
    let data = five();
    let mut all = stands().await;
    for stand in &all {
        push(stand, &data).await;
    }
    all.push(Stand::bundle(data.clone()));
    all.push(Stand::over(Default::default(), data.clone()).await);
    for stand in all {
        let path = format!("/v2/{REPO}/referrers/{}", data.manifests[0].digest);
        let mut sizes = Vec::new();
        let mut seen = Vec::new();
        for page in pages(
            &stand,
            format!("{path}?n=2&artifactType=application/x.page%2Bjson"),
        )
        .await
        {
            assert_eq!(page.header("oci-filters-applied"), "artifactType");
            let manifests = page.json()["manifests"].as_array().unwrap().clone();
            sizes.push(manifests.len());
            seen.extend(manifests);
        }
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(json!(seen), stand.get(&path).await.json()["manifests"]);
        let none = stand.get(&format!("{path}?n=0")).await;
        assert_eq!(
            (none.json()["manifests"].clone(), none.header("link")),
            (json!([]), "")
        );
        let wrong = stand.get(&format!("{path}?n=x")).await;
        wrong.expect_error(400, "PAGINATION_NUMBER_INVALID");
    }
}

/// A signature made here of an image that came in a bundle, beside those that came with it.
#[tokio::test]
async fn of_a_subject_below() {
    let mut data = five();
    let stand = Stand::over(Default::default(), data.clone()).await;
    let subject = data.manifests[0].clone();
    let mut above = Data::default();
    let signature = above.artifact(40, KIND, json!({"subject": subject.descriptor()}));
    push(&stand, &above).await;
    data.refers(&subject.digest, &signature);
    referrers(&stand, &data).await;
    stand.delete(&manifest_path(signature.digest)).await.expect(202);
    data.referrers.pop();
    referrers(&stand, &data).await;
}

/// The referrer comes first, its subject after it, or never.
#[tokio::test]
async fn before_their_subject() {
    for stand in stands().await {
        let mut data = five();
        data.manifests.reverse();
        data.tags.clear();
        push(&stand, &data).await;
        referrers(&stand, &data).await;
        // The subject goes; what is about it stays and can still be found.
        let subject = data.manifests.last().unwrap().digest;
        stand.delete(&manifest_path(subject)).await.expect(202);
        referrers(&stand, &data).await;
    }
}

/// Each repository has its own.
#[tokio::test]
async fn of_one_repository_only() {
    for stand in stands().await {
        let data = five();
        push(&stand, &data).await;
        let subject = digest(Algorithm::Sha256, &data.manifests[0].bytes);
        let elsewhere = stand
            .get(&format!("/v2/{}/referrers/{subject}", super::REPO2))
            .await;
        assert_eq!(elsewhere.json()["manifests"], json!([]));
    }
}
