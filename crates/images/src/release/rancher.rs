//! The files beside Rancher's list: who wants each image (`…-sources.txt`), and which code it is built from
//! (`…-origins.txt`). Both have two words on a line.

/// What a file of a Rancher release is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RancherFile {
    /// One image on each line.
    List,
    /// `image source,source`.
    Sources,
    /// `name url`.
    Origins,
}

impl RancherFile {
    /// What this text is: its first line that says something decides.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let first = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .next();
        match first.as_deref() {
            Some([_, url]) if url.starts_with("https://") || url.starts_with("http://") => Self::Origins,
            Some([image, _]) if image.contains([':', '@']) => Self::Sources,
            _ => Self::List,
        }
    }
}

/// The lines of a sources file: line number, image, its sources. A line of another form comes with no source.
pub fn sources(text: &str) -> impl Iterator<Item = (usize, &str, Vec<&str>)> {
    two_words(text).map(|(number, image, sources)| {
        let sources = sources.split(',').filter(|source| !source.is_empty());
        (number, image, sources.collect())
    })
}

/// The lines of an origins file: line number, the image's name without `rancher/` and tag, the address of its code.
pub fn origins(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    two_words(text).filter(|(_, _, url)| !url.is_empty())
}

fn two_words(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    lines.filter_map(|(position, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (first, second) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Some((position + 1, first, second.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_what_is_in_them() {
        assert_eq!(RancherFile::of("\nrancher/a:1\nb c"), RancherFile::List);
        assert_eq!(RancherFile::of("rancher/a:1 core,system\n"), RancherFile::Sources);
        assert_eq!(
            RancherFile::of("fleet https://github.com/rancher/fleet\n"),
            RancherFile::Origins
        );
        assert_eq!(RancherFile::of(""), RancherFile::List);
    }

    #[test]
    fn sources_are_read_with_their_lines() {
        let text = "rancher/a:1 core,rancher-monitoring:104.1.0\r\n\nrancher/b:2\n";
        let read: Vec<_> = sources(text).collect();
        assert_eq!(
            read,
            [
                (1, "rancher/a:1", vec!["core", "rancher-monitoring:104.1.0"]),
                (3, "rancher/b:2", vec![]),
            ]
        );
        let read: Vec<_> = origins("fleet https://x/fleet\nodd\n").collect();
        assert_eq!(read, [(1, "fleet", "https://x/fleet")]);
    }
}
