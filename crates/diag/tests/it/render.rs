use landfall_diag::render::*;
use landfall_diag::*;

#[test]
fn demo() {
    let text = "\u{feff}mirrors:\n  docker.io:\n    endpoint:\n      - \"https://harbor\u{200b}.example.com\"\n    rewrite:\n\t\"^rancher/\\.(.*)\": \"x\"\r\n      b:\u{a0}c\n# a very long line follows\nlong: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaHEREbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\nconfigs:\n  a:\n    auth: {token: x}\nq: \"unclosed\n";
    let mut s = Sources::default();
    let id = s.add(Source::new("/etc/rancher/k3s/registries.yaml", text));
    let at = |w: &str| {
        let a = text.find(w).unwrap();
        Span::new(id, a..a + w.len())
    };
    let d = vec![
        Diagnostic::at(
            "L01",
            Severity::Error,
            at("\\."),
            "the pattern's backslash breaks hosts.toml",
        )
        .label("an unknown escape in TOML")
        .also(at("docker.io"), "for this registry")
        .consequence("containerd cannot read hosts.toml and asks docker.io itself")
        .consequence("even with --disable-default-registry-endpoint")
        .help("write [.] for a literal dot")
        .fix(
            "write the pattern without a backslash",
            vec![Edit {
                span: at("\\."),
                text: "[.]".into(),
            }],
        ),
        Diagnostic::at(
            "L02",
            Severity::Warning,
            at("\u{200b}"),
            "there is U+200B ZERO WIDTH SPACE in the host",
        )
        .label("here")
        .fix(
            "remove it",
            vec![Edit {
                span: at("\u{200b}"),
                text: "".into(),
            }],
        ),
        Diagnostic::at("L03", Severity::Note, at("HERE"), "long").label("in a long line"),
        Diagnostic::at("L04", Severity::Error, at("\t"), "a tab").label("tab"),
        Diagnostic::at("L05", Severity::Error, at("\u{a0}c"), "nbsp").label("not a blank"),
        Diagnostic::at(
            "L06",
            Severity::Error,
            Span::new(id, text.len()..text.len()),
            "end",
        )
        .label("ends here")
        .also(at("\"unclosed"), "began here"),
        Diagnostic::at("L07", Severity::Error, at("\u{feff}"), "bom").label("bom"),
        Diagnostic::at("L08", Severity::Error, at("docker.io:\n    endpoint:\n"), "multi").label("these"),
        Diagnostic::whole("L09", Severity::Warning, "no place").help("nothing"),
        Diagnostic::at("L10", Severity::Warning, at("token"), "unknown key")
            .label("is not read")
            .fix(
                "add a line",
                vec![Edit {
                    span: at("configs:\n").to(at("configs:\n")),
                    text: "configs:\n  new: line\n".into(),
                }],
            ),
    ];
    println!("{}", render_text(&s, &d, Style::default()));
    println!(
        "{}",
        render_text(
            &s,
            &d[..1],
            Style {
                colour: false,
                width: 80,
                unicode: true
            }
        )
    );
    println!("{}", render_short(&s, &d));
    println!("{}", render_json(&s, &d[..1]));
    println!(
        "{}",
        render_sarif(
            &s,
            &d[..1],
            Tool {
                name: "t",
                version: "1",
                uri: None
            },
            &[Rule {
                id: "L01",
                name: "x",
                summary: "y",
                explanation: "",
                severity: Severity::Error
            }]
        )
    );
}
