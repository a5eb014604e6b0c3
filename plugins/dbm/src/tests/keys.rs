use super::support::Bench;
use crate::keys;

#[test]
fn the_keys_in_a_file_are_told_while_a_backend_uses_it_without_those_past_their_end() {
    let bench = Bench::new();
    assert!(keys(&bench.data()).unwrap().is_empty());
    let on = bench.open().unwrap();
    for key in ["b", "a", "deleted"] {
        bench.set(&on, key, b"value").unwrap();
    }
    bench.set_until(&on, "ended", b"value", 1).unwrap();
    bench.delete(&on, "deleted").unwrap();
    let mut found = keys(&bench.data()).unwrap();
    found.sort();
    assert_eq!(found, ["a", "b"]);
}
