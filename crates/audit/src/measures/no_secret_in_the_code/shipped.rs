//! Loads the frontend as a browser would, as far as that is possible without running it: the page, its scripts, the chunks
//! that scripts name, their source maps; and looks at every byte.

use std::collections::{BTreeSet, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::scan::live::Live;
use crate::scan::{self, Baseline, InText};
use crate::world::World;
use crate::world::http::{Http, Probe};

use super::scripts;

/// Files that are loaded at most.
const MOST: usize = 400;

/// What was loaded, and what was in it.
#[derive(Default)]
pub(super) struct Shipped {
    pub(super) frontend: Option<String>,
    pub(super) found: Vec<(String, InText)>,
    pub(super) gaps: Vec<String>,
    pub(super) scripts: usize,
    pub(super) maps: usize,
    pub(super) bytes: usize,
}

/// `[audit] frontend`, else the first origin of the frontend.
pub(super) fn frontend(world: &World) -> Option<String> {
    let config = &world.config;
    config.secrets.frontend.clone().or_else(|| config.frontend_origins.first().cloned())
}

/// One that waits to be loaded.
struct Wanted {
    url: Url,
    /// The page names it, so it must be there; what a script names may be something else.
    certain: bool,
}

pub(super) async fn observe(world: &World, live: &Live, baseline: &Baseline) -> Shipped {
    let mut seen = Shipped { frontend: frontend(world), ..Shipped::default() };
    let Some(page) = &seen.frontend else { return seen };
    let Ok(page) = Url::parse(page) else {
        seen.gaps.push(format!("{page} is no address"));
        return seen;
    };
    let agent = format!("portcullis-audit/{} run={}", world.config.version, world.id);
    let http = Http::of_frontend(agent, world.config.certificate_authority.as_deref());
    let look = |text: &[u8]| scan::in_text(text, live, baseline, world.now);
    let Some(html) = load(&http, &page, true, &mut seen).await else { return seen };
    seen.found.extend(look(&html).into_iter().map(|found| (page.to_string(), found)));
    let mut origins = BTreeSet::from([page.origin().ascii_serialization()]);
    let mut queue: VecDeque<Wanted> = VecDeque::new();
    for address in scripts::of_page(&String::from_utf8_lossy(&html)) {
        match page.join(&address) {
            Ok(url) => {
                origins.insert(url.origin().ascii_serialization());
                queue.push_back(Wanted { url, certain: true });
            }
            Err(_) => seen.gaps.push(format!("{address} is no address")),
        }
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    while let Some(Wanted { url, certain }) = queue.pop_front() {
        if !known.insert(url.to_string()) {
            continue;
        }
        if known.len() > MOST {
            seen.gaps.push(format!("more than {MOST} scripts: the rest was not loaded"));
            break;
        }
        let Some(body) = load(&http, &url, certain, &mut seen).await else { continue };
        // A page that answers everything has no script of that name.
        if !certain && body.trim_ascii_start().starts_with(b"<") {
            continue;
        }
        seen.scripts += 1;
        seen.found.extend(look(&body).into_iter().map(|found| (url.to_string(), found)));
        let script = String::from_utf8_lossy(&body);
        if scripts::computes_more(&script) {
            seen.gaps.push(format!("{url} puts names of scripts together: those were not loaded"));
        }
        for name in scripts::of_script(&script) {
            // Relative to the script, or to the page's folder: builders do either.
            for url in [url.join(&name), page.join(&name)].into_iter().flatten() {
                if origins.contains(&url.origin().ascii_serialization()) {
                    queue.push_back(Wanted { url, certain: false });
                }
            }
        }
        for (name, source) in maps(&http, &url, &script, &mut seen).await {
            seen.found.extend(look(source.as_bytes()).into_iter().map(|found| (name.clone(), found)));
        }
    }
    seen
}

/// The sources behind a script: by its last line, and by the usual name in case that only the line was taken away.
async fn maps(http: &Http, script: &Url, text: &str, seen: &mut Shipped) -> Vec<(String, String)> {
    let named = scripts::map_of(text);
    if let Some(inline) = named.as_ref().and_then(|name| name.strip_prefix("data:")) {
        let map = inline.split_once("base64,").and_then(|(_, data)| STANDARD.decode(data).ok());
        let Some(found) = map.and_then(|map| scripts::sources(&map)) else {
            // Percent-encoded, say.
            seen.gaps.push(format!("{script} carries its source map in a way that is not understood"));
            return Vec::new();
        };
        seen.maps += 1;
        elsewhere(script, &found, seen);
        return found.texts;
    }
    let mut usual = script.clone();
    usual.set_path(&format!("{}.map", script.path()));
    let mut urls: Vec<Url> =
        named.and_then(|name| script.join(&name).ok()).into_iter().chain([usual]).collect();
    urls.dedup();
    let mut sources = Vec::new();
    for url in urls {
        let Some(body) = load(http, &url, false, seen).await else { continue };
        if let Some(found) = scripts::sources(&body) {
            seen.maps += 1;
            elsewhere(&url, &found, seen);
            sources.extend(found.texts.into_iter().map(|(name, source)| (format!("{url} ({name})"), source)));
        }
    }
    sources
}

fn elsewhere(map: &Url, found: &scripts::Sources, seen: &mut Shipped) {
    if found.elsewhere > 0 {
        seen.gaps.push(format!("{} sections of the source map of {map} are not in it", found.elsewhere));
    }
}

async fn load(http: &Http, url: &Url, certain: bool, seen: &mut Shipped) -> Option<Vec<u8>> {
    match http.send(Probe::new("GET", url.as_str())).await {
        // A body over the limit arrives as none.
        Ok(answer) if answer.status == 200 && (!answer.body.is_empty() || !certain) => {
            seen.bytes += answer.body.len();
            Some(answer.body.to_vec())
        }
        Ok(answer) if answer.status == 200 => {
            seen.gaps.push(format!("{url} is empty, or too large"));
            None
        }
        Ok(answer) => {
            if certain {
                seen.gaps.push(format!("{url} answers {}", answer.status));
            }
            None
        }
        // Whoever answers at all answers 404; what does not answer may be anything.
        Err(why) => {
            seen.gaps.push(format!("{url}: {why}"));
            None
        }
    }
}
