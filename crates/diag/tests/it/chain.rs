//! Anchors that nest in one another by way of aliases.

use landfall_diag::{SourceId, yaml};

#[test]
fn aliases_do_not_nest_deeper_than_a_text_may() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
    let mut chain = format!("a0: &a0 {}\n", deep("x"));
    for level in 1..400 {
        chain += &format!("a{level}: &a{level} {}\n", deep(&format!("*a{}", level - 1)));
    }
    let error = yaml::parse(SourceId(0), &chain).unwrap_err();
    assert_eq!(error.message, "yaml: nested too deeply");
    assert!(chain[error.span.range()].starts_with("*a"));
    // Next to one another they may stand as often as one likes.
    let wide = format!("a: &a {}\nb: [{}]\n", deep("x"), vec!["*a"; 500].join(", "));
    assert!(yaml::parse(SourceId(0), &wide).is_ok());
}
