//! What is said of lists and maps in keys in which there is something that serde does not tell from another thing.

pub(crate) const UNDEFINED_WITHIN: &str =
    "a part of its key is missing: in a list or map of it something is undefined";

pub(crate) const SAFE_WITHIN: &str = "in a list or map of its key is a text that is not escaped, which is another than \
                                      the same that is: make it a part of the key by itself";
