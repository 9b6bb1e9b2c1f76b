//! Moments as people write them: `2026-08-01`, `2026-08-01T12:00:05Z`, `3d` (ago).

use landfall_store::Age;

/// Milliseconds since 1970 of a moment; `now` is what `3d` is reckoned from. Times are UTC.
pub(crate) fn parse(text: &str, now_unix_ms: u64) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a time such as 2026-08-01, 2026-08-01T12:00 or 3d (three days ago)");
    if let Ok(Age(age)) = text.parse() {
        let age = u64::try_from(age.as_millis()).map_err(|_| wrong())?;
        return Ok(now_unix_ms.saturating_sub(age));
    }
    let (date, time) = text
        .trim_end_matches('Z')
        .split_once(['T', ' '])
        .unwrap_or((text, "00:00"));
    let day = day(date).ok_or_else(wrong)?;
    let second = second(time).ok_or_else(wrong)?;
    Ok((day * 86_400 + second) * 1000)
}

/// The numbers of a text such as `2026-08-01`, each of as many digits as it must have.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(separator);
    for (number, wanted) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == wanted && part.bytes().all(|b| b.is_ascii_digit());
        *number = plain.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1970-01-01.
fn day(date: &str) -> Option<u64> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let months = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let before = usize::try_from(month).ok()?.checked_sub(1)?;
    let longest = *months.get(before)?;
    if year < 1970 || !(1..=longest).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    Some(years + months[..before].iter().sum::<u64>() + day - 1)
}

/// Seconds since midnight.
fn second(time: &str) -> Option<u64> {
    let [hour, minute, second] = match numbers(time, ':', [2, 2, 2]) {
        Some(all) => all,
        None => numbers(time, ':', [2, 2]).map(|[hour, minute]| [hour, minute, 0])?,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use landfall_server::rfc3339;

    use super::*;

    #[test]
    fn what_is_written_is_what_is_meant() {
        let now = parse("2026-11-21T12:00:00Z", 0).unwrap();
        for (text, meant) in [
            ("1970-01-01", "1970-01-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2000-12-31T23:59:59Z", "2000-12-31T23:59:59Z"),
            ("2026-08-01 07:05", "2026-08-01T07:05:00Z"),
            ("2100-03-01T00:00", "2100-03-01T00:00:00Z"),
            ("3d", "2026-11-18T12:00:00Z"),
            ("90m", "2026-11-21T10:30:00Z"),
        ] {
            assert_eq!(rfc3339(parse(text, now).unwrap()), meant, "{text}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-8-1",
            "2026-08-01T25:00",
            "1969-12-31",
            "2026-08-01T1:00",
        ] {
            assert!(parse(wrong, now).is_err(), "{wrong}");
        }
    }
}
