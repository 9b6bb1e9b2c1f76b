//! Reading a tag's history: what it pointed at as of a time.

use crate::HistoryEntry;

/// Which moment of a tag's history is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The change with this number.
    Generation(u64),
    /// Whatever was true at this time, in milliseconds since 1970.
    UnixMs(u64),
}

/// The change that was the latest at a time; `None` when the tag was not there yet (or the history does not go
/// back so far). The order of the lines does not matter; where a clock was set back, the higher number decides.
#[must_use]
pub fn tag_at(history: &[HistoryEntry], unix_ms: u64) -> Option<&HistoryEntry> {
    history
        .iter()
        .filter(|entry| entry.unix_ms <= unix_ms)
        .max_by_key(|entry| entry.generation)
}

impl Moment {
    /// The change that this moment means.
    #[must_use]
    pub fn find(self, history: &[HistoryEntry]) -> Option<&HistoryEntry> {
        match self {
            Self::Generation(wanted) => history.iter().find(|entry| entry.generation == wanted),
            Self::UnixMs(unix_ms) => tag_at(history, unix_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_change_before_a_time_counts() {
        let entry = |generation, unix_ms| HistoryEntry {
            generation,
            unix_ms,
            digest: None,
        };
        let history = [entry(3, 300), entry(2, 200), entry(1, 100)];
        let at = |unix_ms| tag_at(&history, unix_ms).map(|entry| entry.generation);
        assert_eq!(at(99), None);
        assert_eq!(at(100), Some(1));
        assert_eq!(at(299), Some(2));
        assert_eq!(at(u64::MAX), Some(3));
        assert_eq!(Moment::Generation(2).find(&history), Some(&history[1]));
        assert_eq!(Moment::Generation(9).find(&history), None);
        // The clock went back between the second and the third change.
        let odd = [entry(3, 150), entry(2, 200), entry(1, 100)];
        assert_eq!(tag_at(&odd, 250).map(|entry| entry.generation), Some(3));
    }
}
