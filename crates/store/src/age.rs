//! Lengths of time as people write them: `90d`, `12h`, `1d12h`, `30m`, `45s`, `2w`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::RuleError;
use crate::text::serde_as_text;

/// The units, the longest first, and their seconds.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub Duration);

impl FromStr for Age {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = |reason| RuleError::new(text, reason);
        let mut seconds = 0_u64;
        let mut rest = text;
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        while !rest.is_empty() || text.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let unit = rest[digits..].chars().next();
            let each = unit.and_then(|unit| UNITS.iter().find(|(name, _)| *name == unit));
            let (Some((_, each)), true) = (each, digits > 0) else {
                return Err(wrong(
                    "is not a length of time such as `90d`, `12h`, `1d12h` or `30m`",
                ));
            };
            let number: Option<u64> = rest[..digits].parse().ok();
            let sum = number.and_then(|number| number.checked_mul(*each)?.checked_add(seconds));
            seconds = sum.ok_or_else(|| wrong("is too long a time"))?;
            rest = &rest[digits + 1..];
        }
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_secs();
        if left == 0 {
            return f.write_str("0s");
        }
        // Weeks are read but not written: `90d` shall come back as `90d`.
        for (unit, seconds) in &UNITS[1..] {
            if left >= *seconds {
                write!(f, "{}{unit}", left / seconds)?;
                left %= seconds;
            }
        }
        Ok(())
    }
}

serde_as_text!(Age);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (text, seconds, again) in [
            ("90d", 90 * 86_400, "90d"),
            ("12h", 43_200, "12h"),
            ("2w", 14 * 86_400, "14d"),
            ("1d12h", 129_600, "1d12h"),
            ("90m", 5400, "1h30m"),
            ("0", 0, "0s"),
            ("45s", 45, "45s"),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.0.as_secs(), seconds, "{text}");
            assert_eq!(age.to_string(), again);
            assert_eq!(again.parse(), Ok(age));
        }
        for wrong in [
            "",
            "d",
            "5",
            "5 d",
            "-1d",
            "1y",
            "1.5h",
            "ä",
            "99999999999999999999d",
            "9999999999999999999w",
        ] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong}");
        }
    }
}
