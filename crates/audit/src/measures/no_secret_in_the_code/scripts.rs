//! What a page loads: scripts that its HTML names, chunks that scripts name, source maps. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// A pattern that is tested; one that were none would find nothing, and the test would say so.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static IN_HTML: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"(?is)<(script|link)\b[^>]*?\s(?:src|href)\s*=\s*["']?([^"'\s>]+)"#));
static IN_SCRIPT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"["'`]([A-Za-z0-9_@./~+\-\[\]]{1,200}\.m?js)(?:\?[^"'`\s]{0,60})?["'`]"#));
/// webpack's: `"js/"+e+"."+{12:"ab12"}[e]+".js"`, the name perhaps from a table of its own.
static COMPUTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#""([^"]{0,80})"\s*\+\s*(?:\(?\(?\{([^{}]*)\}\)?\[\w+\](?:\s*\|\|\s*\w+\)?)?|\(?\w+\)?)\s*\+\s*"([.\-_]?)"\s*\+\s*\{([^{}]+)\}\[\w+\]\s*\+\s*"([^"]{0,30}\.m?js)""#,
    )
});
static ENTRY: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"["']?([A-Za-z0-9_~\-/]{1,80})["']?\s*:\s*"([^"]{1,80})""#));
static MAP: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?m)^[ \t]*(?://|/\*)[#@] ?sourceMappingURL=([^\s*]+)"));

/// What an HTML page loads as scripts.
pub(super) fn of_page(html: &str) -> Vec<String> {
    let Some(pattern) = IN_HTML.as_ref() else { return Vec::new() };
    pattern
        .captures_iter(html)
        .filter(|found| {
            let path = found[2].split(['?', '#']).next().unwrap_or_default();
            found[1].eq_ignore_ascii_case("script") || path.ends_with(".js") || path.ends_with(".mjs")
        })
        .map(|found| found[2].replace("&amp;", "&"))
        .filter(|address| !address.starts_with("data:"))
        .collect()
}

/// What a script names that may be a chunk of its own.
pub(super) fn of_script(script: &str) -> Vec<String> {
    let Some(pattern) = IN_SCRIPT.as_ref() else { return Vec::new() };
    let mut names: Vec<String> = pattern
        .captures_iter(script)
        .map(|found| found[1].to_owned())
        // The end of a name that is put together.
        .filter(|name| !name.starts_with('.') || name.starts_with("./") || name.starts_with("../"))
        .collect();
    if let (Some(computed), Some(entry)) = (COMPUTED.as_ref(), ENTRY.as_ref()) {
        for found in computed.captures_iter(script) {
            let named: Vec<(String, String)> =
                entries(entry, found.get(2).map_or("", |names| names.as_str()));
            for (id, hash) in entries(entry, &found[4]) {
                let name = named
                    .iter()
                    .find(|(known, _)| *known == id)
                    .map_or(id.as_str(), |(_, name)| name.as_str());
                names.push(format!("{}{name}{}{hash}{}", &found[1], &found[3], &found[5]));
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

fn entries(entry: &Regex, table: &str) -> Vec<(String, String)> {
    entry.captures_iter(table).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
}

/// Whether a script puts names of chunks together in a way that is not understood here.
pub(super) fn computes_more(script: &str) -> bool {
    let computes = ["+\".js\"", "+ \".js\"", "+\".chunk.js\"", "+'.js'", "${e}.js`", "+\".mjs\""];
    let understood = COMPUTED.as_ref().is_some_and(|pattern| pattern.is_match(script));
    let loads = script.contains("import(") || script.contains("createElement(\"script\")");
    loads && !understood && computes.iter().any(|way| script.contains(way))
}

/// Where a script says that its source map is.
pub(super) fn map_of(script: &str) -> Option<String> {
    MAP.as_ref()?.captures_iter(script).last().map(|found| found[1].to_owned())
}

/// What is in a source map.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// Texts, by name.
    pub(super) texts: Vec<(String, String)>,
    /// Sections that lie elsewhere, or are none.
    pub(super) elsewhere: usize,
}

/// The sources in a source map, and in those that its sections hold.
pub(super) fn sources(map: &[u8]) -> Option<Sources> {
    // Before the JSON there may be a line that keeps scripts from reading it.
    let map = match map.strip_prefix(b")]}'") {
        Some(rest) => rest.splitn(2, |byte| *byte == b'\n').nth(1)?,
        None => map,
    };
    let map: serde_json::Value = serde_json::from_slice(map).ok()?;
    map.get("mappings").or_else(|| map.get("sections"))?;
    let mut sources = Sources::default();
    gather(&map, &mut sources);
    Some(sources)
}

/// No deeper than the JSON's reader goes.
fn gather(map: &serde_json::Value, sources: &mut Sources) {
    sources.texts.extend(own(map));
    for section in map.get("sections").and_then(|sections| sections.as_array()).into_iter().flatten() {
        match section.get("map").filter(|map| map.is_object()) {
            Some(map) => gather(map, sources),
            None => sources.elsewhere += 1,
        }
    }
}

fn own(map: &serde_json::Value) -> Vec<(String, String)> {
    let texts = |member: &str| map.get(member).and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let names = texts("sources");
    let contents = texts("sourcesContent").into_iter().enumerate();
    contents
        .filter_map(|(at, content)| {
            let name = names.get(at).and_then(|name| name.as_str()).unwrap_or("a source");
            Some((name.to_owned(), content.as_str()?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_a_page() {
        let html = r#"<link rel="stylesheet" href="a.css"><link rel=modulepreload href=/assets/v-1.js>
            <script type="module" crossorigin src="/assets/index-B2.js?x=1&amp;y=2"></script>
            <SCRIPT defer src='https://cdn.example/x.js'></SCRIPT><script>inline()</script>"#;
        assert_eq!(
            of_page(html),
            ["/assets/v-1.js", "/assets/index-B2.js?x=1&y=2", "https://cdn.example/x.js"]
        );
    }

    #[test]
    fn chunks_of_a_script() {
        let vite = r#"const d=["assets/Page-D1.js","assets/x.css"];import("./Other-9f.js")"#;
        assert_eq!(of_script(vite), ["./Other-9f.js", "assets/Page-D1.js"]);
        let webpack = r#"u=e=>"static/js/"+e+"."+{12:"ab12cd",453:"77aa"}[e]+".chunk.js""#;
        assert_eq!(of_script(webpack), ["static/js/12.ab12cd.chunk.js", "static/js/453.77aa.chunk.js"]);
        let named = r#"u=e=>"js/"+({12:"home"}[e]||e)+"."+{12:"ab",13:"cd"}[e]+".js""#;
        assert_eq!(of_script(named), ["js/13.cd.js", "js/home.ab.js"]);
        assert!(computes_more(r#"import("./p/"+hash(e)+".js")"#));
        assert!(!computes_more(vite) && !computes_more(webpack));
    }

    #[test]
    fn source_maps() {
        let script = "a();\n//# sourceMappingURL=index-B2.js.map\n";
        assert_eq!(map_of(script).as_deref(), Some("index-B2.js.map"));
        assert_eq!(map_of("const s = 'sourceMappingURL='"), None);
        let map = br#"{"version":3,"sources":["src/a.ts"],"sourcesContent":["let a\n"],"mappings":""}"#;
        let a = || ("src/a.ts".to_owned(), "let a\n".to_owned());
        assert_eq!(sources(map), Some(Sources { texts: vec![a()], elsewhere: 0 }));
        assert_eq!(sources(&[b")]}'\n", &map[..]].concat()).map(|found| found.texts), Some(vec![a()]));
        let map = String::from_utf8_lossy(map);
        let nested = format!(
            r#"{{"sections":[{{"map":{{"sections":[{{"map":{map}}}]}}}},{{"url":"b.map"}},{{"map":{map}}}]}}"#
        );
        assert_eq!(sources(nested.as_bytes()), Some(Sources { texts: vec![a(), a()], elsewhere: 1 }));
        assert_eq!(sources(b"<!doctype html>"), None);
    }
}
