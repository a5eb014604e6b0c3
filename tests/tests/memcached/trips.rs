//! Many keys at once are asked for at once: servers that answer nothing before all has come would never answer else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};

use dogpile_plugin_api::OwnedKey;
use serde_json::{Value as Json, json};

use crate::fake::Fake;
use crate::support::{key, open};

const KEYS: usize = 100;

/// Answers that nothing is there, once `count` reads have come, and another server has all of its own too.
fn text(stream: TcpStream, count: usize, together: &Barrier) {
    let mut stream = BufReader::new(stream);
    let mut answers = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let opaque = line
            .split_whitespace()
            .find(|word| word.starts_with('O'))
            .unwrap();
        answers.extend_from_slice(format!("EN {opaque}\r\n").as_bytes());
    }
    together.wait();
    stream.get_mut().write_all(&answers).unwrap();
}

/// As above, in the binary protocol: reads that are quiet, and what ends them.
fn binary(mut stream: TcpStream, count: usize, together: &Barrier) {
    let mut quiet = 0;
    loop {
        let mut head = [0; 24];
        stream.read_exact(&mut head).unwrap();
        let key = usize::from(u16::from_be_bytes([head[2], head[3]]));
        stream.read_exact(&mut vec![0; key]).unwrap();
        match head[1] {
            0x09 => quiet += 1,
            0x0a => {
                assert_eq!(quiet, count);
                together.wait();
                head[0] = 0x81;
                return stream.write_all(&head).unwrap();
            }
            other => panic!("{other:#x} is neither a quiet read nor the end of them"),
        }
    }
}

type Treat = fn(TcpStream, usize, &Barrier);

/// Asks three servers, which answer only once all has come, for what is nowhere. So many of the keys are on each.
fn in_one_trip(backend: &str, mut arguments: Json, treat: Treat, counts: [usize; 3]) {
    let keys: Vec<OwnedKey> = (0..KEYS)
        .map(|number| key(&format!("key{number}")))
        .collect();
    let together = Arc::new(Barrier::new(3));
    let fakes = counts.map(|count| {
        let together = Arc::clone(&together);
        Fake::start(move |stream| treat(stream, count, &together))
    });
    arguments["url"] = fakes.iter().map(Fake::url).collect();
    let on = open(backend, &arguments);
    let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
    let found = on.get_multi(&lent).unwrap();
    assert_eq!(found.len(), KEYS);
    assert!(found.iter().all(Option::is_none));
}

#[test]
fn a_hundred_keys_of_three_servers_are_one_round_trip_of_all_servers_at_once() {
    // As python-memcached places them.
    in_one_trip("memcached", json!({}), text, [32, 39, 29]);
    // As pylibmc does.
    let by_pylibmc = [28, 43, 29];
    in_one_trip("memcached_ketama", json!({}), text, by_pylibmc);
    let is_binary = json!({ "binary": true });
    in_one_trip("memcached_ketama", is_binary, binary, by_pylibmc);
}
