//! The parsers, given anything.

use landfall_oci::{Digest, Repository, Target};
use landfall_server::{PathError, Route, WantedRange, parse_chunk_range, parse_range};
use proptest::prelude::*;

/// Names that hold the words of the API more often than chance would have it.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "blobs",
        "uploads",
        "manifests",
        "tags",
        "list",
        "referrers",
        "v2",
        "[a-z0-9]{1,8}"
    ];
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"))
}

proptest! {
    #[test]
    fn any_path_is_an_endpoint_or_an_error(path in "(/v2)?(/[ -~]{0,12}){0,6}") {
        match Route::parse(&path) {
            Ok(_) | Err(_) => {}
        }
    }

    #[test]
    fn an_endpoint_is_found_whatever_the_name(name in name(), bits in any::<[u8; 32]>(), tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}") {
        let repository: Repository = name.parse().unwrap();
        let digest = Digest::Sha256(bits);
        let of = |rest: String| Route::parse(&format!("/v2/{name}/{rest}")).unwrap();
        prop_assert_eq!(of(format!("blobs/{digest}")), Route::Blob(repository.clone(), digest));
        prop_assert_eq!(of(format!("referrers/{digest}")), Route::Referrers(repository.clone(), digest));
        let target = Target::Tag(tag.parse().unwrap());
        prop_assert_eq!(of(format!("manifests/{tag}")), Route::Manifest(repository.clone(), target));
        prop_assert_eq!(of("tags/list".to_owned()), Route::Tags(repository.clone()));
        prop_assert_eq!(of("blobs/uploads/".to_owned()), Route::Uploads(repository));
    }

    #[test]
    fn upper_case_is_never_a_name(name in "[a-z]{0,5}[A-Z][a-z]{0,5}") {
        let path = format!("/v2/{name}/tags/list");
        prop_assert_eq!(Route::parse(&path), Err(PathError::Name(name)));
    }

    #[test]
    fn a_part_lies_within_the_whole(header in "bytes=[0-9]{0,21}-[0-9]{0,21}", len in any::<u64>()) {
        if let WantedRange::Part(range) = parse_range(Some(&header), len) {
            prop_assert!(range.start < range.end && range.end <= len);
        }
    }

    #[test]
    fn a_range_is_what_it_says(start in 0_u64..5000, more in 0_u64..5000, len in 1_u64..6000) {
        let last = start + more;
        let expected = match start < len {
            true => WantedRange::Part(start..len.min(last + 1)),
            false => WantedRange::Unsatisfiable,
        };
        prop_assert_eq!(parse_range(Some(&format!("bytes={start}-{last}")), len), expected);
        let chunk = parse_chunk_range(&format!("{start}-{last}")).unwrap();
        prop_assert_eq!((chunk.start, chunk.len), (start, more + 1));
    }

    #[test]
    fn any_text_may_stand_in_a_range_header(header in "[ -~]{0,40}") {
        let _ = parse_range(Some(&header), 100);
        let _ = parse_chunk_range(&header);
    }
}
