//! Versions of symbols, as the C library counts them.

use std::ffi::{CStr, c_char};

/// The running C library's version, such as 2.36.
pub(super) fn of_running_libc() -> Option<(u32, u32)> {
    unsafe extern "C" {
        safe fn gnu_get_libc_version() -> *const c_char;
    }
    // SAFETY: it gives a string that lives as long as the process.
    let version = unsafe { CStr::from_ptr(gnu_get_libc_version()) };
    parse(version.to_str().ok()?)
}

/// The version that a symbol version such as `GLIBC_2.34` names. Others (`GLIBC_PRIVATE`, `GCC_3.0`) name none.
pub(super) fn of_symbol(name: &str) -> Option<(u32, u32)> {
    parse(name.strip_prefix("GLIBC_")?)
}

/// Major and minor number; a patch number does not matter.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_c_library_compare_as_numbers() {
        assert_eq!(of_symbol("GLIBC_2.2.5"), Some((2, 2)));
        assert!(of_symbol("GLIBC_2.4") < of_symbol("GLIBC_2.34"));
        assert!(of_running_libc() >= of_symbol("GLIBC_2.17"));
    }

    #[test]
    fn other_versions_are_left_to_the_linker() {
        for name in [
            "GLIBC_PRIVATE",
            "GLIBC_ABI_DT_RELR",
            "GCC_3.0",
            "2.34",
            "GLIBC_",
        ] {
            assert_eq!(of_symbol(name), None, "{name}");
        }
    }
}
