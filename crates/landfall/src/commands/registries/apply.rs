//! `registries apply`: certs.d of this node, written and taken back.

use std::collections::BTreeSet;
use std::path::Path;

use landfall_diag::{Sources, diff};
use landfall_node::NodeError;
use landfall_node::apply::{Action, Applier, ApplyOptions, OnConflict, Owner, Plan, PlannedFile};
use landfall_registries::runtimes::containerd::Release;
use landfall_registries::{Loss, k3s};
use serde_json::{Value, json};

use super::certs_d::Tree;
use super::configuration::{self, k3s_options};
use super::gather::Gathered;
use crate::args::{Apply, Format, NodeArgs, Program};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, out};

/// Where K3s and RKE2 keep what they write for their containerd.
const RANCHER: &str = "var/lib/rancher";

pub(super) fn run(args: &Apply) -> Result<Exit, Failure> {
    let applier = Applier::new(&args.certs_d);
    let on_conflict = match args.replace_foreign {
        true => OnConflict::Replace,
        false => OnConflict::Refuse,
    };
    let told = match args.undo {
        true => undo(args, &applier, on_conflict)?,
        false => apply(args, &applier, on_conflict)?,
    };
    match args.output.output {
        Output::Text => out::result(&told.text()),
        Output::Json => out::result(&format!("{:#}\n", told.json())),
    }
    Ok(told.exit())
}

fn apply(args: &Apply, applier: &Applier, on_conflict: OnConflict) -> Result<Told, Failure> {
    let gathered = Gathered::read(&args.files, args.format.format)?;
    let is_rancher = is_rancher(&args.certs_d);
    let mut options = ApplyOptions {
        on_conflict,
        ..ApplyOptions::default()
    };
    if is_rancher && gathered.format == Format::RegistriesYaml {
        options.rewritten_by_k3s = rewritten(&gathered, &args.node)?;
    }
    let release = release(&args.node, is_rancher)?;
    // Elsewhere a relative path begins where the runtime begins, which is not here.
    let is_tree = matches!(
        gathered.format,
        Format::HostsToml | Format::RegistriesConf | Format::DaemonJson
    );
    let beside = is_tree.then(|| gathered.root.clone());
    let wanted = configuration::wanted(gathered, &args.node, args.deny_upstream)?;
    let tree = Tree::new(wanted, release, &args.certs_d, beside.as_deref());
    let plan = applier.plan(&tree.wanted, &options).map_err(failure)?;
    let is_blocked = on_conflict_stops(&plan, on_conflict);
    if !args.dry_run && !is_blocked {
        applier.apply(&tree.wanted, &options).map_err(failure)?;
    }
    Ok(Told {
        verb: "apply",
        dry_run: args.dry_run,
        is_blocked,
        plan,
        losses: tree.losses,
        missing: tree.missing,
        sources: tree.sources,
    })
}

fn undo(args: &Apply, applier: &Applier, on_conflict: OnConflict) -> Result<Told, Failure> {
    let plan = applier.plan_undo(on_conflict).map_err(failure)?;
    let is_blocked = on_conflict_stops(&plan, on_conflict);
    if !args.dry_run && !is_blocked {
        applier.undo(on_conflict).map_err(failure)?;
    }
    Ok(Told {
        verb: "undo",
        dry_run: args.dry_run,
        is_blocked,
        plan,
        losses: Vec::new(),
        missing: BTreeSet::new(),
        sources: Sources::default(),
    })
}

/// A link or folder in a file's place is in the way whatever was asked for.
fn on_conflict_stops(plan: &Plan, on_conflict: OnConflict) -> bool {
    let mut conflicts = plan.conflicts();
    match on_conflict {
        OnConflict::Keep => false,
        _ => conflicts.next().is_some(),
    }
}

fn failure(error: NodeError) -> Failure {
    let exit = match error {
        NodeError::Name { .. } => Exit::Usage,
        NodeError::NothingToUndo { .. } => Exit::Partial,
        _ => Exit::Local,
    };
    Failure::new(exit, error.to_string())
}

/// Also below another root: a node's disk may be mounted somewhere.
fn is_rancher(certs_d: &Path) -> bool {
    let whole = std::path::absolute(certs_d).unwrap_or_else(|_| certs_d.to_owned());
    whole.to_string_lossy().contains(RANCHER)
}

/// Only what lies below its own folder is read by K3s' containerd, which rewrites.
fn release(node: &NodeArgs, is_rancher: bool) -> Result<Release, Failure> {
    let fork = is_rancher || node.program == Program::Rke2 || node.k3s_version.is_some();
    let two = configuration::release(node)? >= landfall_registries::containerd::Release::V2_0;
    Ok(Release { two, fork })
}

/// The folders that K3s or RKE2 will write from the same file at its next start.
fn rewritten(gathered: &Gathered, node: &NodeArgs) -> Result<BTreeSet<String>, Failure> {
    let (_, reading) = configuration::rancher(gathered)?;
    let Ok(file) = reading.registries else {
        return Ok(BTreeSet::new());
    };
    let rendering = k3s::Rendering::new(&file, &k3s_options(node)?);
    Ok(rendering
        .hosts
        .into_iter()
        .filter_map(|file| file.directory)
        .collect())
}

/// What would be done, or was.
struct Told {
    verb: &'static str,
    dry_run: bool,
    is_blocked: bool,
    plan: Plan,
    losses: Vec<Loss>,
    missing: BTreeSet<String>,
    sources: Sources,
}

impl Told {
    fn exit(&self) -> Exit {
        match (self.is_blocked, self.losses.is_empty() && self.missing.is_empty()) {
            (true, _) => Exit::Local,
            (false, true) => Exit::Complete,
            (false, false) => Exit::Partial,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.dry_run {
            self.plan.changes().for_each(|file| text += &change(file));
        } else if !self.is_blocked {
            for file in self.plan.changes() {
                text += &format!("{:<8} {}\n", done(file.action), name(file));
            }
        }
        for file in self.plan.conflicts() {
            text += &format!(
                "CONFLICT {}: {}\n         {}\n",
                name(file),
                whose(file),
                advice(file)
            );
        }
        for kept in &self.plan.kept {
            text += &format!("kept     {} ({})\n", kept.name, kept.owner);
        }
        for warning in self.warnings() {
            text += &format!("warning: {warning}\n");
        }
        for loss in &self.losses {
            text += &format!(
                "not carried over: {}{}\n         why: {}\n         instead: {}\n",
                loss.what,
                self.place(loss)
                    .map(|place| format!(" ({place})"))
                    .unwrap_or_default(),
                loss.why,
                loss.advice
            );
        }
        text + &self.ending()
    }

    fn ending(&self) -> String {
        let changes = human::count(self.plan.changes().count(), "file");
        let root = self.plan.root.display();
        match (self.is_blocked, self.dry_run, self.plan.changes().next()) {
            (true, ..) => format!(
                "{}: nothing was changed: files of others are in the way\n",
                self.verb
            ),
            (_, _, None) => format!("{}: {root} is as it should be\n", self.verb),
            (_, true, _) => format!(
                "{}: {changes} would change in {root}; nothing was changed\n",
                self.verb
            ),
            _ => format!(
                "{}: {changes} changed in {root}; containerd reads it at the next pull, without a restart\n",
                self.verb
            ),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let plan = &self.plan;
        let mut all: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
        all.extend(plan.shadows.iter().map(ToString::to_string));
        all.extend(self.missing.iter().map(|path| {
            format!("{path} is not there: as long as it is missing, every pull through that folder fails as a whole")
        }));
        if plan.was_interrupted {
            all.push("an earlier apply was cut off; --undo goes back to what was before that one".to_owned());
        }
        all
    }

    fn place(&self, loss: &Loss) -> Option<String> {
        Some(self.sources.shown(loss.span?)).filter(|place| !place.is_empty())
    }

    fn json(&self) -> Value {
        let losses = self.losses.iter().map(|loss| {
            json!({
                "what": loss.what, "why": loss.why, "advice": loss.advice, "place": self.place(loss),
            })
        });
        let conflicts = self
            .plan
            .conflicts()
            .map(|file| json!({ "file": name(file), "whose": whose(file), "advice": advice(file) }));
        let diffs = self
            .plan
            .changes()
            .map(|file| json!({ "file": name(file), "diff": change(file) }));
        json!({
            "verb": self.verb,
            "dry_run": self.dry_run,
            "done": !self.dry_run && !self.is_blocked,
            "plan": self.plan,
            "changes": diffs.collect::<Vec<_>>(),
            "conflicts": conflicts.collect::<Vec<_>>(),
            "warnings": self.warnings(),
            "not_carried_over": losses.collect::<Vec<_>>(),
            "exit_code": self.exit() as u8,
        })
    }
}

fn name(file: &PlannedFile) -> String {
    format!("{}/{}", file.directory, file.name)
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Remove => "removed",
        _ => "changed",
    }
}

/// What changes in a file; of private ones only that it does.
fn change(file: &PlannedFile) -> String {
    let text =
        |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    if file.is_private() {
        return format!(
            "{} {}: for its owner alone, and not shown\n",
            done(file.action),
            name(file)
        );
    }
    let told = diff(&text(&file.before), &text(&file.after), &name(file));
    match (told.is_empty(), file.modes) {
        (true, (Some(before), Some(after))) => {
            format!("{}: permissions {before:o} to {after:o}\n", name(file))
        }
        (true, _) => format!("{} {}: empty\n", done(file.action), name(file)),
        (false, _) => told,
    }
}

fn whose(file: &PlannedFile) -> String {
    match (file.action, file.owner) {
        (Action::Obstacle, _) => "there is a link, a folder or a device in its place".to_owned(),
        (_, Some(owner)) => owner.to_string(),
        (_, None) => "changed since by another program".to_owned(),
    }
}

fn advice(file: &PlannedFile) -> &'static str {
    match (file.action, file.owner) {
        (Action::Obstacle, _) => "remove it yourself: links and folders are never replaced",
        (_, Some(Owner::K3s | Owner::Rke2)) => {
            "it is written again at each start: change registries.yaml instead, or take this registry out of it, \
             restart, and apply then"
        }
        (_, Some(Owner::Spegel)) => "end Spegel on this node, or leave this registry to it",
        (_, Some(Owner::LandfallEdited)) => {
            "take the change by hand over into FILE, then give --replace-foreign; --undo brings it back"
        }
        _ => "take what it says over into FILE, then give --replace-foreign; --undo brings it back",
    }
}
