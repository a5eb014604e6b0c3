//! The README's picture of the dogpile lock is drawn from what five callers were really given.
//!
//! `UPDATE_EXPECT=1 cargo test -p dogpile-tests --test picture` draws it anew.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt::Write;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{env, fs};

use dogpile::{Cached, Clock, Host, Region, RegionConfig, Source};

const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dogpile-lock.svg");

const CALLERS: usize = 5;

/// What a caller was given, and whether it was made to wait for it.
type Given = (Source, u32, bool);

/// Callers who ask at one moment. Each is given something at once or has to wait, which the one that was selected as the
/// creator ends.
fn ask(numbers: &Region, first: usize, made: u32) -> [Given; CALLERS] {
    let is_made = Cell::new(false);
    let create = || {
        poll_fn(|_| {
            if is_made.get() {
                Poll::Ready(made)
            } else {
                Poll::Pending
            }
        })
    };
    let mut context = Context::from_waker(Waker::noop());
    let mut calls: Vec<_> = (0..CALLERS)
        .map(|_| Box::pin(numbers.get_or_create_async("answer", create)))
        .collect();
    let order: Vec<usize> = (0..CALLERS).map(|at| (first + at) % CALLERS).collect();
    let mut given = [None; CALLERS];
    for has_waited in [false, true] {
        for &caller in &order {
            if given[caller].is_some() {
                continue;
            }
            let call: Pin<&mut _> = calls[caller].as_mut();
            if let Poll::Ready(number) = call.poll(&mut context) {
                let number: Cached<u32> = number.unwrap();
                given[caller] = Some((number.source(), *number, has_waited));
            }
        }
        is_made.set(true);
    }
    given.map(Option::unwrap)
}

#[test]
fn the_picture_is_what_callers_are_given() {
    let (clock, hand) = Clock::manual(1_700_000_000_000_000_000);
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .clock(clock)
        .region(RegionConfig::on("numbers", "memory").expiration_time(Duration::from_mins(5)))
        .build()
        .unwrap();
    let numbers = host.region("numbers").unwrap();
    let mut moments = Vec::new();
    moments.push(("nothing is stored", ask(&numbers, 0, 1)));
    moments.push(("fresh", ask(&numbers, 1, 2)));
    hand.advance(Duration::from_secs(301));
    moments.push(("expired after 5 minutes", ask(&numbers, 2, 2)));
    moments.push(("fresh", ask(&numbers, 3, 3)));

    let drawn = drawing(&moments);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(PICTURE, &drawn).unwrap();
    }
    let there = fs::read_to_string(PICTURE).unwrap_or_default();
    assert!(there == drawn, "docs/dogpile-lock.svg is another picture");
}

const LEFT: usize = 92;
const TOP: usize = 44;
const ROW: usize = 34;
/// Of a moment in which somebody creates, and of one in which nobody does.
const WIDE: usize = 250;
const NARROW: usize = 92;
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.when{font-weight:600}.small{font-size:11px;\
                     fill:#57606a}.on{font-weight:600;fill:#fff}.value{font-size:11px;text-anchor:middle}.lane{stroke:#d0d7de}.creates{fill:#bf5600}\
                     .waits{fill:#d8dee4}.new{fill:#1a7f37}.old{fill:#6e7781}";

fn drawing(moments: &[(&str, [Given; CALLERS])]) -> String {
    let is_wide =
        |given: &[Given; CALLERS]| given.iter().any(|(source, ..)| *source == Source::Created);
    let width = |given: &[Given; CALLERS]| if is_wide(given) { WIDE } else { NARROW };
    let right = LEFT + moments.iter().map(|(_, given)| width(given)).sum::<usize>();
    let bottom = TOP + CALLERS * ROW;
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").unwrap();
    line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\">",
        right + 16,
        bottom + 52
    ));
    line(format_args!(
        "<title>Five callers of one key: one creates while the others wait, and at expiry one creates while the others have \
         the old value</title>"
    ));
    line(format_args!("<style>{STYLE}</style>"));
    line(format_args!(
        "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#fff\"/>"
    ));
    for caller in 0..CALLERS {
        let y = TOP + caller * ROW + ROW / 2;
        line(format_args!(
            "<text x=\"16\" y=\"{}\">caller {}</text>",
            y + 5,
            caller + 1
        ));
        line(format_args!(
            "<line class=\"lane\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"
        ));
    }
    let mut x = LEFT;
    for (when, given) in moments {
        let (start, end) = (x + 12, x + width(given) - 36);
        line(format_args!(
            "<text class=\"when\" x=\"{start}\" y=\"30\">{when}</text>"
        ));
        for (caller, (source, value, has_waited)) in given.iter().enumerate() {
            let y = TOP + caller * ROW + ROW / 2;
            let mut at = start;
            if *has_waited {
                let (class, word) = match source {
                    Source::Created => ("creates", "creates it"),
                    _ => ("waits", "waits"),
                };
                let (top, long) = (y - 9, end - start);
                line(format_args!(
                    "<rect class=\"{class}\" x=\"{start}\" y=\"{top}\" width=\"{long}\" height=\"18\" rx=\"4\"/>"
                ));
                let class = if class == "creates" { "on" } else { "small" };
                line(format_args!(
                    "<text class=\"{class}\" x=\"{}\" y=\"{}\">{word}</text>",
                    start + 8,
                    y + 4
                ));
                at = end;
            }
            let class = if *source == Source::Stale {
                "old"
            } else {
                "new"
            };
            line(format_args!(
                "<circle class=\"{class}\" cx=\"{}\" cy=\"{y}\" r=\"11\"/>",
                at + 14
            ));
            line(format_args!(
                "<text class=\"on value\" x=\"{}\" y=\"{}\">v{value}</text>",
                at + 14,
                y + 4
            ));
            if *source == Source::Stale {
                line(format_args!(
                    "<text class=\"small\" x=\"{}\" y=\"{}\">at once, the old one</text>",
                    at + 32,
                    y + 4
                ));
            }
        }
        x += width(given);
    }
    line(format_args!(
        "<text class=\"small\" x=\"16\" y=\"{}\">Two creations for twenty calls. Callers are threads, tasks or processes on \
         several machines, as the backend's lock reaches.</text>",
        bottom + 30
    ));
    line(format_args!("</svg>"));
    out
}
