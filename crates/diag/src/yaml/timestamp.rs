//! Whether a scalar is a date to yaml.v2, as Go's `time.Parse` reads its four layouts.

/// `2006-1-2`, alone or with `15:4:5` behind a blank, or behind `T` and with a zone.
pub(super) fn is_timestamp(text: &str) -> bool {
    date(text).is_some_and(|rest| match rest.as_bytes().first() {
        None => true,
        Some(b' ') => clock(rest.trim_start_matches(' ')).is_some_and(str::is_empty),
        Some(b'T' | b't') => clock(&rest[1..]).is_some_and(is_zone),
        _ => false,
    })
}

fn date(text: &str) -> Option<&str> {
    let (year, rest) = text.split_at_checked(4)?;
    let year: u32 = year
        .bytes()
        .all(|c| c.is_ascii_digit())
        .then(|| year.parse().ok())??;
    let (month, rest) = number(rest.strip_prefix('-')?)?;
    let (day, rest) = number(rest.strip_prefix('-')?)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(rest)
}

/// Hour, minute, second and perhaps parts of it.
fn clock(text: &str) -> Option<&str> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = number(rest.strip_prefix(':')?)?;
    let (second, rest) = number(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    match rest.as_bytes() {
        [b'.' | b',', b'0'..=b'9', ..] => Some(rest[1..].trim_start_matches(|c: char| c.is_ascii_digit())),
        _ => Some(rest),
    }
}

fn is_zone(text: &str) -> bool {
    match text.as_bytes() {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let two = |a: &u8, b: &u8| match (a, b) {
                (b'0'..=b'9', b'0'..=b'9') => Some((a - b'0') * 10 + (b - b'0')),
                _ => None,
            };
            two(h1, h2).is_some_and(|hour| hour <= 24) && two(m1, m2).is_some_and(|minute| minute <= 60)
        }
        _ => false,
    }
}

/// One digit or two.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}
