//! The known name that a misspelt one is meant to be.

/// The candidate that a word was most likely meant to be: the same but for capitals, or else few slips away
/// (a letter too many, too few, wrong, or two swapped). The first of equals. Never the word itself.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded: Vec<char> = fold(word);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().filter(|candidate| *candidate != word) {
        let other = fold(candidate);
        // A third of the longer word may be wrong: `tsl` is `tls`, `ca` is not `tls`.
        let bound = (folded.len().max(other.len()) / 3).clamp(usize::from(folded.len() > 1), 4);
        let slips = distance(&folded, &other);
        if slips <= bound && best.is_none_or(|(fewest, _)| slips < fewest) {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Capitals, `-` and `_` are the slips that count least.
fn fold(word: &str) -> Vec<char> {
    word.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' { '_' } else { c })
        .collect()
}

/// The distance of Damerau and Levenshtein in which no letters are changed twice.
fn distance(a: &[char], b: &[char]) -> usize {
    if a.len().abs_diff(b.len()) > 4 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut slips = (row[j + 1] + 1)
                .min(next[j] + 1)
                .min(row[j] + usize::from(x != y));
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                slips = slips.min(before[j - 1] + 1);
            }
            next.push(slips);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}
