//! Manifests: what is believed, what is not, and how each refusal is told.

use http::Method;
use landfall_client::{ClientError, Kind, Missing};
use landfall_oci::{MAX_MANIFEST_BYTES, MediaType, RawManifest, Target};

use crate::fake::{Reply, chunked, cut, reply};
use crate::{Case, PASSWORD, log_in, sha256};

fn image() -> String {
    let zero = format!("sha256:{}", "0".repeat(64));
    format!(
        r#"{{"schemaVersion":2,  "config":{{"mediaType":"x/y","digest":"{zero}","size":2}},"layers":[]}}"#
    )
}

fn served(body: &str, extra: &[(&str, &str)]) -> Reply {
    let mut headers = vec![("content-type", MediaType::OCI_MANIFEST.as_str().to_owned())];
    headers.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    reply(200, &headers, body.to_owned())
}

async fn get(case: &Case, target: &str) -> Result<RawManifest, ClientError> {
    let target: Target = target.parse().unwrap();
    case.client
        .manifest(&case.registry, &case.repository, &target)
        .await
}

#[tokio::test]
async fn bytes_are_kept_and_their_digest_is_computed() {
    let digest = sha256(image().as_bytes()).to_string();
    let stated = digest.clone();
    let case = Case::new(move |_| served(&image(), &[("docker-content-digest", &stated)])).await;
    for target in ["v1", &digest] {
        let manifest = get(&case, target).await.unwrap();
        assert_eq!(manifest.bytes, image());
        assert_eq!(manifest.digest.to_string(), digest);
        assert_eq!(manifest.media_type, MediaType::OCI_MANIFEST);
    }
    let seen = case.server.seen();
    assert_eq!(seen[0].path(), "/v2/team/app/manifests/v1");
    assert_eq!(seen[1].path(), format!("/v2/team/app/manifests/{digest}"));
    assert!(
        MediaType::MANIFESTS
            .iter()
            .all(|kind| seen[0].header("accept").unwrap().contains(kind.as_str()))
    );
}

#[tokio::test]
async fn other_bytes_than_asked_for() {
    let case = Case::new(|_| served(&image(), &[])).await;
    let error = get(&case, &format!("sha256:{}", "1".repeat(64)))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::DigestMismatch { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Corrupt);
}

#[tokio::test]
async fn a_registry_that_contradicts_itself() {
    let wrong = format!("sha256:{}", "2".repeat(64));
    for header in [wrong, "sha256:short".to_owned()] {
        let stated = header.clone();
        let case = Case::new(move |_| served(&image(), &[("docker-content-digest", &stated)])).await;
        let error = get(&case, "v1").await.unwrap_err();
        assert!(matches!(error, ClientError::DigestHeader { .. }));
        let text = error.to_string();
        assert!(
            text.contains(&header) && text.contains(&sha256(image().as_bytes()).to_string()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn too_large_with_and_without_a_stated_length() {
    let case = Case::new(|seen| {
        let body = vec![b' '; MAX_MANIFEST_BYTES + 1];
        match seen.path().ends_with("/stated") {
            true => reply(200, &[], body),
            false => chunked(200, &[], body),
        }
    })
    .await;
    for tag in ["stated", "unstated"] {
        let error = get(&case, tag).await.unwrap_err();
        assert!(matches!(error, ClientError::ManifestTooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn schema_1_and_nonsense() {
    let case = Case::new(|seen| match seen.path().ends_with("/old") {
        true => {
            let kind = "application/vnd.docker.distribution.manifest.v1+prettyjws";
            reply(200, &[("content-type", kind)], r#"{"schemaVersion":1}"#)
        }
        false => reply(200, &[("content-type", "text/html")], "<html>"),
    })
    .await;
    assert!(
        get(&case, "old")
            .await
            .unwrap_err()
            .to_string()
            .contains("schema 1")
    );
    assert!(matches!(
        get(&case, "x").await.unwrap_err(),
        ClientError::Manifest { .. }
    ));
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let case = Case::new(|seen| match seen.path().rsplit('/').next().unwrap() {
        "tag" => reply(
            404,
            &[],
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
        ),
        "name" => reply(404, &[], r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
        _ => reply(404, &[], "<html>no</html>"),
    })
    .await;
    for (tag, expected) in [
        ("tag", Missing::Manifest),
        ("name", Missing::Repository),
        ("html", Missing::Manifest),
    ] {
        match get(&case, tag).await.unwrap_err() {
            ClientError::NotFound { missing, what, .. } => {
                assert_eq!(missing, expected);
                assert_eq!(what, format!("{}/team/app:{tag}", case.registry));
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn refusals_name_the_credential_and_never_show_it() {
    let case = Case::with(log_in, |seen| {
        match (
            seen.path().rsplit('/').next().unwrap(),
            seen.header("authorization"),
        ) {
            (_, None) => reply(401, &[("www-authenticate", "Basic realm=x")], ""),
            ("denied", _) => reply(
                403,
                &[],
                r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#,
            ),
            _ => reply(
                401,
                &[("www-authenticate", "Basic realm=x")],
                r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#,
            ),
        }
    })
    .await;
    let unauthorized = get(&case, "x").await.unwrap_err();
    let denied = get(&case, "denied").await.unwrap_err();
    assert_eq!(
        (unauthorized.kind(), denied.kind()),
        (Kind::Unauthorized, Kind::Denied)
    );
    for error in [unauthorized, denied] {
        let text = format!("{error} {error:?}");
        assert!(text.contains("--username"), "{text}");
        assert!(
            !text.contains(PASSWORD) && !text.contains("dXNlcjpodW50ZXIy"),
            "{text}"
        );
    }
    assert_eq!(
        case.server.count(|seen| seen.header("authorization").is_some()),
        2
    );
}

#[tokio::test]
async fn a_busy_registry() {
    let case = Case::new(|seen| match seen.path().rsplit('/').next().unwrap() {
        "limited" => reply(
            429,
            &[("retry-after", "100000")],
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"later"}]}"#,
        ),
        _ => reply(503, &[], ""),
    })
    .await;
    let limited = get(&case, "limited").await.unwrap_err();
    assert!(
        matches!(&limited, ClientError::RateLimited { retry_after: Some(after), attempts: 1, .. } if after.as_secs() == 100_000)
    );
    assert!(limited.to_string().contains("100000 s"), "{limited}");
    let unavailable = get(&case, "down").await.unwrap_err();
    assert!(
        matches!(
            unavailable,
            ClientError::Unavailable {
                status: 503,
                attempts: 3,
                ..
            }
        ),
        "{unavailable}"
    );
}

#[tokio::test]
async fn a_manifest_that_is_cut_is_fetched_again() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let case = Case::new(
        move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => cut(200, &[], image().split_off(20), Some(image().len())),
            1 => cut(200, &[], "x", None),
            _ => served(&image(), &[]),
        },
    )
    .await;
    assert_eq!(get(&case, "v1").await.unwrap().bytes, image());
}

#[tokio::test]
async fn head_with_all_facts_with_few_and_with_none() {
    let digest = sha256(image().as_bytes());
    let case = Case::new(move |seen| {
        let tag = seen.path().rsplit('/').next().unwrap().to_owned();
        let digest = digest.to_string();
        match (seen.method, tag.as_str()) {
            (_, "absent") => reply(404, &[], ""),
            (Method::HEAD, "no-head") => reply(405, &[], ""),
            (Method::HEAD, "no-digest") => served(&image(), &[]),
            (Method::HEAD, "html") => reply(
                200,
                &[("content-type", "text/html"), ("docker-content-digest", &digest)],
                "x",
            ),
            _ => served(&image(), &[("docker-content-digest", &digest)]),
        }
    })
    .await;
    let head = async |tag: &str| {
        let target: Target = tag.parse().unwrap();
        case.client
            .head_manifest(&case.registry, &case.repository, &target)
            .await
            .unwrap()
    };
    assert_eq!(head("absent").await, None);
    for tag in ["full", "no-head", "no-digest", "html"] {
        let found = head(tag).await.unwrap();
        assert_eq!(
            (found.digest, found.size),
            (digest, image().len() as u64),
            "{tag}"
        );
        assert_eq!(found.media_type, MediaType::OCI_MANIFEST);
    }
    assert_eq!(case.server.count(|seen| seen.path().ends_with("/full")), 1);
    assert_eq!(case.server.count(|seen| seen.method == Method::GET), 3);
}

#[tokio::test]
async fn pushing() {
    let manifest = RawManifest::new(
        Some(&MediaType::OCI_MANIFEST),
        sha256(image().as_bytes()),
        image().into(),
    )
    .unwrap();
    let digest = manifest.digest.to_string();
    let case = Case::new(move |seen| match seen.path().rsplit('/').next().unwrap() {
        "incomplete" => reply(
            400,
            &[],
            r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown","detail":{"Digest":"sha256:77"}}]}"#,
        ),
        "changed" => reply(201, &[("docker-content-digest", &format!("sha256:{}", "3".repeat(64)))], ""),
        _ => reply(201, &[("docker-content-digest", &digest)], ""),
    })
    .await;
    let put = async |target: &str| {
        let target: Target = target.parse().unwrap();
        case.client
            .push_manifest(&case.registry, &case.repository, &target, &manifest)
            .await
    };
    put("v1").await.unwrap();
    put(&manifest.digest.to_string()).await.unwrap();
    let seen = &case.server.seen()[0];
    assert_eq!(seen.body, image());
    assert_eq!(
        seen.header("content-type"),
        Some(MediaType::OCI_MANIFEST.as_str())
    );
    let error = put("incomplete").await.unwrap_err().to_string();
    assert!(
        error.contains("MANIFEST_BLOB_UNKNOWN") && error.contains("sha256:77"),
        "{error}"
    );
    assert!(matches!(
        put("changed").await,
        Err(ClientError::DigestHeader { .. })
    ));
    let other = put(&format!("sha256:{}", "4".repeat(64))).await.unwrap_err();
    assert!(matches!(other, ClientError::Impossible { .. }));
}
