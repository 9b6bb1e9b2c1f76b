//! The sets of characters that Go's `unicode` package knows by name, and its case folding. Go stands at Unicode 15.0
//! (Go 1.21 to 1.26), the tables here are newer: what came later is taken out again.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// Everything that was assigned by Unicode 15.0.
static KNOWN: LazyLock<ClassUnicode> = LazyLock::new(|| class(r"\p{age=15.0}"));

/// Categories by Go's names; only those without underscore, which is how Go 1.25 and later look them up.
const CATEGORIES: &str = " C Cc Cf Cn Co Cs L Lc Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk \
                          Sm So Z Zl Zp Zs ";

/// Long names, as Go compares them: one capital, no underscores.
const ALIASES: &[(&str, &str)] = &[
    ("Casedletter", "Lc"),
    ("Closepunctuation", "Pe"),
    ("Cntrl", "Cc"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Digit", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punct", "P"),
    ("Punctuation", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Surrogate", "Cs"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
];

/// Scripts that Go 1.25 and later find. Those with an underscore in their name are in Go's table, but the lookup
/// removes underscores from what was asked for, so they are never found.
const SCRIPTS: &str = " Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi \
    Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret \
    Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi \
    Han Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer \
    Khojki Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean \
    Marchen Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya \
    Osage Osmanya Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian \
    Soyombo Sundanese Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta \
    Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi ";

fn class(pattern: &str) -> ClassUnicode {
    match regex_syntax::parse(pattern)
        .as_ref()
        .map(regex_syntax::hir::Hir::kind)
    {
        Ok(HirKind::Class(Class::Unicode(class))) => class.clone(),
        // A set of one is parsed as that character.
        Ok(HirKind::Literal(one)) => {
            let text = String::from_utf8_lossy(&one.0);
            ClassUnicode::new(text.chars().map(|c| ClassUnicodeRange::new(c, c)))
        }
        _ => ClassUnicode::empty(),
    }
}

/// A set that has a name.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) set: ClassUnicode,
    /// `(?i)` widens it. Go has no table for cased letters, so these stay as they are.
    pub(super) folds: bool,
    /// Releases of Go before 1.25 do not know the name.
    pub(super) recent: bool,
}

/// The set of `\p{name}`.
pub(super) fn named(name: &str) -> Option<Named> {
    let asked = name;
    let name = canonical(name);
    let alias = ALIASES
        .iter()
        .find(|(long, _)| *long == name)
        .map(|(_, short)| *short);
    let known = |list: &str, name: &str| !name.is_empty() && list.contains(&format!(" {name} "));
    let short = alias.unwrap_or(&name);
    let set = match short {
        "Any" => every(),
        "Ascii" => ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]),
        "Assigned" => assigned(),
        "Cn" => negate(assigned()),
        "C" => negate(class(r"[\pL\pM\pN\pP\pS\pZ&&\p{age=15.0}]")),
        // AHOM CONSONANT SIGN MEDIAL RA became a spacing mark later.
        "Mc" => class(r"[\p{Mc}&&\p{age=15.0}--\x{1171E}]"),
        "Mn" => class(r"[\p{Mn}\x{1171E}&&\p{age=15.0}]"),
        // Surrogates are in no text.
        "Cs" => ClassUnicode::empty(),
        "Lc" => class(r"[\p{Lu}\p{Ll}\p{Lt}&&\p{age=15.0}]"),
        short if known(CATEGORIES, short) => class(&format!(r"[\p{{gc={short}}}&&\p{{age=15.0}}]")),
        script if known(SCRIPTS, script) => class(&format!(r"[\p{{sc={script}}}&&\p{{age=15.0}}]")),
        _ => return None,
    };
    let recent = alias.is_some() || asked != name || matches!(&*name, "Ascii" | "Assigned" | "Cn" | "Lc");
    Some(Named {
        set,
        folds: short != "Lc",
        recent,
    })
}

fn assigned() -> ClassUnicode {
    class(r"[\pL\pM\pN\pP\pS\pZ\p{Cc}\p{Cf}\p{Co}&&\p{age=15.0}]")
}

/// One capital, the rest small, without spaces, hyphens and underscores: how Go compares names.
fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        out.push(if out.is_empty() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        });
    }
    out
}

/// Every character.
pub(super) fn every() -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)])
}

/// What is not in the set.
pub(super) fn negate(mut set: ClassUnicode) -> ClassUnicode {
    set.negate();
    set
}

/// The set with every other case of its characters, as Go 1.26 folds.
pub(super) fn fold(set: &ClassUnicode) -> ClassUnicode {
    let mut folded = set.clone();
    // Cannot fail: the tables are compiled in.
    if set.iter().all(|range| range.end().is_ascii()) {
        let _ = folded.try_case_fold_simple();
        return folded;
    }
    folded.intersect(&KNOWN);
    let _ = folded.try_case_fold_simple();
    folded.intersect(&KNOWN);
    folded.union(set);
    folded
}

/// Whether a character may be part of a group's name in a replacement: a letter, a decimal digit, `_`.
pub(super) fn is_name(c: char) -> bool {
    static NAME: LazyLock<ClassUnicode> = LazyLock::new(|| class(r"[\pL\p{Nd}_&&\p{age=15.0}]"));
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let ranges = NAME.ranges();
    let place = ranges.partition_point(|range| range.end() < c);
    ranges.get(place).is_some_and(|range| range.start() <= c)
}
