//! What `rke config --system-images` prints: which images, in which order, and what it says besides.

use std::collections::HashSet;

use super::table::{Images, Release};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// `--version`.
    pub version: Option<String>,
    /// `--all`: the current versions; the version is ignored then.
    pub all: bool,
    /// `--list-version`: versions and no images.
    pub list_versions: bool,
}

/// The images of one version, in RKE's order, or what it ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'t> {
    /// The version.
    pub version: String,
    /// Each image once.
    pub images: Vec<&'t str>,
}

impl<'t> Release<'t> {
    /// What RKE prints, version by version; it goes through the versions of `--all` in no order.
    ///
    /// # Errors
    /// RKE's own words.
    pub fn system_images(&self, ask: &Ask) -> Result<Vec<Block<'t>>, String> {
        if ask.all {
            let current = self.current.iter();
            let blocks = current.filter_map(|version| Some((version, self.find(version)?)));
            return Ok(blocks
                .map(|(version, found)| block(version, found.images))
                .collect());
        }
        let version = ask.version.as_deref().filter(|version| !version.is_empty());
        let version = version.unwrap_or(self.default);
        match self.find(version) {
            Some(found) => Ok(vec![block(version, found.images)]),
            None => Err(format!(
                "k8s version is not supported, supported versions are: [{}]",
                self.current.join(" ")
            )),
        }
    }

    /// What `rke config --list-version` prints.
    #[must_use]
    pub fn list_versions(&self, ask: &Ask) -> Vec<&'t str> {
        match ask.all {
            true => self.current.clone(),
            false => vec![self.default],
        }
    }
}

/// The line that RKE logs before the images of a version.
#[must_use]
pub fn heading(version: &str) -> String {
    format!("Generating images list for version [{version}]:")
}

fn block<'t>(version: &str, images: Images<'t>) -> Block<'t> {
    let mut seen = HashSet::new();
    let all = images
        .iter()
        // RKE leaves this one out, whoever may need it.
        .filter(|(component, _)| *component != "windows_pod_infra_container")
        .map(|(_, image)| image);
    Block {
        version: version.to_owned(),
        images: all
            .filter(|image| !image.is_empty() && seen.insert(*image))
            .collect(),
    }
}
