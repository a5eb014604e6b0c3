//! Lies that plugin-api does not let a plugin tell: what is given is made by hand, or a function of a table is exchanged.

use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{ROption, RSlice, RStr};
use dogpile_plugin_api::abi::{
    BackendTable, ManglerTable, RawBackend, RawMangler, RawTemplateCache, RawTemplateEntry,
    RawValue, TemplateCacheTable,
};
use dogpile_plugin_api::{Key, Lease, TemplateRequest};

/// What a value may claim to be. See the header of values in plugin-api.
pub(crate) mod kind {
    pub(crate) const INLINE: u8 = 0;
    pub(crate) const OBJECT: u8 = 2;
    pub(crate) const ERROR: u8 = 3;
    pub(crate) const NONE: u8 = 99;
}

/// A value of at most 32 bytes, laid out as plugin-api's are.
#[repr(C)]
struct ByHand {
    vtable: &'static Vtable,
    references: AtomicU32,
    mark: u32,
    hash: u64,
    created: u64,
    started: u64,
    keep_until: u64,
    key_length: u32,
    length: u32,
    weight: u32,
    kind: u8,
    key_offset: u8,
    code: u16,
    bytes: [u8; 32],
}

#[repr(C)]
struct Vtable {
    destroy: extern "C" fn(*mut ByHand),
    image: &'static u8,
    is: extern "C" fn(*const ()) -> bool,
}

static VTABLE: Vtable = Vtable {
    destroy,
    image: &IMAGE,
    is,
};
static IMAGE: u8 = 0;
static DESTROYED: AtomicU64 = AtomicU64::new(0);

/// Frees nothing, so that whatever is done with a value afterwards is well defined.
extern "C" fn destroy(_: *mut ByHand) {
    DESTROYED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn is(_: *const ()) -> bool {
    false
}

/// How many values that were made by hand were destroyed.
pub(crate) fn destroyed() -> u64 {
    DESTROYED.load(Ordering::SeqCst)
}

fn by_hand(kind: u8, text: &[u8], references: u32) -> *mut ByHand {
    let mut bytes = [0; 32];
    bytes[..text.len()].copy_from_slice(text);
    Box::into_raw(Box::new(ByHand {
        vtable: &VTABLE,
        references: AtomicU32::new(references),
        mark: 0,
        hash: 0,
        created: 0,
        started: 0,
        keep_until: 0,
        key_length: 0,
        length: u32::try_from(text.len()).expect("it is short"),
        weight: 0,
        kind,
        key_offset: 64,
        code: 0,
        bytes,
    }))
}

fn given(value: *mut ByHand) -> RawValue {
    // SAFETY: it is a pointer in a transparent wrapper; that it is what it should be is the lie.
    unsafe { std::mem::transmute::<*mut ByHand, RawValue>(value) }
}

/// A value with one reference.
pub(crate) fn value(kind: u8, text: &[u8]) -> RawValue {
    given(by_hand(kind, text, 1))
}

unsafe extern "C" fn get_of_no_kind(_: *const (), _: &Key<'_>) -> RawValue {
    value(kind::NONE, b"")
}

/// As if it had been freed before.
unsafe extern "C" fn get_freed(_: *const (), _: &Key<'_>) -> RawValue {
    given(by_hand(kind::INLINE, b"freed", 0))
}

/// The same reference each time.
unsafe extern "C" fn get_twice(_: *const (), _: &Key<'_>) -> RawValue {
    static GIVEN: AtomicPtr<ByHand> = AtomicPtr::new(std::ptr::null_mut());
    if GIVEN.load(Ordering::SeqCst).is_null() {
        GIVEN.store(by_hand(kind::INLINE, b"twice", 1), Ordering::SeqCst);
    }
    given(GIVEN.load(Ordering::SeqCst))
}

unsafe extern "C" fn get_error_not_utf8(_: *const (), _: &Key<'_>) -> RawValue {
    value(kind::ERROR, b"{\"message\":\"no \xff\"}")
}

unsafe extern "C" fn set_answers(_: *const (), _: &Key<'_>, _: &RawValue) -> RawValue {
    value(kind::INLINE, b"done")
}

unsafe extern "C" fn get_multi_leaves_out(
    _: *const (),
    _: RSlice<'_, Key<'_>>,
    values: *mut RawValue,
) -> RawValue {
    // SAFETY: the host made room for at least one.
    unsafe { values.write(value(kind::INLINE, b"the first")) };
    RawValue::NULL
}

/// Fills all places, and answers with an error nevertheless.
unsafe extern "C" fn get_multi_fills_and_fails(
    _: *const (),
    keys: RSlice<'_, Key<'_>>,
    values: *mut RawValue,
) -> RawValue {
    for place in 0..keys.len() {
        // SAFETY: the host made room for as many.
        unsafe { values.add(place).write(value(kind::INLINE, b"given")) };
    }
    value(kind::ERROR, b"{\"message\":\"no\"}")
}

unsafe extern "C" fn stats_object(_: *const ()) -> RawValue {
    value(kind::OBJECT, b"")
}

unsafe extern "C" fn stats_not_utf8(_: *const ()) -> RawValue {
    value(kind::INLINE, b"{\"entries\": \xff}")
}

unsafe extern "C" fn stats_no_json(_: *const ()) -> RawValue {
    value(kind::INLINE, b"many")
}

unsafe extern "C" fn key_mangler_object(_: *const ()) -> RawValue {
    value(kind::OBJECT, b"")
}

unsafe extern "C" fn set_guarded_otherwise(
    _: *const (),
    _: &Key<'_>,
    _: &RawValue,
    _: &Lease,
    outcome: &mut u8,
) -> RawValue {
    *outcome = 7;
    RawValue::NULL
}

unsafe extern "C" fn set_guarded_multi_otherwise(
    _: *const (),
    keys: RSlice<'_, Key<'_>>,
    _: RSlice<'_, RawValue>,
    _: RSlice<'_, Lease>,
    outcomes: *mut u8,
) -> RawValue {
    // SAFETY: the host made room for as many as there are keys.
    unsafe { outcomes.add(keys.len() - 1).write(7) };
    RawValue::NULL
}

/// The honest backend, with the function exchanged that the arguments name.
pub(crate) fn backend(honest: RawBackend, arguments: &str) -> Option<RawBackend> {
    let own = honest.table;
    let mut table = BackendTable {
        get: own.get(),
        set: own.set(),
        delete: own.delete(),
        get_multi: own.get_multi(),
        set_multi: own.set_multi(),
        delete_multi: own.delete_multi(),
        get_fresh: own.get_fresh(),
        get_multi_fresh: own.get_multi_fresh(),
        clear: own.clear(),
        ping: own.ping(),
        stats: own.stats(),
        close: own.close(),
        destroy: own.destroy(),
        properties: own.properties(),
        key_mangler: own.key_mangler(),
        mutex: own.mutex(),
        set_guarded: own.set_guarded(),
        set_guarded_multi: own.set_guarded_multi(),
        reconfigure: own.reconfigure(),
        longest_call: own.longest_call(),
    };
    let is = |lie: &str| arguments.contains(&format!("\"{lie}\""));
    if is("open_gives_none") {
        return None;
    }
    if is("get_of_no_kind") {
        table.get = get_of_no_kind;
    }
    if is("get_freed") {
        table.get = get_freed;
    }
    if is("get_twice") {
        table.get = get_twice;
    }
    if is("get_error_not_utf8") {
        table.get = get_error_not_utf8;
    }
    if is("set_answers") {
        table.set = set_answers;
    }
    if is("get_multi_leaves_out") {
        table.get_multi = get_multi_leaves_out;
    }
    if is("get_multi_fills_and_fails") {
        table.get_multi = get_multi_fills_and_fails;
    }
    if is("stats_object") {
        table.stats = stats_object;
    }
    if is("stats_not_utf8") {
        table.stats = stats_not_utf8;
    }
    if is("stats_no_json") {
        table.stats = stats_no_json;
    }
    if is("key_mangler_object") {
        table.key_mangler = key_mangler_object;
    }
    if is("set_guarded_otherwise") {
        table.set_guarded = set_guarded_otherwise;
    }
    if is("set_guarded_multi_otherwise") {
        table.set_guarded_multi = set_guarded_multi_otherwise;
    }
    Some(RawBackend {
        state: honest.state,
        table: table.leak_into_prefix(),
    })
}

unsafe extern "C" fn mangle_object(_: *const (), _: RStr<'_>) -> RawValue {
    value(kind::OBJECT, b"")
}

unsafe extern "C" fn mangle_nothing(_: *const (), _: RStr<'_>) -> RawValue {
    RawValue::NULL
}

/// The honest mangler, with the function exchanged that the arguments name.
pub(crate) fn mangler(honest: RawMangler, arguments: &str) -> RawMangler {
    let mangle = if arguments.contains("mangle_object") {
        mangle_object
    } else if arguments.contains("mangle_nothing") {
        mangle_nothing
    } else {
        honest.table.mangle()
    };
    let table = ManglerTable {
        mangle,
        destroy: honest.table.destroy(),
    };
    RawMangler {
        state: honest.state,
        table: table.leak_into_prefix(),
    }
}

unsafe extern "C" fn decide_otherwise<'a>(
    _: *const (),
    _: &TemplateRequest<'a>,
    action: &mut u8,
    _: &mut ROption<RawTemplateEntry<'a>>,
) -> RawValue {
    *action = 9;
    RawValue::NULL
}

/// The honest template cache, with the function exchanged that the arguments name.
pub(crate) fn template_cache(honest: RawTemplateCache, arguments: &str) -> RawTemplateCache {
    let own = honest.table;
    let table = TemplateCacheTable {
        decide: if arguments.contains("decide_otherwise") {
            decide_otherwise
        } else {
            own.decide()
        },
        key_for: own.key_for(),
        template_changed: own.template_changed(),
        ignores_keys: own.ignores_keys(),
        observes: own.observes(),
        observe: own.observe(),
        destroy: own.destroy(),
    };
    RawTemplateCache {
        state: honest.state,
        table: table.leak_into_prefix(),
    }
}
