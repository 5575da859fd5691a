//! Pictures of the report: SVG to stand inside a page, without scripts, ids or addresses. Colours come from [`STYLE`],
//! and every colour has a shape of its own beside it.

mod history;
mod matrix;

pub use history::{history_svg, measure_history_svg};
pub use matrix::matrix_svg;

/// The style of the pictures, for the page around them; light and dark.
pub const STYLE: &str = ":root{--ground:#fff;--ink:#1d2330;--quiet:#545b6d;--line:#c9ced9;--holds:#17602e;--holds-soft:#d9f0e0;\
--fails:#9b1c1c;--fails-soft:#fbdcd9;--open:#6b4700;--open-soft:#faecc8;--aside:#1f4584;--aside-soft:#dce8fa;--none:#4d5566;--none-soft:#eceef2}\
@media(prefers-color-scheme:dark){:root{--ground:#14171d;--ink:#e6e9ef;--quiet:#a7afbf;--line:#3a4150;--holds:#7fd99a;--holds-soft:#143822;\
--fails:#ff9a90;--fails-soft:#4a1a18;--open:#ecc462;--open-soft:#3d2f0d;--aside:#9dc2ff;--aside-soft:#1b2f50;--none:#aab2c0;--none-soft:#272c36}}\
.picture{display:block;max-width:100%;height:auto;font:12px system-ui,sans-serif}.picture text{fill:var(--ink)}.picture .quiet{fill:var(--quiet)}\
.picture .axis{stroke:var(--line);fill:none}\
.picture rect.holds{fill:var(--holds-soft);stroke:var(--holds)}.picture text.holds{fill:var(--holds)}\
.picture rect.fails{fill:var(--fails-soft);stroke:var(--fails);stroke-width:2}.picture text.fails{fill:var(--fails);font-weight:700}\
.picture rect.open{fill:var(--open-soft);stroke:var(--open);stroke-dasharray:3 2}.picture text.open{fill:var(--open)}\
.picture rect.aside{fill:var(--aside-soft);stroke:var(--aside)}.picture text.aside{fill:var(--aside)}\
.picture rect.none{fill:var(--none-soft);stroke:var(--line)}.picture text.none{fill:var(--none)}";

use crate::report::shown::escaped;

/// An `svg` element that says in words what it shows.
fn svg(width: usize, height: usize, title: &str, inside: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg class=\"picture\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>{inside}</svg>"
    )
}

/// At most so many letters, an ellipsis for the rest.
fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}
