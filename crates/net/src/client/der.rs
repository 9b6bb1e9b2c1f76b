//! Just enough DER to read the validity of a certificate (RFC 5280, 4.1), for certificates that are trusted by
//! themselves instead of by a chain, whose dates the chain builder therefore never sees. The server reads the names
//! of its clients' certificates with the same few lines.

use std::time::Duration;

use rustls_pki_types::UnixTime;

/// The two ends of a certificate's validity. `None` when the bytes are not a certificate.
pub(crate) fn validity(certificate: &[u8]) -> Option<(UnixTime, UnixTime)> {
    let (_, dates, _) = element(after_issuer(certificate)?)?;
    let (kind, not_before, rest) = element(dates)?;
    let start = time(kind, not_before)?;
    let (kind, not_after, _) = element(rest)?;
    Some((start, time(kind, not_after)?))
}

/// The fields of a certificate from its validity on: what is said about its subject.
pub(crate) fn after_issuer(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if element(fields)?.0 == 0xa0 {
        fields = element(fields)?.2; // version
    }
    for _ in ["serialNumber", "signature", "issuer"] {
        fields = element(fields)?.2;
    }
    Some(fields)
}

/// Tag, content, and what follows.
pub(crate) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (
            digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)),
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `UTCTime` (`YYMMDDHHMMSSZ`) or `GeneralizedTime` (`YYYYMMDDHHMMSSZ`).
fn time(kind: u8, text: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, rest) = match (kind, text.len()) {
        (0x17, 12) => match number(0..2)? {
            year @ 0..50 => (2000 + year, 2),
            year => (1900 + year, 2),
        },
        (0x18, 14) => (number(0..4)?, 4),
        _ => return None,
    };
    let part = |index: usize| number(rest + 2 * index..rest + 2 * index + 2);
    let days = days_since_epoch(year, part(0)?, part(1)?);
    let seconds = ((days * 24 + part(2)?) * 60 + part(3)?) * 60 + part(4)?;
    // Before 1970 everything is long over or long begun: the epoch says the same.
    Some(UnixTime::since_unix_epoch(Duration::from_secs(
        u64::try_from(seconds).unwrap_or(0),
    )))
}

/// Days from 1970-01-01 in the Gregorian calendar, years counted from March so that the leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month_from_march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2052, 2, 29);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap();
        let (start, end) = validity(der.der()).unwrap();
        assert_eq!(start.as_secs(), 946_598_400);
        assert_eq!(end.as_secs(), 2_592_777_600);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let _ = validity(&bytes);
        }
    }
}
