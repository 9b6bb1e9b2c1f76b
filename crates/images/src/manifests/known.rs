//! What programs are known to need that no field of any object says.

use landfall_oci::Reference;

use super::found::Found;
use super::tree::Tree;
use super::walk::Walk;
use crate::gathered::Gathered;

const CONTROLLER: &str = "cert-manager-controller";
const SOLVER: &str = "cert-manager-acmesolver";
const WHY: &str = "compiled into cert-manager's controller, which starts it for HTTP-01 challenges";

/// cert-manager's controller starts `acmesolver` pods. Which image they have an argument says, and until it does, a
/// default that is compiled in: always of quay.io, with the controller's own version.
pub(crate) fn compiled_in(walk: &mut Walk<'_>, container: &Tree) {
    let Some(image) = container.get("image").filter(|image| image.text().is_some()) else {
        return;
    };
    let Some(solver) = image.text().and_then(solver_of) else {
        return;
    };
    let says = |key| {
        let arguments = container.get(key).map_or(&[][..], Tree::list);
        arguments
            .iter()
            .filter_map(Tree::text)
            .any(|text| text.contains("solver-image"))
    };
    if !says("args") && !says("command") {
        let mut spot = walk.spot(image.at, false);
        spot.part = format!("{}: {WHY}", spot.part);
        let text = solver.familiar();
        walk.found.add(&text, solver, &spot);
    }
}

/// The same for a list of images of which the arguments are not known: a controller without a solver beside it.
pub(crate) fn companions(found: &mut Found, seen: &Gathered) {
    let has_solver = seen
        .iter()
        .any(|(_, wanted)| wanted.reference.repository().as_str().ends_with(SOLVER));
    if has_solver {
        return;
    }
    let solvers: Vec<_> = seen
        .iter()
        .filter_map(|(text, wanted)| Some((solver_of(text)?, wanted.why.first().cloned()?)))
        .collect();
    for (solver, why) in solvers {
        let spot = super::found::Spot {
            part: WHY.to_owned(),
            place: why.place,
            guess: why.guess,
        };
        let text = solver.familiar();
        found.add(&text, solver, &spot);
    }
}

fn solver_of(controller: &str) -> Option<Reference> {
    let controller = Reference::parse(controller.trim()).ok()?;
    let name = controller.repository().as_str().rsplit('/').next()?;
    let tag = controller.tag().filter(|_| name == CONTROLLER)?;
    Reference::parse(&format!("quay.io/jetstack/{SOLVER}:{tag}")).ok()
}
