//! The scripts' command lines, read as the scripts read them.
//!
//! The shell scripts go from first to last, take the next word for a flag's value whatever it looks like, and end on a
//! word that they do not know. The PowerShell scripts go from last to first: a flag takes the first word behind it, and
//! what belongs to no flag is nobody's. What is ours (`--tls-ca`, `--platform`, …) is set aside for clap.

use landfall_diag::nearest;

/// Which script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Save,
    Load,
}

/// In whose manner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Shell,
    PowerShell,
}

/// What was typed; the scripts' defaults where nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) dialect: Dialect,
    pub(super) list: String,
    pub(super) images: String,
    pub(super) source: String,
    pub(super) registry: String,
    pub(super) windows_list: String,
    pub(super) windows_versions: String,
    pub(super) os_release: String,
    pub(super) help: bool,
    /// Words for clap.
    pub(super) ours: Vec<String>,
}

/// What cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misuse {
    #[error("unknown argument `{word}`{}", .hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Unknown { word: String, hint: Option<String> },
    #[error("{flag} needs a value")]
    NoValue { flag: String },
}

/// The mirror that `--from-aliyun` stands for.
const ALIYUN: &str = "registry.cn-hangzhou.aliyuncs.com";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    List,
    Images,
    Source,
    Registry,
    WindowsList,
    WindowsVersions,
    OsRelease,
    Help,
    FromAliyun,
    PowerShell,
}

const FLAGS: [(&str, Flag); 17] = [
    ("-l", Flag::List),
    ("--image-list", Flag::List),
    ("-i", Flag::Images),
    ("--images", Flag::Images),
    ("-s", Flag::Source),
    ("--source-registry", Flag::Source),
    ("-r", Flag::Registry),
    ("--registry", Flag::Registry),
    ("--windows-image-list", Flag::WindowsList),
    ("--windows-versions", Flag::WindowsVersions),
    ("-o", Flag::OsRelease),
    ("--os-release-id", Flag::OsRelease),
    ("-h", Flag::Help),
    ("--help", Flag::Help),
    ("--from-aliyun", Flag::FromAliyun),
    ("--ps1", Flag::PowerShell),
    ("--powershell", Flag::PowerShell),
];

/// The flag of this name, for this script. PowerShell does not tell capitals from small letters.
fn flag(script: Script, dialect: Dialect, word: &str) -> Option<Flag> {
    let is_it = |name: &str| match dialect {
        Dialect::Shell => name == word,
        Dialect::PowerShell => name.eq_ignore_ascii_case(word),
    };
    let (_, flag) = FLAGS.into_iter().find(|(name, _)| is_it(name))?;
    let is_for_load_only = flag == Flag::Registry;
    (script == Script::Load || !is_for_load_only).then_some(flag)
}

/// A flag of ours: its long name, and whether a value follows.
pub(super) type Ours<'a> = &'a [(&'a str, bool)];

impl Words {
    fn new(dialect: Dialect) -> Self {
        let name = match dialect {
            Dialect::Shell => "rancher-images",
            Dialect::PowerShell => "rancher-windows-images",
        };
        Self {
            dialect,
            list: format!("{name}.txt"),
            images: format!("{name}.tar.gz"),
            source: String::new(),
            registry: String::new(),
            windows_list: String::new(),
            windows_versions: "1809".to_owned(),
            os_release: String::new(),
            help: false,
            ours: Vec::new(),
        }
    }

    /// Reads a command line.
    ///
    /// # Errors
    /// [`Misuse`]
    pub(super) fn read(script: Script, words: &[String], ours: Ours<'_>) -> Result<Self, Misuse> {
        let is_powershell =
            |word: &String| ["-o", "--os-release-id", "--ps1", "--powershell"].contains(&word.as_str());
        let mut read = match words.iter().any(is_powershell) {
            true => Self::from_last(script, words, ours)?,
            false => Self::from_first(script, words, ours)?,
        };
        let is_empty = [("-l", &read.list), ("-i", &read.images)]
            .into_iter()
            .find(|(_, value)| value.is_empty());
        if let Some((flag, _)) = is_empty.filter(|_| !read.help) {
            return Err(Misuse::NoValue {
                flag: flag.to_owned(),
            });
        }
        for registry in [&mut read.source, &mut read.registry] {
            *registry = registry.trim_end_matches('/').to_owned();
        }
        Ok(read)
    }

    fn from_first(script: Script, words: &[String], ours: Ours<'_>) -> Result<Self, Misuse> {
        let mut read = Self::new(Dialect::Shell);
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            if let Some(takes_value) = of_ours(ours, word) {
                read.ours.push(word.to_owned());
                read.ours
                    .extend(words.next_if(|_| takes_value).map(str::to_owned));
                continue;
            }
            match flag(script, Dialect::Shell, word) {
                None => return Err(unknown(script, word, ours)),
                Some(Flag::Help) => read.help = true,
                Some(Flag::PowerShell) => {}
                Some(Flag::FromAliyun) => {
                    if words.next_if(|word| ["true", "false"].contains(word)) != Some("false") {
                        read.set(Flag::Source, ALIYUN);
                    }
                }
                Some(flag) => {
                    let value = words.next().ok_or_else(|| Misuse::NoValue {
                        flag: word.to_owned(),
                    })?;
                    read.set(flag, value);
                }
            }
        }
        Ok(read)
    }

    fn from_last(script: Script, words: &[String], ours: Ours<'_>) -> Result<Self, Misuse> {
        let mut read = Self::new(Dialect::PowerShell);
        let mut behind: Vec<&str> = Vec::new();
        for word in words.iter().rev() {
            if let Some(takes_value) = of_ours(ours, word) {
                let value = behind.pop().filter(|_| takes_value);
                read.ours
                    .extend([word.as_str()].into_iter().chain(value).map(str::to_owned));
                behind.clear();
                continue;
            }
            match flag(script, Dialect::PowerShell, word) {
                None => {
                    behind.push(word);
                    continue;
                }
                Some(Flag::Help) => read.help = true,
                Some(Flag::PowerShell) => {}
                Some(Flag::FromAliyun) if behind.last() != Some(&"false") => read.set(Flag::Source, ALIYUN),
                Some(Flag::FromAliyun) => {}
                Some(flag) => {
                    let value = behind
                        .last()
                        .ok_or_else(|| Misuse::NoValue { flag: word.clone() })?;
                    read.set(flag, value);
                }
            }
            behind.clear();
        }
        Ok(read)
    }

    fn set(&mut self, flag: Flag, value: &str) {
        let place = match flag {
            Flag::List => &mut self.list,
            Flag::Images => &mut self.images,
            Flag::Source => &mut self.source,
            Flag::Registry => &mut self.registry,
            Flag::WindowsList => &mut self.windows_list,
            Flag::WindowsVersions => &mut self.windows_versions,
            Flag::OsRelease => &mut self.os_release,
            Flag::Help | Flag::FromAliyun | Flag::PowerShell => return,
        };
        value.clone_into(place);
    }

    /// A line of the list as the source registry knows it.
    pub(super) fn source_name(&self, line: &str) -> String {
        match self.source.is_empty() {
            true => line.to_owned(),
            false => format!("{}/{line}", self.source),
        }
    }
}

/// Whether a word is a flag of ours, and then whether the next word is its value.
fn of_ours(ours: Ours<'_>, word: &str) -> Option<bool> {
    let long = word.strip_prefix("--")?;
    let (name, has_value) = long
        .split_once('=')
        .map_or((long, false), |(name, _)| (name, true));
    let (_, takes_value) = ours.iter().find(|(ours, _)| *ours == name)?;
    Some(*takes_value && !has_value)
}

fn unknown(script: Script, word: &str, ours: Ours<'_>) -> Misuse {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let known: Vec<_> = ours.iter().map(|(name, _)| format!("--{name}")).collect();
    let flags = FLAGS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| flag(script, Dialect::Shell, name).is_some());
    let hint = match flag(script, Dialect::Shell, name) {
        Some(_) if name != word => Some(format!("write `{}`", word.replacen('=', " ", 1))),
        _ if !word.starts_with('-') => Some("every value belongs to a flag".to_owned()),
        _ => nearest(name, flags.chain(known.iter().map(String::as_str)))
            .map(|near| format!("did you mean `{near}`?")),
    };
    Misuse::Unknown {
        word: word.to_owned(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Ours<'static> = &[("tls-ca", true), ("insecure", false), ("platform", true)];

    fn read(script: Script, line: &str) -> Result<Words, Misuse> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Words::read(script, &words, OURS)
    }

    #[test]
    fn defaults_are_the_scripts() {
        let words = read(Script::Save, "").unwrap();
        assert_eq!(
            (words.list.as_str(), words.images.as_str()),
            ("rancher-images.txt", "rancher-images.tar.gz")
        );
        assert_eq!((words.source.as_str(), words.windows_list.as_str()), ("", ""));
        assert_eq!(words.windows_versions, "1809");
        let words = read(Script::Save, "-o 1809").unwrap();
        assert_eq!(words.list, "rancher-windows-images.txt");
        assert_eq!(words.images, "rancher-windows-images.tar.gz");
    }

    #[test]
    fn shell_words() {
        let line = "-l a -i b -s src.io/ --registry reg:5000/ -l c --windows-image-list w --windows-versions 1809,ltsc2022";
        let words = read(Script::Load, line).unwrap();
        assert_eq!(
            (words.list.as_str(), words.images.as_str()),
            ("c", "b"),
            "the last wins"
        );
        assert_eq!(
            (words.source.as_str(), words.registry.as_str()),
            ("src.io", "reg:5000")
        );
        assert_eq!(
            (words.windows_list.as_str(), words.windows_versions.as_str()),
            ("w", "1809,ltsc2022")
        );
        // A value is the next word, whatever it looks like.
        assert_eq!(read(Script::Load, "-l -h").unwrap().list, "-h");
        assert!(read(Script::Load, "-h").unwrap().help && read(Script::Save, "--help -l x").unwrap().help);
    }

    #[test]
    fn our_flags_go_between() {
        let words = read(
            Script::Save,
            "--tls-ca ca.pem -l x --insecure --platform=all -i y",
        )
        .unwrap();
        assert_eq!(words.ours, ["--tls-ca", "ca.pem", "--insecure", "--platform=all"]);
        assert_eq!((words.list.as_str(), words.images.as_str()), ("x", "y"));
    }

    #[test]
    fn what_the_shell_scripts_refuse() {
        let cases = [
            (
                Script::Save,
                "--image-lists x",
                "unknown argument `--image-lists`; did you mean `--image-list`?",
            ),
            (
                Script::Save,
                "--image-list=x",
                "unknown argument `--image-list=x`; write `--image-list x`",
            ),
            (
                Script::Save,
                "rancher-images.txt",
                "unknown argument `rancher-images.txt`; every value belongs to a flag",
            ),
            (Script::Save, "-x", "unknown argument `-x`; did you mean `-l`?"),
            (Script::Load, "-l", "-l needs a value"),
            (
                Script::Load,
                "--insecur",
                "unknown argument `--insecur`; did you mean `--insecure`?",
            ),
        ];
        for (script, line, told) in cases {
            assert_eq!(read(script, line).unwrap_err().to_string(), told);
        }
        assert!(
            read(Script::Save, "-r reg").is_err(),
            "only the load script has -r"
        );
    }

    #[test]
    fn aliyun_is_a_source() {
        for (line, source) in [
            ("--from-aliyun true", ALIYUN),
            ("--from-aliyun", ALIYUN),
            ("--from-aliyun -l x", ALIYUN),
            ("--from-aliyun false", ""),
        ] {
            assert_eq!(read(Script::Save, line).unwrap().source, source, "{line}");
        }
    }

    #[test]
    fn powershell_words_go_from_last_to_first() {
        let words = read(Script::Load, "-r reg -o 1809 stray --wrong x -L list.txt -i a b").unwrap();
        assert_eq!(
            (words.registry.as_str(), words.os_release.as_str()),
            ("reg", "1809")
        );
        assert_eq!((words.list.as_str(), words.images.as_str()), ("list.txt", "a"));
        // The first of two wins: it is read last.
        assert_eq!(read(Script::Load, "--ps1 -l one -l two").unwrap().list, "one");
        let words = read(Script::Save, "--ps1 --tls-ca ca.pem -o ltsc2022 --insecure").unwrap();
        assert_eq!(words.os_release, "ltsc2022");
        assert_eq!(words.ours, ["--insecure", "--tls-ca", "ca.pem"]);
    }
}
