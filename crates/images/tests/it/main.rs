//! The list reader against real lists. They come from elsewhere and stay there: these checks run only where the
//! folder of lists stands beside the project.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod chart;
mod manifests;
mod rke;

use std::path::PathBuf;

use landfall_images::{List, NoteKind};

fn real_list(name: &str) -> Option<List> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lists");
    if !folder.exists() {
        eprintln!("no real lists beside the project: {name} not checked");
        return None;
    }
    Some(List::parse_bytes(&std::fs::read(folder.join(name)).unwrap()).unwrap())
}

fn count(list: &List, kind: NoteKind) -> usize {
    list.notes.iter().filter(|note| note.kind == kind).count()
}

#[test]
fn the_last_line_without_newline_is_an_image() {
    let Some(list) = real_list("movers_rancher-v2.7.9_712_nofinalnewline.txt") else {
        return;
    };
    assert_eq!(list.entries.len(), 712);
    let last = &list.entries.last().unwrap().text;
    assert!(
        last.ends_with("cluster-api-provider-rke2-controlplane:v0.2.2"),
        "{last}"
    );
    assert_eq!(count(&list, NoteKind::NoFinalNewline), 1);
    assert_eq!(list.errors().count(), 0);
}

#[test]
fn the_current_list_is_read_whole() {
    let Some(list) = real_list("movers_rancher-v2.13.2_568.txt") else {
        return;
    };
    assert_eq!(list.entries.len(), 568);
    assert_eq!(list.errors().count(), 0);
}

#[test]
fn dirty_rke_output_gives_its_images_and_notes() {
    let Some(list) = real_list("rke/rke-v1.6.3-system-images-default.stdout-with-logline.txt") else {
        return;
    };
    assert_eq!((list.entries.len(), count(&list, NoteKind::LogLine)), (26, 1));
    let Some(list) = real_list("rke/rke-v1.6.3-system-images-all.stdout-with-loglines.txt") else {
        return;
    };
    assert_eq!(count(&list, NoteKind::LogLine), 4);
    assert_eq!(list.entries.len() + count(&list, NoteKind::Duplicate), 110);
    assert_eq!(list.errors().count(), 0);
}

#[test]
fn every_real_list_is_read_without_a_false_error() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lists");
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "txt") {
                let list = List::parse_bytes(&std::fs::read(&path).unwrap()).unwrap();
                let errors: Vec<_> = list.errors().map(ToString::to_string).collect();
                assert!(errors.is_empty(), "{}: {errors:?}", path.display());
                assert!(!list.entries.is_empty(), "{}", path.display());
            }
        }
    }
}
