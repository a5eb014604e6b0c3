//! What is logged of a backend that goes out and comes back. It has a process of its own, since that has one log.

#![forbid(unsafe_code)]

mod region_support;

use region_support::{Board, Fault, builder, records, until};

#[test]
fn a_breaker_is_logged_once_as_it_opens_and_once_as_it_closes() {
    let board = Board::new("logged");
    let host = builder().0.region(board.objects()).build().unwrap();
    let users = host.region("users").unwrap();
    board.fault("ping", Some(Fault::Fail));
    board.fault("get", Some(Fault::Fail));
    for _ in 0..50 {
        assert!(users.get::<i32>("1").unwrap().is_none());
    }
    let mut pings = 0;
    until(|| {
        pings += board.calls().iter().filter(|call| *call == "ping").count();
        pings >= 2
    });
    let backend = "backend `spy` of plugin `dogpile`";
    let opened = format!("ERROR {backend} is not called until it answers a ping");
    let of_region = "WARN region `users`: ";
    let logged = records();
    assert_eq!(logged.len(), 2, "{logged:?}");
    assert!(logged[0].starts_with(of_region), "{logged:?}");
    assert_eq!(logged[1], opened);
    board.fault("get", None);
    board.fault("ping", None);
    until(|| records().len() > 2);
    let closed = format!("INFO {backend} answers again: its breaker is closed");
    assert_eq!(records()[2..], [closed]);
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(records().len(), 3);
}
