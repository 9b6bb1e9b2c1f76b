//! How lines grow the tree, and which definitions contradict earlier ones.

use landfall_diag::{Span, Spanned};

use super::parser::{Fail, Key, Scan};
use super::value::{Entry, Kind, Origin, Table, Value};

/// The table that a header opened last.
pub(super) fn reach<'t>(root: &'t mut Table, key: &Key) -> Option<&'t mut Table> {
    key.iter().try_fold(root, |table, part| {
        let at = table.position(&part.value)?;
        match &mut table.entries.get_mut(at)?.value.kind {
            Kind::Table(table) => Some(table),
            Kind::Tables(all) => all.last_mut(),
            _ => None,
        }
    })
}

/// A `[header]`, or a `[[double]]` one.
pub(super) fn open(root: &mut Table, key: &Key, double: bool, span: Span) -> Scan<()> {
    let Some((last, steps)) = key.split_last() else {
        return Ok(());
    };
    let mut table = root;
    for part in steps {
        let at = table.position(&part.value);
        let at = at.unwrap_or_else(|| table.add(part.clone(), of(Origin::Implied), span));
        let next = match &mut table.entries[at].value.kind {
            Kind::Table(next) if next.origin != Origin::Inline => Some(next),
            Kind::Tables(all) => all.last_mut(),
            _ => None,
        };
        let message = || format!("key {} already exists as a value", part.value);
        table = next.ok_or_else(|| at_key(key, message()))?;
    }
    let Some(at) = table.position(&last.value) else {
        let kind = match double {
            true => Kind::Tables(vec![Table::new(Origin::Header)]),
            false => of(Origin::Header),
        };
        table.add(last.clone(), kind, span);
        return Ok(());
    };
    let value = &mut table.entries[at].value;
    let fault = match (double, &mut value.kind) {
        (true, Kind::Tables(all)) => {
            all.push(Table::new(Origin::Header));
            return Ok(());
        }
        (false, Kind::Table(table)) if table.origin == Origin::Implied => {
            table.origin = Origin::Header;
            value.span = span;
            return Ok(());
        }
        (true, kind) => twice_double(&last.value, kind),
        (false, kind) => twice_single(&last.value, kind),
    };
    Err(at_key(key, fault))
}

/// A key, dotted perhaps, and its value.
pub(super) fn set(table: &mut Table, key: Key, value: Value) -> Scan<()> {
    let Some((last, steps)) = key.split_last() else {
        return Ok(());
    };
    let twice = |part: &Spanned<String>| at_key(&key, format!("key {} is already defined", part.value));
    let mut table = table;
    for part in steps {
        let at = table.position(&part.value);
        let at = at.unwrap_or_else(|| table.add(part.clone(), of(Origin::Dotted), part.span));
        table = match &mut table.entries[at].value.kind {
            Kind::Table(next) if next.origin == Origin::Dotted => next,
            _ => return Err(twice(part)),
        };
    }
    if table.position(&last.value).is_some() {
        return Err(twice(last));
    }
    table.entries.push(Entry {
        key: last.clone(),
        value,
    });
    Ok(())
}

impl Table {
    fn add(&mut self, key: Spanned<String>, kind: Kind, span: Span) -> usize {
        let value = Value { kind, span };
        self.entries.push(Entry { key, value });
        self.entries.len() - 1
    }
}

fn of(origin: Origin) -> Kind {
    Kind::Table(Table::new(origin))
}

fn twice_single(name: &str, kind: &Kind) -> String {
    match kind {
        Kind::Table(table) if table.origin == Origin::Header => format!("table {name} already exists"),
        Kind::Table(table) if table.origin == Origin::Dotted => {
            format!("table {name} already exists as defined by a dotted key")
        }
        Kind::Tables(_) => format!("table {name} already exists as an array of tables"),
        _ => format!("key {name} should be a table, not a value"),
    }
}

fn twice_double(name: &str, kind: &Kind) -> String {
    let was = match kind {
        Kind::Table(table) if table.origin == Origin::Dotted => "kv-table",
        Kind::Table(table) if table.origin != Origin::Inline => "table",
        _ => "value",
    };
    format!("key {name} already exists as a {was}, but should be an array table")
}

fn at_key(key: &[Spanned<String>], message: String) -> Fail {
    let range = match (key.first(), key.last()) {
        (Some(first), Some(last)) => first.span.to(last.span).range(),
        _ => 0..0,
    };
    Fail::new(range.start, range.len(), message)
}
