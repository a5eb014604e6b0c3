//! What crosses the boundary, as text in `layout.txt`: each type of ours with its size, alignment and fields, each
//! function with its signature, and each number that means something. A change that the rules of the crate's doc do not
//! allow within an epoch is refused by name; `UPDATE_EXPECT=1 cargo test -p dogpile-plugin-api snapshot` writes those
//! anew that they do.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::{env, fs};

use abi_stable::StableAbi;
use abi_stable::std_types::UTypeId;
use abi_stable::type_layout::{TLData, TLField, TLFunction, TLPrimitive, TypeLayout};

use super::{ABI_EPOCH, ABI_STABLE_VERSION, PluginHeader, PluginTableRef, property};
use crate::value::{External, kind};
use crate::{ErrorKind, Guarded, TemplateOutcome, TemplatePart};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/abi/layout.txt");

#[test]
fn what_crosses_the_boundary_is_what_it_was() {
    let found = snapshot();
    let there = fs::read_to_string(FILE).unwrap_or_default();
    if there == found {
        return;
    }
    let broken = broken(&sections(&there), &sections(&found));
    let epochs = [&there, &found].map(|text| text.lines().next().map(str::to_owned));
    assert!(
        broken.is_empty() || epochs[0] != epochs[1] || there.is_empty(),
        "a plugin of this epoch would be refused, or worse:\n{}\nFind a way that the rules in the crate's doc allow, or \
         count ABI_EPOCH up: a release with another epoch is a new major version.",
        broken.join("\n")
    );
    assert!(
        env::var_os("UPDATE_EXPECT").is_some(),
        "what crosses the boundary has changed, as the rules allow, or under another epoch. UPDATE_EXPECT=1 cargo test \
         -p dogpile-plugin-api snapshot writes {FILE} anew: look at its difference, and release a minor version, or a \
         major one. Now it is:\n{found}"
    );
    fs::write(FILE, found).unwrap();
}

/// A heading, and the lines below it.
type Section<'t> = (&'t str, Vec<&'t str>);

fn sections(text: &str) -> Vec<Section<'_>> {
    let sections = text.split("\n\n").filter_map(|section| {
        let mut lines = section.lines();
        Some((lines.next()?, lines.collect()))
    });
    sections.collect()
}

/// Which of the rules are broken by what was `there` and is `found` otherwise.
fn broken(there: &[Section<'_>], found: &[Section<'_>]) -> Vec<String> {
    let broken = there.iter().skip(1).filter_map(|(heading, lines)| {
        let name = |heading: &str| heading.split(',').next().map(str::to_owned);
        let now = found.iter().find(|(now, _)| name(now) == name(heading));
        let Some((now_heading, now)) = now else {
            return Some(format!("- {heading}: it is gone"));
        };
        let is_open = heading.starts_with("table") || heading.starts_with("numbers");
        let changed = lines.iter().enumerate().find(|(at, line)| now.get(*at) != Some(*line));
        match changed {
            Some((at, line)) => Some(format!(
                "- {heading}: `{}` became `{}`; what is there stays as it is, where it is, under its name",
                line.trim(),
                now.get(at).unwrap_or(&"nothing").trim(),
            )),
            None if is_open && heading == now_heading => None,
            None if lines.len() == now.len() && heading == now_heading => None,
            None if is_open => Some(format!("- {heading}: it is {now_heading} now")),
            None => Some(format!(
                "- {heading}: a closed struct has fields more; use words that it has reserved"
            )),
        }
    });
    broken.collect()
}

fn snapshot() -> String {
    let mut text = format!("epoch {ABI_EPOCH}, abi_stable {ABI_STABLE_VERSION}\n");
    header(&mut text);
    let mut seen = BTreeSet::new();
    of_type(<PluginTableRef as StableAbi>::LAYOUT, &mut seen, &mut text);
    external(&mut text);
    numbers(&mut text);
    text
}

/// The header is read before anything is known of the plugin, and is no type of `abi_stable`'s. It may grow.
fn header(text: &mut String) {
    text.push_str("\ntable PluginHeader\n");
    let fields = [
        ("magic", offset_of!(PluginHeader, magic)),
        ("epoch", offset_of!(PluginHeader, epoch)),
        ("length", offset_of!(PluginHeader, length)),
        ("unwinds", offset_of!(PluginHeader, unwinds)),
        ("reserved", offset_of!(PluginHeader, reserved)),
        ("api_version", offset_of!(PluginHeader, api_version)),
        (
            "abi_stable_version",
            offset_of!(PluginHeader, abi_stable_version),
        ),
        ("rustc", offset_of!(PluginHeader, rustc)),
        ("layout", offset_of!(PluginHeader, layout)),
        ("table", offset_of!(PluginHeader, table)),
    ];
    for (name, offset) in fields {
        writeln!(text, "  {offset:3} {name}").unwrap();
    }
}

/// What a value of kind `EXTERNAL` has behind its key, which no type leads to.
fn external(text: &mut String) {
    let size = size_of::<External>();
    writeln!(text, "\nstruct External, {size} bytes").unwrap();
    for (name, offset) in [
        ("bytes", offset_of!(External, bytes)),
        ("length", offset_of!(External, length)),
        ("capacity", offset_of!(External, capacity)),
    ] {
        writeln!(text, "  {offset:3} {name}").unwrap();
    }
}

/// A type, if it is one of ours that was not seen yet, and all that it leads to.
fn of_type(layout: &'static TypeLayout, seen: &mut BTreeSet<UTypeId>, text: &mut String) {
    if !seen.insert(layout.get_utypeid()) {
        return;
    }
    let (heading, fields): (String, Vec<TLField>) = match layout.data() {
        TLData::PrefixType(table) => {
            let guaranteed = table.first_suffix_field;
            let heading = format!("table {}, the first {guaranteed} guaranteed", layout.name());
            (heading, table.fields.iter().collect())
        }
        TLData::Struct { fields } => {
            let (size, alignment) = (layout.size(), layout.alignment());
            let name = layout.full_type();
            let heading = format!("struct {name}, {size} bytes, aligned to {alignment}");
            (heading, fields.iter().collect())
        }
        TLData::Enum(own) => (
            format!("enum {}", layout.full_type()),
            own.fields.iter().collect(),
        ),
        _ => (layout.full_type().to_string(), Vec::new()),
    };
    if layout.package() == env!("CARGO_PKG_NAME") {
        writeln!(text, "\n{heading}").unwrap();
        let mut end: usize = 0;
        for field in &fields {
            let start = end.next_multiple_of(field.layout().alignment());
            end = start + field.layout().size();
            writeln!(text, "  {start:3} {}: {}", field.name(), of_field(field)).unwrap();
        }
    }
    for field in fields
        .iter()
        .chain(layout.phantom_fields().iter().collect::<Vec<_>>().iter())
    {
        of_type(field.layout(), seen, text);
        for function in field.function_range() {
            for parameter in function.param_type_layouts.iter() {
                of_type(parameter(), seen, text);
            }
            if let Some(answer) = function.return_type_layout() {
                of_type(answer(), seen, text);
            }
        }
    }
}

fn of_field(field: &TLField) -> String {
    let functions: Vec<_> = field
        .function_range()
        .iter()
        .map(|own| signature(&own))
        .collect();
    if functions.is_empty() {
        let size = field.layout().size();
        format!("{}, {size} bytes", name_of(field.layout()))
    } else {
        functions.join(" ")
    }
}

fn signature(function: &TLFunction) -> String {
    let names = function.param_names.as_str().split([',', ';']);
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    let types = function.param_type_layouts.iter();
    let types: Vec<_> = types.map(|of_type| name_of(of_type())).collect();
    let names: Vec<_> = names
        .chain(std::iter::repeat("_"))
        .take(types.len())
        .collect();
    let parameters = names
        .iter()
        .zip(types)
        .map(|(name, of_type)| format!("{name}: {of_type}"));
    let parameters: Vec<_> = parameters.collect();
    let is_unsafe = function.to_string().starts_with("unsafe");
    let lifetimes = function.bound_lifetimes.as_str();
    let lifetimes = if lifetimes.is_empty() {
        String::new()
    } else {
        format!("for<'{}> ", lifetimes.trim_end_matches(','))
    };
    let answer = function.return_type_layout();
    format!(
        "{lifetimes}{}fn({}) -> {}",
        if is_unsafe { "unsafe " } else { "" },
        parameters.join(", "),
        answer.map_or_else(|| "()".to_owned(), |answer| name_of(answer())),
    )
}

/// A type's name with what is in it, which `abi_stable` does not always tell.
fn name_of(layout: &'static TypeLayout) -> String {
    let pointed = || {
        let to = layout.phantom_fields().iter().next();
        to.map_or_else(String::new, |to| name_of(to.layout()))
    };
    let first = layout.get_fields().and_then(|fields| fields.iter().next());
    match (layout.data(), first) {
        (TLData::Primitive(TLPrimitive::SharedRef), _) => format!("&{}", pointed()),
        (TLData::Primitive(TLPrimitive::MutRef), _) => format!("&mut {}", pointed()),
        (TLData::Primitive(TLPrimitive::ConstPtr), _) => format!("*const {}", pointed()),
        (TLData::Primitive(TLPrimitive::MutPtr), _) => format!("*mut {}", pointed()),
        (_, Some(first)) if ["ROption", "RSlice", "RVec"].contains(&layout.name()) => {
            let inner = name_of(first.layout());
            let inner = inner
                .trim_start_matches("*const ")
                .trim_start_matches("*mut ");
            format!("{}<{inner}>", layout.name())
        }
        _ => layout.full_type().to_string(),
    }
}

fn numbers(text: &mut String) {
    let mut told = |what: &str, numbers: &[(&str, u64)]| {
        writeln!(text, "\nnumbers of {what}").unwrap();
        for (name, number) in numbers {
            writeln!(text, "  {number:3} {name}").unwrap();
        }
    };
    let bit = u64::from;
    told(
        "properties",
        &[
            ("OBJECTS", bit(property::OBJECTS)),
            ("BLOCKING", bit(property::BLOCKING)),
            ("EXCLUSIVE", bit(property::EXCLUSIVE)),
            ("SHARED", bit(property::SHARED)),
        ],
    );
    let kind = |kind: u8| u64::from(kind);
    told(
        "kinds of values",
        &[
            ("INLINE", kind(kind::INLINE)),
            ("EXTERNAL", kind(kind::EXTERNAL)),
            ("OBJECT", kind(kind::OBJECT)),
            ("ERROR", kind(kind::ERROR)),
        ],
    );
    let error = |kind: ErrorKind| kind as u64;
    told(
        "kinds of errors",
        &[
            ("Other", error(ErrorKind::Other)),
            ("Arguments", error(ErrorKind::Arguments)),
            ("Unavailable", error(ErrorKind::Unavailable)),
            ("Unsupported", error(ErrorKind::Unsupported)),
            ("Refused", error(ErrorKind::Refused)),
            ("Panic", error(ErrorKind::Panic)),
            ("Contract", error(ErrorKind::Contract)),
            ("Suspended", error(ErrorKind::Suspended)),
        ],
    );
    let guarded = |outcome: Guarded| u64::from(outcome.number());
    told(
        "guarded stores",
        &[
            ("LeaseLost", guarded(Guarded::LeaseLost)),
            ("Stored", guarded(Guarded::Stored)),
            ("Deleted", guarded(Guarded::Deleted)),
        ],
    );
    let part = |part: TemplatePart| part as u64;
    told(
        "parts of templates",
        &[
            ("Page", part(TemplatePart::Page)),
            ("Block", part(TemplatePart::Block)),
            ("Fragment", part(TemplatePart::Fragment)),
        ],
    );
    let outcome = |outcome: TemplateOutcome| outcome as u64;
    told(
        "outcomes of templates",
        &[
            ("Fresh", outcome(TemplateOutcome::Fresh)),
            ("Stale", outcome(TemplateOutcome::Stale)),
            ("Created", outcome(TemplateOutcome::Created)),
            ("Waited", outcome(TemplateOutcome::Waited)),
            ("Bypassed", outcome(TemplateOutcome::Bypassed)),
            ("Failed", outcome(TemplateOutcome::Failed)),
        ],
    );
}

#[test]
fn each_rule_that_is_broken_is_named() {
    let there = "epoch 1\n\ntable T, the first 2 guaranteed\n  0 a: fn()\n  8 b: fn()\n\nstruct S, 8 bytes, aligned to 8\n  0 x: u64\n\nnumbers of n\n  1 One";
    let judged = |old: &str, new: &str| {
        let found = there.replace(old, new);
        assert_ne!(there, found);
        broken(&sections(there), &sections(&found)).join("\n")
    };
    // A function appended, and a number.
    assert_eq!(judged("  8 b: fn()", "  8 b: fn()\n  16 c: fn()"), "");
    assert_eq!(judged("  1 One", "  1 One\n  2 Two"), "");
    for (old, new, wanted) in [
        ("  0 a: fn()\n", "", "`0 a: fn()` became `8 b: fn()`"),
        (
            "  0 a: fn()\n  8 b",
            "  0 b: fn()\n  8 a",
            "`0 a: fn()` became `0 b: fn()`",
        ),
        ("a: fn()", "a: fn(x: u8)", "became `0 a: fn(x: u8)`"),
        ("first 2", "first 1", "the first 1 guaranteed now"),
        ("x: u64", "x: u32", "`0 x: u64` became `0 x: u32`"),
        ("S, 8", "S, 16", "a closed struct has fields more"),
        (
            "  0 x: u64",
            "  0 x: u64\n  8 y: u64",
            "a closed struct has fields more",
        ),
        ("1 One", "2 One", "`1 One` became `2 One`"),
        ("numbers of n", "numbers of m", "numbers of n: it is gone"),
    ] {
        let told = judged(old, new);
        assert!(told.contains(wanted), "{old} {new}: {told}");
    }
}
