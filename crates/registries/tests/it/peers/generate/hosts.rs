//! The text of a hosts.toml.

use std::fmt::Write as _;

use super::{Generator, Place};
use crate::peers::pki::{Material, Security};

impl Generator {
    pub(super) fn hosts_toml(&mut self, registry: &Place, nth: usize) -> String {
        let mut number = nth * 7;
        let mut next = || {
            number += 1;
            number
        };
        let mut out = self.pick(&["", "", "", "# made by hand\n", "\n\n"]).to_owned();
        out += &self.server(registry, &mut next);
        let count = self.pick(&[0, 1, 1, 1, 2, 2, 3, 4]);
        if count > 0 && self.chance(30) {
            out += "\n[host]\n";
        }
        let mut earlier: Option<String> = None;
        for _ in 0..count {
            let place = self.endpoint(next());
            let mut url = self.url(&place);
            if let Some(earlier) = earlier.as_ref().filter(|_| self.random.below(50) == 0) {
                url.clone_from(earlier);
            }
            let _ = writeln!(out, "\n[host.{url:?}]");
            for line in self.settings(&place, &url) {
                let _ = writeln!(out, "  {line}");
            }
            earlier = Some(url);
        }
        if self.chance(4) {
            out = self.damaged(out);
        }
        if self.chance(3) {
            out = out.replace('\n', "\r\n");
        }
        out
    }

    /// `server` and what belongs to it.
    fn server(&mut self, registry: &Place, next: &mut dyn FnMut() -> usize) -> String {
        let (place, url) = match self.random.below(20) {
            0..=5 => (registry.clone(), None),
            6 | 7 => (registry.clone(), Some(String::new())),
            8..=12 => (registry.clone(), Some(self.url(registry))),
            13 => (registry.clone(), Some(format!("https://{}", registry.host))),
            _ => {
                let place = self.endpoint(next());
                let url = self.url(&place);
                (place, Some(url))
            }
        };
        let mut out = String::new();
        if let Some(url) = &url {
            let _ = writeln!(out, "server = {url:?}");
        }
        if self.chance(50) {
            for line in self.settings(&place, url.as_deref().unwrap_or_default()) {
                // Tables cannot stand before what follows.
                if !line.contains("header]") {
                    let _ = writeln!(out, "{line}");
                }
            }
        }
        out
    }

    /// A URL of a host, mostly of the right scheme.
    fn url(&mut self, place: &Place) -> String {
        let plain = place.security == Security::Plain;
        let scheme = match self.random.below(20) {
            0 => "",
            1 => "http://",
            2 => "https://",
            3 if !plain => "",
            4 => "HTTP://",
            _ if plain => "http://",
            _ => "https://",
        };
        let path = self.pick(&[
            "", "", "", "", "", "/", "/v2", "/v2", "/v2", "/v2/", "/us", "/us/v2", "/v2/us", "/a/b/",
            "/v2/../x", "/v2?x=y", "/%7Euser", "/v2#part",
        ]);
        let host = &place.host;
        match self.random.below(40) {
            0 => format!("{scheme}user:pass@{host}{path}"),
            1 => self
                .pick(&[
                    "https://",
                    "http:///v2",
                    "https://[bad",
                    "https://a b/v2",
                    "/v2",
                    "httpbin.test",
                ])
                .to_owned(),
            _ => format!("{scheme}{host}{path}"),
        }
    }

    fn settings(&mut self, place: &Place, url: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.chance(60) {
            let list = match self.random.below(20) {
                0..=8 => r#"["pull", "resolve"]"#,
                9..=12 => r#"["pull", "resolve", "push"]"#,
                13 => r#"["pull"]"#,
                14 => r#"["resolve"]"#,
                15 => r#"["push"]"#,
                16 => "[]",
                17 => r#"["resolve", "pull", "pull"]"#,
                18 => r#"["pull", "resolve", "referrers"]"#,
                _ => self.pick(&[
                    r#"["PULL"]"#,
                    r#"["pull", "fly"]"#,
                    r#""pull""#,
                    r#"["pull", "resolve"]"#,
                ]),
            };
            lines.push(format!("capabilities = {list}"));
        }
        self.tls(place, &mut lines);
        if self.chance(20) {
            lines.push(format!(
                "override_path = {}",
                self.pick(&["true", "true", "true", "false", "\"yes\""])
            ));
        }
        if self.chance(6) {
            let line = self.pick(&[
                r#"dial_timeout = "5s""#,
                r#"dial_timeout = "bad""#,
                "unknown = 1",
                r#"rewrite = { "^a" = "b" }"#,
                "capability = [\"pull\"]",
            ]);
            lines.push(line.to_owned());
        }
        if self.chance(8) {
            let line = self.pick(&[
                r#"header = { "X-One" = "1" }"#,
                r#"header = { "X-One" = ["1", "2"], x-two = "b" }"#,
                r#"header = { "X-One" = 1 }"#,
            ]);
            lines.push(line.to_owned());
        } else if self.chance(6) {
            lines.push(format!("[host.{url:?}.header]"));
            lines.push(r#"  x-custom = "y""#.to_owned());
        }
        lines
    }

    /// Certificates: mostly those that the server behind it needs.
    fn tls(&mut self, place: &Place, lines: &mut Vec<String>) {
        let path =
            |generator: &Self, material: Material| material.within(&generator.pki).display().to_string();
        let wants_ca = if place.security == Security::Known { 75 } else { 5 };
        if self.chance(wants_ca) {
            let known = path(self, Material::KnownCa);
            lines.push(match self.random.below(16) {
                0..=6 => format!("ca = {known:?}"),
                7..=9 => format!("ca = [{known:?}]"),
                10 => format!("ca = [{:?}, {known:?}]", path(self, Material::OtherCa)),
                11 | 12 => r#"ca = "near.pem""#.to_owned(),
                13 => format!("ca = {:?}", path(self, self.rarely())),
                14 => "ca = []".to_owned(),
                _ => "ca = true".to_owned(),
            });
        }
        let wants_client = if place.security == Security::Mutual { 70 } else { 4 };
        if self.chance(wants_client) {
            let (cert, key) = (path(self, Material::Cert), path(self, Material::Key));
            lines.push(match self.random.below(12) {
                0..=6 => format!("client = [[{cert:?}, {key:?}]]"),
                7 => format!("client = {:?}", path(self, Material::Pair)),
                8 => format!("client = [{:?}]", path(self, Material::Pair)),
                9 => format!("client = [[{cert:?}, \"\"]]"),
                10 => format!("client = [[{cert:?}, {:?}]]", path(self, Material::Missing)),
                _ => format!("client = [[{cert:?}, {key:?}, {key:?}]]"),
            });
        }
        let wants_skip = if place.security == Security::SelfSigned {
            70
        } else {
            6
        };
        if self.chance(wants_skip) {
            lines.push(format!(
                "skip_verify = {}",
                self.pick(&["true", "true", "true", "false"])
            ));
        }
    }

    fn rarely(&self) -> Material {
        if self.index.is_multiple_of(2) {
            Material::Missing
        } else {
            Material::Junk
        }
    }

    /// One small fault somewhere.
    fn damaged(&mut self, text: String) -> String {
        match self.random.below(8) {
            0 => text.replacen('"', "", 1),
            1 => text.replacen('=', "", 1),
            2 => text + "\n[host",
            3 => text + "\nserver = \"twice\"\n",
            4 => text + "\nkey = \"\\d\"\n",
            5 => "\u{feff}".to_owned() + &text,
            6 => text.replacen("[host.", "[hosts.", 1),
            _ => String::new(),
        }
    }
}
