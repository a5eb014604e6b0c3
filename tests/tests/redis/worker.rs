//! The part that a process plays.

use dogpile_tests::part::Part;

#[test]
fn a_worker() {
    Part::play(dogpile_plugin_redis::plugin());
}
