//! Exit codes: decided here and nowhere else, documented in the README and in `landfall --help`.

use landfall_transfer::{Class, Report};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All that was asked for is there.
    Complete = 0,
    /// Some of what was asked for is not there; the report says what and why.
    Partial = 1,
    /// The request cannot be understood: arguments, list, mapping.
    Usage = 2,
    /// This machine: a file that cannot be read or written, a full disk.
    Local = 3,
    /// A bundle or what a registry sent is damaged.
    Damaged = 4,
    /// A registry cannot be reached or its certificate cannot be trusted, for every image.
    Unreachable = 5,
    /// A registry refuses the credentials, for every image.
    Refused = 6,
    /// Interrupted; a rerun continues.
    Interrupted = 130,
}

/// For `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  all that was asked for is there
  1  partial: some images are not there (the report and the failed list say which and why)
  2  usage: arguments, list or mapping cannot be understood
  3  this machine: a file cannot be read or written, the disk is full
  4  damage: a bundle, or what a registry sent, is not what its digest says
  5  no registry could be reached or trusted (name, connection, TLS)
  6  credentials were refused
  130  interrupted; a rerun continues where it stopped";

impl Exit {
    /// The code for one error.
    pub(crate) fn of_class(class: Class) -> Self {
        match class {
            Class::NotFound | Class::Unavailable | Class::Unusable => Self::Partial,
            Class::Credentials => Self::Refused,
            Class::Unreachable => Self::Unreachable,
            Class::Corrupt => Self::Damaged,
            Class::Local => Self::Local,
            Class::Invalid => Self::Usage,
        }
    }

    /// The code that another process of this program ended a piece of work with.
    pub(crate) fn from_code(code: u8) -> Self {
        let all = [
            Self::Complete,
            Self::Partial,
            Self::Usage,
            Self::Damaged,
            Self::Unreachable,
            Self::Refused,
            Self::Interrupted,
        ];
        let known = all.into_iter().find(|exit| *exit as u8 == code);
        known.unwrap_or(Self::Local)
    }

    /// The code for a run: when nothing at all succeeded and everything failed for one reason, that reason's code.
    pub(crate) fn of_report(report: &Report) -> Self {
        Self::of_failures(&report.failed, report.done.is_empty())
    }

    /// The same, where `alone` says that nothing succeeded.
    pub(crate) fn of_failures(failed: &[landfall_transfer::Failure], alone: bool) -> Self {
        let mut classes: Vec<_> = failed.iter().map(|failure| failure.class).collect();
        classes.dedup();
        match (classes.as_slice(), alone) {
            ([], _) => Self::Complete,
            ([class], true) => match Self::of_class(*class) {
                Self::Usage => Self::Partial,
                code => code,
            },
            _ => Self::Partial,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
