//! The text format that Prometheus reads (version 0.0.4).

use std::fmt::{Display, Write as _};

/// The format's media type.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics as text, family by family.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// The samples of one family.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Exposition {
    /// Begins a family of counters. Its name should end in `_total`.
    pub fn counters<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "counter")
    }

    /// Begins a family of gauges.
    pub fn gauges<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "gauge")
    }

    /// Begins a family of histograms, whose samples are told apart by suffixes.
    pub(super) fn histograms<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "histogram")
    }

    /// One counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.counters(name, help).sample(&[], value);
    }

    /// One gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauges(name, help).sample(&[], value);
    }

    fn family<'a>(&'a mut self, name: &'a str, help: &str, kind: &str) -> Family<'a> {
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family {
            text: &mut self.0,
            name,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Adds a sample. The values of labels must be few: never a name that a client has chosen.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.suffixed("", labels, value)
    }

    pub(super) fn suffixed(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) -> &mut Self {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (position, (key, value)) in labels.iter().enumerate() {
            let value = value
                .replace('\\', r"\\")
                .replace('"', r#"\""#)
                .replace('\n', r"\n");
            let open = if position == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{key}=\"{value}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped() {
        let mut text = Exposition::default();
        text.gauges("g", "two\nlines")
            .sample(&[("a", "x\"y\\z\n"), ("b", "")], 1.5);
        text.counter("c_total", "help", 7);
        let expected = "# HELP g two\\nlines\n# TYPE g gauge\ng{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1.5\n\
                        # HELP c_total help\n# TYPE c_total counter\nc_total 7\n";
        assert_eq!(text.into_text(), expected);
    }
}
