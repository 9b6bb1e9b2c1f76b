//! The tag of an image whose values name none: the chart's `appVersion` as a rule, with the `v` before it or the chart's
//! own version where the templates say so.

use super::load::Chart;

/// How templates make the tag that no value gives.
#[derive(Debug)]
pub(super) struct DefaultTag {
    /// Lines of templates that speak of the chart's versions beside images.
    uses: Vec<Use>,
    app_version: String,
    version: String,
}

#[derive(Debug)]
struct Use {
    line: String,
    prefixed: bool,
    own_version: bool,
}

/// Labels name versions, too.
const LABELS: &[&str] = &[
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "chart:",
    "app-version",
    "appVersion:",
    "apiVersion:",
];

/// More lines than this tell nothing new.
const MAX_USES: usize = 1000;

impl DefaultTag {
    pub(super) fn of(chart: &Chart) -> Self {
        let templates = chart
            .texts
            .iter()
            .filter(|(path, _)| path.starts_with("templates/"));
        let lines = templates.flat_map(|(_, text)| text.lines());
        let mut uses: Vec<_> = lines
            .filter(|line| line.contains(".Chart.AppVersion") || line.contains(".Chart.Version"))
            .filter(|line| !LABELS.iter().any(|label| line.contains(label)))
            .map(|line| Use {
                line: line.to_owned(),
                prefixed: is_prefixed(line),
                own_version: !line.contains(".Chart.AppVersion"),
            })
            .collect();
        let about_images = |line: &str| {
            let line = line.to_ascii_lowercase();
            line.contains("tag") || line.contains("image")
        };
        if uses.iter().any(|one| about_images(&one.line)) {
            uses.retain(|one| about_images(&one.line));
        }
        uses.truncate(MAX_USES);
        Self {
            uses,
            app_version: chart.app_version.clone(),
            version: chart.version.clone(),
        }
    }

    /// The tag for the image at this path of the values, and where it is from.
    pub(super) fn at(&self, path: &str) -> Option<(String, String)> {
        let field = format!(".{path}.");
        let own: Vec<_> = self.uses.iter().filter(|one| one.line.contains(&field)).collect();
        let uses = if own.is_empty() {
            self.uses.iter().collect()
        } else {
            own
        };
        let own_version = !uses.is_empty() && uses.iter().all(|one| one.own_version);
        let (text, origin) = match own_version || self.app_version.is_empty() {
            true if self.version.is_empty() || uses.is_empty() => return None,
            true => (&self.version, "the chart's version"),
            false => (&self.app_version, "the chart's appVersion"),
        };
        let prefixed = !uses.is_empty() && uses.iter().all(|one| one.prefixed) && !text.starts_with('v');
        Some(match prefixed {
            true => (
                format!("v{text}"),
                format!("{origin} with a v, as the templates have it"),
            ),
            false => (text.replace('+', "_"), origin.to_owned()),
        })
    }
}

/// Whether a `v` stands before the version: `:v{{ … }}`, `printf "v%s"`, `print "v"`.
fn is_prefixed(line: &str) -> bool {
    let action = line.split("{{").zip(line.split("{{").skip(1));
    let before = action.into_iter().any(|(before, action)| {
        action.contains(".Chart.")
            && (before.ends_with(":v") || before.ends_with("\"v") || before.trim() == "v")
    });
    before
        || ["\"v%s\"", "\"v%v\"", "print \"v\"", ":v%s", "(\"v\""]
            .iter()
            .any(|sign| line.contains(sign))
}
