//! Makes sure that a mapped plugin and this host mean the same by their tables, and starts it.

use std::collections::HashSet;
use std::time::Duration;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityError, AbiInstabilityErrors, CheckingGlobals,
    check_layout_compatibility_with_globals,
};
use abi_stable::type_layout::{TLFieldOrFunction, TLFunction, TypeLayout};
use dogpile_plugin_api::abi::{PluginHeader, PluginTableRef};
use dogpile_plugin_api::{Plugin, PluginInfo};

use super::elf::Checked;
use super::header::{PLAIN, remedy};
use super::host_functions::{host_functions, system_clock};
use super::library::Mapped;
use super::open::{OpenError, within};
use super::{Fault, LoadErrorKind};

/// The mapped library's plugin, once its tables were found to be what the host takes them for.
pub(super) fn plugin(mapped: &Mapped, checked: &Checked) -> Result<Plugin, Fault> {
    let header = header(mapped, checked)?;
    let theirs = (header.layout)();
    let ours = <PluginTableRef as StableAbi>::LAYOUT;
    compatible(ours, theirs).map_err(|difference| {
        Fault::new(
            LoadErrorKind::Layout,
            format!("its tables differ from this host's: {difference}"),
            remedy(&checked.header.api_version),
        )
    })?;
    // SAFETY: epoch and layout were found to be ours. That its functions keep to their contract is what plugin-api,
    // whose header this is, promises.
    Ok(unsafe { Plugin::from_table((header.table)()) })
}

/// Leads the plugin's logs and panics to the host, and asks what it is. Once per image; within `timeout`, after which
/// the thread that it is done on is left behind.
pub(super) fn start(plugin: Plugin, name: &str, timeout: Duration) -> Result<PluginInfo, Fault> {
    let host = host_functions(name, system_clock());
    let started = move || {
        Ok(match plugin.start(&host) {
            Ok(()) => plugin.describe().map_err(|error| {
                let found = format!("it does not say what it is: {error}");
                Fault::new(LoadErrorKind::Description, found, THE_PLUGINS)
            }),
            Err(error) => {
                let found = format!("it failed to start: {error}");
                Err(Fault::new(LoadErrorKind::Start, found, THE_PLUGINS))
            }
        })
    };
    let info = match within(timeout, name, started, drop) {
        Ok(started) => started?,
        Err(OpenError::TimedOut { timeout, .. }) => {
            let found = format!(
                "it has not started and said what it is within {timeout:?}, a thread is left behind"
            );
            return Err(Fault::new(LoadErrorKind::TimedOut, found, THE_PLUGINS));
        }
        Err(error) => {
            let found = format!("it was not started: {error}");
            return Err(Fault::new(LoadErrorKind::Start, found, "try again"));
        }
    };
    match offered_twice(&info) {
        Some((what, name)) => Err(Fault::new(
            LoadErrorKind::OfferedTwice,
            format!("it offers two {what} of the name `{name}`"),
            THE_PLUGINS,
        )),
        None => Ok(info),
    }
}

/// What is to be done where the operator can do no more.
const THE_PLUGINS: &str =
    "the fault is the plugin's: replace its file, or leave the plugin out, and tell its author";

/// What there are two of, and their name.
fn offered_twice(info: &PluginInfo) -> Option<(&'static str, &str)> {
    let backends = info.backends.iter().map(|one| ("backends", &*one.name));
    let manglers = info.manglers.iter().map(|one| ("key manglers", &*one.name));
    let proxies = info.proxies.iter().map(|one| ("proxies", &*one.name));
    let caches = info.template_caches.iter();
    let caches = caches.map(|one| ("template caches", &*one.name));
    let mut seen = HashSet::new();
    let mut all = backends.chain(manglers).chain(proxies).chain(caches);
    all.find(|one| !seen.insert(*one))
}

/// The header in memory: the same that was checked in the file, with functions that are the library's own.
fn header(mapped: &Mapped, checked: &Checked) -> Result<&'static PluginHeader, Fault> {
    let fault = |found: &str| {
        Fault::new(
            LoadErrorKind::NotAPlugin,
            found,
            "export the plugin with `export_plugin!`, and do not write a header by hand",
        )
    };
    let address = mapped.header.addr();
    if !mapped.header.is_aligned() {
        return Err(fault("its header is not aligned"));
    }
    // SAFETY: the symbol is defined by this library, with room for a whole header, and mapped for the process's life.
    // Bytes are read where functions stand: those could be null.
    let raw = unsafe {
        mapped
            .header
            .cast::<[u8; size_of::<PluginHeader>()]>()
            .read()
    };
    if raw[..PLAIN] != checked.plain {
        return Err(fault("its header in memory is not the one in the file"));
    }
    let base = address.wrapping_sub(usize::try_from(checked.address).unwrap_or_default());
    for pointer in raw[PLAIN..].chunks_exact(size_of::<usize>()) {
        let pointer = usize::from_ne_bytes(pointer.try_into().expect("chunks of that length"));
        let relative = pointer.wrapping_sub(base) as u64;
        if !checked.code.iter().any(|code| code.contains(&relative)) {
            return Err(fault("its header points to functions outside its code"));
        }
    }
    // SAFETY: as above; each field was found to be valid, the functions as far as anybody can tell.
    Ok(unsafe { &*mapped.header })
}

/// Whether tables of either layout can be used as the other, by whoever knows fewer or more of their functions.
///
/// The check of `abi_stable` is one-way: it takes a table that has more than is expected, and refuses one that has less.
/// But tables go both ways, and whoever calls one asks for each function that not all have. So both ways are checked, and
/// that a table ends early is no error in either. Each check gets globals of its own, which remember what was compared.
fn compatible(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), String> {
    let there = check_layout_compatibility_with_globals(ours, theirs, &CheckingGlobals::new());
    let back = check_layout_compatibility_with_globals(theirs, ours, &CheckingGlobals::new());
    if let Some(difference) = there.err().and_then(|errors| first(&errors)) {
        return Err(difference);
    }
    match back.err().and_then(|errors| first(&errors)) {
        Some(difference) => Err(format!("seen from the plugin, {difference}")),
        None => Ok(()),
    }
}

/// The first difference that matters. A size alone is told only if there is nothing else: it comes from what is inside.
fn first(errors: &AbiInstabilityErrors) -> Option<String> {
    let errors = || {
        errors
            .errors
            .iter()
            .filter(|error| !differences(error).is_empty())
    };
    let has_more = |error: &&AbiInstabilityError| !differences(error).into_iter().all(is_size);
    let first = errors().find(has_more).or_else(|| errors().next())?;
    Some(in_one_line(first))
}

fn is_size(error: &AbiInstability) -> bool {
    matches!(error, AbiInstability::Size(_))
}

/// What of an error keeps the tables apart, if anything does.
fn differences(error: &AbiInstabilityError) -> Vec<&AbiInstability> {
    let is_table = match error.stack_trace.last().map(|step| &step.expected) {
        Some(TLFieldOrFunction::Field(field)) => field.layout().is_prefix_kind(),
        _ => false,
    };
    let ends_early = |error: &AbiInstability| match error {
        AbiInstability::FieldCountMismatch(count) => is_table && count.found < count.expected,
        _ => false,
    };
    let is_shorter = error.errs.iter().any(ends_early);
    let errors = error.errs.iter();
    errors
        .filter(|error| !is_shorter || !(ends_early(error) || is_size(error)))
        .collect()
}

/// The type that differs, where it is and in what. The error's own text fills pages.
fn in_one_line(error: &AbiInstabilityError) -> String {
    let differences = differences(error).into_iter().take(3).map(difference);
    let differences: Vec<_> = differences.collect();
    format!("{}: {}", place(error), differences.join(", "))
}

/// Such as ``open_mangler(mangler_given).table `ManglerTable` ``.
fn place(error: &AbiInstabilityError) -> String {
    let mut place: Vec<String> = Vec::new();
    let mut called: Option<&TLFunction> = None;
    for step in &error.stack_trace {
        match (&step.expected, called.take()) {
            (TLFieldOrFunction::Function(function), _) => {
                // Behind the field that it is in, which has the same name.
                place.pop();
                place.push(format!("{}()", function.name));
                called = Some(function);
            }
            (TLFieldOrFunction::Field(field), Some(function)) => {
                place.pop();
                place.push(parameter(function, field.name()));
            }
            // The one field of a pointer to a table, or of what has no names.
            (TLFieldOrFunction::Field(field), None) if ["0", "field_0"].contains(&field.name()) => {
            }
            (TLFieldOrFunction::Field(field), None) => place.push(field.name().to_owned()),
        }
    }
    let mut place = place.join(".");
    if let Some(step) = error.stack_trace.last()
        && let TLFieldOrFunction::Field(field) = &step.expected
    {
        place = format!("{place} `{}`", field.layout().name());
    }
    place.trim_start().to_owned()
}

/// A function's parameter, or what it answers, by the name that `abi_stable` has for it: `param_` and its number, but of the
/// first all names.
fn parameter(function: &TLFunction, name: &str) -> String {
    if name == ANSWER {
        return format!("{}() ->", function.name);
    }
    let number = name.strip_prefix(PARAMETER).map(str::parse);
    let number = number.and_then(Result::ok).unwrap_or(0);
    let name = function.param_names.as_str().split([',', ';']).nth(number);
    format!("{}({})", function.name, name.unwrap_or_default())
}

const ANSWER: &str = "__returns";
const PARAMETER: &str = "param_";

fn difference(error: &AbiInstability) -> String {
    match error {
        AbiInstability::FieldCountMismatch(count) => {
            format!("{} fields against {}", count.found, count.expected)
        }
        AbiInstability::Size(size) => format!("{} bytes against {}", size.found, size.expected),
        AbiInstability::Alignment(alignment) => {
            format!(
                "aligned to {} against {}",
                alignment.found, alignment.expected
            )
        }
        AbiInstability::MismatchedPrefixSize(size) => {
            format!("{} guaranteed fields against {}", size.found, size.expected)
        }
        AbiInstability::UnexpectedField(field) => {
            unexpected(field.found.name(), field.expected.name())
        }
        AbiInstability::Name(name) => format!("the type {} against {}", name.found, name.expected),
        AbiInstability::Package(package) => {
            format!(
                "of the package {} against {}",
                package.found, package.expected
            )
        }
        AbiInstability::PackageVersion(version) => {
            format!("of version {} against {}", version.found, version.expected)
        }
        // The name of the variant says it.
        other => {
            let text = format!("{other:?}");
            let end = text.find(|c: char| !c.is_alphanumeric());
            text[..end.unwrap_or(text.len())].to_owned()
        }
    }
}

/// A field, or a parameter, in the place of another.
fn unexpected(found: &str, expected: &str) -> String {
    if [found, expected].contains(&ANSWER) {
        return "another number of parameters".to_owned();
    }
    match (
        found.strip_suffix([',', ';']),
        expected.strip_suffix([',', ';']),
    ) {
        (Some(found), Some(expected)) => format!("the parameters ({found}) against ({expected})"),
        _ => format!("the field `{found}` where `{expected}` should be"),
    }
}

#[cfg(test)]
#[expect(dead_code, reason = "of the tables only the layout matters")]
#[expect(
    clippy::expl_impl_clone_on_copy,
    clippy::cast_ptr_alignment,
    reason = "the derive of `abi_stable` writes it"
)]
mod tests {
    use abi_stable::StableAbi;

    use super::*;

    #[repr(C)]
    #[derive(StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = TableRef)))]
    struct Table {
        #[sabi(last_prefix_field)]
        get: extern "C" fn() -> u64,
    }

    mod longer {
        use abi_stable::StableAbi;

        #[repr(C)]
        #[derive(StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = TableRef)))]
        pub(super) struct Table {
            #[sabi(last_prefix_field)]
            get: extern "C" fn() -> u64,
            set: extern "C" fn(u64),
        }
    }

    /// Longer, but not by what is behind the mark.
    mod marked {
        use abi_stable::StableAbi;

        #[repr(C)]
        #[derive(StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = TableRef)))]
        pub(super) struct Table {
            get: extern "C" fn() -> u64,
            #[sabi(last_prefix_field)]
            set: extern "C" fn(u64),
        }
    }

    /// As long as the other longer one.
    mod other {
        use abi_stable::StableAbi;

        #[repr(C)]
        #[derive(StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = TableRef)))]
        pub(super) struct Table {
            #[sabi(last_prefix_field)]
            get: extern "C" fn() -> u64,
            add: extern "C" fn(u64),
        }
    }

    #[test]
    fn tables_that_end_early_fit_in_both_roles_and_no_others() {
        let short = <TableRef as StableAbi>::LAYOUT;
        let long = <longer::TableRef as StableAbi>::LAYOUT;
        // The one way in which `abi_stable` itself finds something.
        let globals = CheckingGlobals::new();
        assert!(check_layout_compatibility_with_globals(long, short, &globals).is_err());
        for (ours, theirs) in [(short, long), (long, short), (short, short), (long, long)] {
            compatible(ours, theirs).unwrap();
        }
        let marked = <marked::TableRef as StableAbi>::LAYOUT;
        let other = <other::TableRef as StableAbi>::LAYOUT;
        for (ours, theirs, wanted) in [
            (short, marked, "2 guaranteed fields against 1"),
            (marked, short, "1 guaranteed fields against 2"),
            (long, marked, "2 guaranteed fields against 1"),
            (long, other, "the field `add` where `set` should be"),
        ] {
            let error = compatible(ours, theirs).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
