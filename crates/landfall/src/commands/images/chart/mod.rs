//! `images chart`: what Helm charts want, rendered by helm where it is there, and as a static scan sees them.

mod archive;
mod folder;
mod render;
mod source;

use std::path::Path;

use landfall_images::chart::{Chart, ChartError, Given, Unrendered, complete};
use landfall_images::gathered::Gathered;
use landfall_images::manifests::{Manifests, Origin, Problem};

use super::{blocking, manifests};
use crate::args::{ChartArgs, ChartGiven, RegistryArgs};
use crate::exit::Exit;
use crate::failure::Failure;
pub(crate) use archive::unpack as unpack_chart;
pub(crate) use source::{CHART_CONTENT, MAX_CHART};

use source::Source;

/// A values file; the largest real ones have some hundred kilobytes.
const MAX_VALUES: u64 = 8 * 1024 * 1024;

pub(super) async fn run(args: ChartArgs) -> Result<Exit, Failure> {
    let (mut gathered, mut problems) = (Gathered::default(), Vec::new());
    for chart in &args.charts {
        let (more, wrong) = gather(chart, &args.given, &args.registry).await?;
        gathered.merge(more);
        problems.extend(wrong);
    }
    blocking(move || manifests::finish(gathered, problems, &args.list)).await
}

/// The images of one chart, and what could not be read or rendered.
pub(super) async fn gather(
    chart: &str,
    args: &ChartGiven,
    registry: &RegistryArgs,
) -> Result<(Gathered, Vec<Problem>), Failure> {
    let given = given(args)?;
    let source = Source::find(chart, args, registry).await?;
    let files = source.files()?;
    let chart = Chart::from_files(&source.shown, &files).map_err(refused)?;
    let (mut seen, mut problems) = chart.scan(&given).map_err(refused)?;
    if args.static_scan {
        return Ok((seen, problems));
    }
    let Some(helm) = render::helm() else {
        let message = "helm is not on the PATH: this is a static scan, which lists all parts of the chart, also those that are off, and guesses where only helm knows";
        seen.remark(&chart.title(), None, message);
        return Ok((seen, problems));
    };
    match render::run(&helm, &source, &chart, args).await {
        Ok(text) => {
            let mut rendered = Manifests::new(chart.title());
            rendered.read(&format!("rendered {}", source.shown), &text, Origin::Helm);
            let (mut gathered, wrong) = rendered.finish();
            let unrendered = match args.include_unrendered {
                true => Unrendered::Include,
                false => Unrendered::Remark,
            };
            complete(&mut gathered, seen, unrendered);
            problems.extend(wrong);
            Ok((gathered, problems))
        }
        Err(reason) => {
            let message = format!("helm cannot render it, so this is the static scan: {reason}");
            problems.push(Problem {
                place: source.shown.clone(),
                message,
            });
            Ok((seen, problems))
        }
    }
}

fn given(args: &ChartGiven) -> Result<Given, Failure> {
    let mut files = Vec::new();
    for path in &args.values {
        files.push((path.display().to_string(), values(path)?));
    }
    Ok(Given {
        files,
        set: args.set.clone(),
    })
}

fn values(path: &Path) -> Result<String, Failure> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_VALUES + 1).read_to_string(&mut text));
    read.map_err(|error| Failure::local("read", path, &error))?;
    match text.len() as u64 > MAX_VALUES {
        true => Err(Failure::usage(format!(
            "{} is too large for a values file",
            path.display()
        ))),
        false => Ok(text),
    }
}

fn refused(error: ChartError) -> Failure {
    Failure::usage(error.to_string())
}
