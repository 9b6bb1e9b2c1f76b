//! The time of day as clouds see it: given from outside, corrected by what their servers say, and written as they write it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;

/// A difference from which on signatures are refused (AWS: five minutes; its SDKs correct from four on).
const TOO_FAR: i64 = 240;
/// An ISO date far enough away for any token.
const LAST_YEAR: i64 = 9999;

/// The time of day. Clones share what was learnt about it.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    ahead: Arc<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("ahead", &self.ahead)
            .finish_non_exhaustive()
    }
}

impl Clock {
    /// A clock that shows what `now` says.
    #[must_use]
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            ahead: Arc::default(),
        }
    }

    /// Seconds since 1970, as the servers count them.
    pub(crate) fn seconds(&self) -> i64 {
        seconds((self.now)()) + self.ahead.load(Ordering::Relaxed)
    }

    /// How long it is until then; nothing when it is past.
    pub(crate) fn until(&self, then: i64) -> Duration {
        Duration::from_secs(u64::try_from(then.saturating_sub(self.seconds())).unwrap_or(0))
    }

    /// Sets the clock by an answer's `Date`, when it is far off. Whether it was.
    pub(crate) fn learn(&self, headers: &HeaderMap) -> bool {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(theirs) = date.and_then(|text| httpdate::parse_http_date(text).ok()) else {
            return false;
        };
        let off = seconds(theirs) - self.seconds();
        if off.abs() < TOO_FAR {
            return false;
        }
        tracing::warn!(
            seconds = off,
            "the clock of this machine is wrong: signing with the server's time"
        );
        self.ahead.fetch_add(off, Ordering::Relaxed);
        true
    }
}

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// `20150830T123600Z`. Years outside of 0 to 9999 do not happen.
pub(crate) fn basic_format(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(day);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// `2015-08-30T12:36:00Z`, with or without a fraction, or with an offset: seconds since 1970.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    let number = |part: Option<&str>| part?.parse::<u32>().ok().map(i64::from);
    let (date, time) = text.trim().split_once(['T', ' '])?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (
        number(parts.next())?,
        number(parts.next())?,
        number(parts.next())?,
    );
    let (time, offset) = split_offset(time)?;
    let mut parts = time.split('.').next()?.splitn(3, ':');
    let (hour, minute, second) = (
        number(parts.next())?,
        number(parts.next())?,
        number(parts.next())?,
    );
    let is_date = year <= LAST_YEAR && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = hour < 24 && minute < 60 && second <= 60;
    (is_date && is_time)
        .then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

/// A time of day and its offset in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (time, offset) = time.split_at(at);
    let (sign, offset) = offset.split_at(1);
    let (hours, minutes) = offset.split_once(':')?;
    let seconds = i64::from(hours.parse::<u16>().ok()?) * 3600 + i64::from(minutes.parse::<u16>().ok()?) * 60;
    Some((time, if sign == "-" { -seconds } else { seconds }))
}

/// The day's number since 1970-01-01 in the Gregorian calendar; years are counted from March, so that the leap day is
/// the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The reverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = (shifted + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_aws_writes_them() {
        assert_eq!(basic_format(1_440_938_160), "20150830T123600Z");
        assert_eq!(basic_format(0), "19700101T000000Z");
        assert_eq!(basic_format(951_782_399), "20000228T235959Z");
        assert_eq!(basic_format(951_782_400), "20000229T000000Z");
        assert_eq!(parse_iso("2015-08-30T12:36:00Z"), Some(1_440_938_160));
        assert_eq!(parse_iso("2015-08-30T12:36:00.123456Z"), Some(1_440_938_160));
        assert_eq!(parse_iso("2015-08-30T14:36:00+02:00"), Some(1_440_938_160));
        assert_eq!(parse_iso("2015-08-30 05:36:00-07:00"), Some(1_440_938_160));
        for bad in [
            "",
            "soon",
            "2015-13-01T00:00:00Z",
            "2015-08-30T12:36Z",
            "2015-08-30T12:36:00",
            "-1-1-1T0:0:0Z",
        ] {
            assert_eq!(parse_iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in (-200_000..200_000).step_by(37) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn a_clock_is_set_by_the_server_only_when_it_is_far_off() {
        let clock = Clock::new(|| UNIX_EPOCH + Duration::from_secs(784_111_777));
        let learn = |date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, http::HeaderValue::from_static(date));
            clock.clone().learn(&headers)
        };
        assert!(!learn("Sun, 06 Nov 1994 08:51:37 GMT"));
        assert!(!learn("yesterday"));
        assert!(learn("Sun, 06 Nov 1994 09:49:37 GMT"));
        assert_eq!(clock.seconds(), 784_111_777 + 3600);
        assert!(!learn("Sun, 06 Nov 1994 09:49:37 GMT"), "set already");
        assert_eq!(clock.until(784_111_777 + 3660), Duration::from_secs(60));
        assert_eq!(clock.until(0), Duration::ZERO);
    }
}
