//! A stream that is written down in its middle and taken up elsewhere gives the same digest.

use landfall_hash::{HashError, HashState, digest};
use landfall_oci::Algorithm;

use crate::tools::{bytes, services, soon};

struct Nowhere;

impl landfall_hash::Sink for Nowhere {
    fn write(&mut self, _chunk: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn any_state_can_be_taken_up() {
    let bytes = bytes(3_000_000, 1);
    for (kernel, service) in services(2) {
        for algorithm in Algorithm::ALL {
            for cut in [0, 1, 63, 64, 65, 127, 128, 129, 1000, 2_500_001] {
                let mut first = service.stream(algorithm);
                first.update(bytes.slice(..cut)).await.unwrap();
                let text = soon(first.state()).await.unwrap().to_string();
                // The stream that was asked goes on as if it had not been.
                first.update(bytes.slice(cut..)).await.unwrap();
                let state: HashState = text.parse().unwrap();
                assert_eq!((state.algorithm(), state.len()), (algorithm, cut as u64));
                assert_eq!(state.to_string(), text);
                let mut second = service.resume_into(state, Box::new(Nowhere));
                assert_eq!(second.len(), cut as u64);
                second.update(bytes.slice(cut..)).await.unwrap();
                let wanted = digest(algorithm, &bytes);
                assert_eq!(soon(first.finish()).await.unwrap(), wanted, "{kernel:?}");
                assert_eq!(
                    soon(second.finish()).await.unwrap(),
                    wanted,
                    "{kernel:?}, cut at {cut}"
                );
            }
        }
    }
}

/// However the bytes came, the state is one: what was hashed again can be compared with what was kept.
#[tokio::test]
async fn equal_bytes_give_equal_states() {
    let bytes = bytes(1000, 2);
    for (_, service) in services(1) {
        for algorithm in Algorithm::ALL {
            let mut whole = service.stream(algorithm);
            whole.update(bytes.clone()).await.unwrap();
            let mut crumbs = service.stream(algorithm);
            for piece in bytes.chunks(7) {
                crumbs.update(piece.to_vec().into()).await.unwrap();
            }
            let whole = soon(whole.state()).await.unwrap();
            assert_eq!(whole, soon(crumbs.state()).await.unwrap());
            assert_eq!(whole, whole.to_string().parse().unwrap());
        }
    }
}

#[tokio::test]
async fn a_stream_that_ended_has_no_state() {
    for (_, service) in services(1) {
        let mut stream = service.stream_into(Algorithm::Sha256, Box::new(Broken));
        stream.update("x".into()).await.unwrap();
        assert!(matches!(soon(stream.state()).await, Err(HashError::Sink(_))));
        assert!(matches!(soon(stream.state()).await, Err(HashError::Ended)));
    }
}

struct Broken;

impl landfall_hash::Sink for Broken {
    fn write(&mut self, _chunk: &[u8]) -> std::io::Result<()> {
        Err(std::io::Error::other("no"))
    }
}

#[test]
fn what_is_no_state_is_refused() {
    let good = HashState::new(Algorithm::Sha512).to_string();
    assert!(good.parse::<HashState>().is_ok());
    for bad in [
        "",
        "sha256",
        "md5-0-00-",
        &good.replace("sha512", "sha256"),
        &good.replace("-0-", "-1-"),
        &good.replace("-0-", "-x-"),
        &format!("{good}00"),
        &format!("{good}-"),
        &good[..good.len() - 3],
        &good.replace("6a09", "é09"),
    ] {
        assert!(bad.parse::<HashState>().is_err(), "{bad}");
    }
}
