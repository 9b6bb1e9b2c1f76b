//! Parsers under any input: they never panic, and what they accept means the same when it is read again.

use landfall_oci::{Digest, PlatformSet, Reference, Target, tar};
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_a_reference_shows_reads_as_the_same(text in "[a-zA-Z0-9._:/@\\[\\]-]{0,80}") {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
            // The familiar form of 64 hex digits is the one name that Docker itself cannot read back.
            if let Ok(familiar) = Reference::parse(&reference.familiar()) {
                prop_assert_eq!(&familiar, &reference);
            }
        }
    }

    #[test]
    fn likely_references_are_read(host in "[a-z]{1,8}\\.[a-z]{2,3}(:[0-9]{1,5})?", path in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?){0,3}", tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}") {
        let text = format!("{host}/{path}:{tag}");
        let reference = Reference::parse(&text).unwrap();
        prop_assert_eq!(reference.registry().as_str(), host.as_str());
        prop_assert_eq!(reference.tag().map(ToString::to_string), Some(tag));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 512)) {
        let _ = Reference::parse(&text);
        let _ = text.parse::<Digest>();
        let _ = text.parse::<Target>();
        let _ = text.parse::<PlatformSet>();
        let _ = tar::decode_pax(&bytes);
        let block: [u8; 512] = bytes.try_into().unwrap();
        let _ = tar::decode(&block);
    }

    #[test]
    fn headers_round_trip(name in "[a-z/]{1,180}", size in any::<u64>()) {
        let encoded = tar::encode(&name, size);
        prop_assert_eq!(encoded.len() as u64, tar::encoded_len(&name));
        let last: [u8; 512] = encoded[encoded.len() - 512..].try_into().unwrap();
        prop_assert_eq!(tar::decode(&last).unwrap().unwrap().size, size);
    }
}
