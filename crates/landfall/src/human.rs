//! Figures for people.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `12.3 MB`: decimal units, as disks and networks are sold.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `3.2 s`, `2 min 5 s`, `1 h 4 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 image`, `2 images`, `2 repositories`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// Rows under a heading, columns as wide as they need to be; a column whose heading ends in `>` is set flush right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain([headings[column].trim_end_matches('>').len()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let width = widths[column];
            match headings[column].ends_with('>') {
                true => line += &format!("{cell:>width$}"),
                false => line += &format!("{cell:<width$}"),
            }
            line += "  ";
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut out = line(
        headings
            .iter()
            .map(|heading| heading.trim_end_matches('>'))
            .collect(),
    );
    for row in rows {
        out += &line(row.iter().map(String::as_str).collect());
    }
    out
}

/// Bytes, or bytes a second, as people write them: `50MB`, `100MiB`, `1000000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Amount {
    pub(crate) bytes: u64,
    text: String,
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.text
    }
}

impl TryFrom<String> for Amount {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for Amount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const UNITS: [(&str, u64); 10] = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("kB", 1000),
            ("KB", 1000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
            ("B", 1),
        ];
        let unit = UNITS.iter().find(|(name, _)| text.ends_with(name));
        let (name, each) = unit.copied().unwrap_or(("", 1));
        let number: Option<u64> = text[..text.len() - name.len()].trim().parse().ok();
        number
            .and_then(|number| number.checked_mul(each))
            .filter(|bytes| *bytes > 0)
            .map(|bytes| Self {
                bytes,
                text: text.to_owned(),
            })
            .ok_or("not an amount such as 50MB or 100MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_960, "1.0 MB"),
            (44_000_000_000, "44.0 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(duration(Duration::from_millis(3210)), "3.2 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(
            table(&["a", "n>"], &[vec!["xx".into(), "1".into()]]),
            "a   n\nxx  1\n"
        );
    }
}
