//! What Helm rendered, and what the static scan saw besides: parts that these values turn off, images that programs start
//! by themselves, tests, or a guess that was wrong.

use std::collections::HashMap;

use landfall_oci::Reference;

use crate::gathered::{Gathered, Remark};

/// What to do with images that Helm did not render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrendered {
    /// Tell of each.
    Remark,
    /// List them with the others.
    Include,
}

/// Lays the static scan beside what was rendered from the same chart and the same values.
pub fn complete(rendered: &mut Gathered, seen: Gathered, unrendered: Unrendered) {
    let mut others: HashMap<String, Vec<Reference>> = HashMap::new();
    for (_, wanted) in rendered.iter() {
        let reference = wanted.reference.clone();
        others.entry(reference.name()).or_default().push(reference);
    }
    let mut told = Vec::new();
    for (text, wanted) in seen.iter() {
        let same_name = others
            .get(&wanted.reference.name())
            .map_or(&[][..], Vec::as_slice);
        if same_name.iter().any(|other| is_same(other, &wanted.reference)) {
            continue;
        }
        for why in &wanted.why {
            match unrendered {
                Unrendered::Include => {
                    let mut why = why.clone();
                    why.part.push_str(" (not rendered with these values)");
                    rendered.add(text, wanted.reference.clone(), why);
                }
                Unrendered::Remark => told.push(remark(text, why)),
            }
        }
    }
    // Of the scan's own remarks only those matter that Helm's work does not answer.
    let matters = |remark: &&Remark| {
        remark.message.contains("brings along") || remark.message.contains("together with it")
    };
    told.extend(seen.remarks.iter().filter(matters).cloned());
    rendered.remarks.extend(told);
}

fn remark(text: &str, why: &crate::gathered::Why) -> Remark {
    let guess = if why.guess { ", by a guess" } else { "" };
    Remark {
        source: why.source.clone(),
        place: why.place.clone(),
        message: format!(
            "{text} is in the chart ({}{guess}) but not in what these values render; --include-unrendered lists it",
            why.part
        ),
    }
}

/// Of two with one name, whether they are the same image: one may name the tag and the digest, the other only one of them.
fn is_same(one: &Reference, other: &Reference) -> bool {
    match (one.digest(), other.digest()) {
        (Some(one), Some(other)) => one == other,
        _ => one.tag() == other.tag(),
    }
}
