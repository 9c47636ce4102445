//! Runs as one web page in one file: results, learning curves, pictures, configuration and provenance. It loads nothing, follows the system's light
//! or dark theme, and can be read without a mouse.

mod chart;
mod curves;
mod origin;
mod results;
mod run;
mod several;

use crate::compare::Comparison;
use crate::error::Result;
use maud::{Markup, PreEscaped, html};
use run::RunPage;
use std::path::PathBuf;

/// The page of one run, from the files of its folder alone, or of several, which are compared on their data where they can be.
///
/// # Errors
/// No run, a folder that is none, files of it that cannot be read.
pub fn report(runs: &[PathBuf]) -> Result<String> {
    let pages = RunPage::read_all(runs)?;
    Ok(match pages.as_slice() {
        [one] => one.page(),
        all => several::page(runs, all),
    })
}

/// The page of a comparison.
pub(crate) fn of_comparison(comparison: &Comparison) -> String {
    let lead = format!("{} test examples of {}", comparison.examples, comparison.data);
    let sections = vec![Section::new("comparison", "Results", several::paired(comparison, None))];
    page("Comparison of runs", &lead, &sections)
}

/// A part of a page with a heading, to which the navigation leads.
struct Section {
    id: String,
    heading: String,
    body: Markup,
}

impl Section {
    fn new(id: impl Into<String>, heading: impl Into<String>, body: Markup) -> Self {
        Self { id: id.into(), heading: heading.into(), body }
    }
}

/// Nothing is loaded: neither a file nor a script but the one of the page.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A whole page.
fn page(title: &str, lead: &str, sections: &[Section]) -> String {
    let page = html! {
        (PreEscaped("<!doctype html>\n"))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) " – dgm" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    div {
                        h1 { (title) }
                        p.lead { (lead) }
                    }
                    button #theme type="button" hidden { "Dark theme" }
                }
                @if sections.len() > 1 {
                    nav aria-label="Sections" {
                        ul { @for section in sections { li { a href={ "#" (section.id) } { (section.heading) } } } }
                    }
                }
                main {
                    @for section in sections {
                        section #(section.id) aria-labelledby={ (section.id) "-heading" } {
                            h2 #{ (section.id) "-heading" } { (section.heading) }
                            (section.body)
                        }
                    }
                }
                footer { "Written by dgm-train " (env!("CARGO_PKG_VERSION")) "." }
                script { (PreEscaped(include_str!("script.js"))) }
            }
        }
    };
    page.into_string() + "\n"
}

/// A table that scrolls by itself where the screen is narrow, by keyboard too.
fn scrolling(name: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}
