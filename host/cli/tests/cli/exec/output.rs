//! Readers that are slow, or gone, and outputs that are large.

use std::io::Read;
use std::process::Child;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::ioctl_fionread;

use crate::support::{Exec, ended, until, wait, within};

const SIGPIPE: i32 = 13;

/// More than is kept.
const LARGE: usize = (32 << 20) + 1;

/// Reads a little, and goes.
fn look_and_go(child: &mut Child) {
    let mut stdout = child.stdout.take().unwrap();
    within(move || stdout.read_exact(&mut [0; 2]).unwrap());
}

#[test]
fn an_output_that_is_too_large_is_printed_and_not_kept() {
    let exec = Exec::new();
    for _ in 0..2 {
        let ended = exec.run(&[], &format!("head -c {LARGE} /dev/zero; echo end >&2"));
        assert_eq!((ended.status, ended.stdout.len()), (0, LARGE));
        assert_eq!(ended.stderr, b"end\n");
    }
    assert_eq!(exec.runs(), 2);
}

#[test]
fn an_output_whose_reader_has_gone_is_kept_whole() {
    let exec = Exec::new();
    let script = "yes | head -c 1000000; echo end >&2";
    let mut child = exec.script(&[], script).spawn().unwrap();
    look_and_go(&mut child);
    let mut ended = wait(child);
    ended.is(128 + SIGPIPE, "", "end\n");
    ended = exec.run(&[], script);
    assert_eq!((ended.status, ended.stdout.len()), (0, 1_000_000));
    assert_eq!(exec.runs(), 1);
    // As one whose output comes from the cache ends.
    let mut child = exec.script(&[], script).spawn().unwrap();
    look_and_go(&mut child);
    assert_eq!(wait(child).status, 128 + SIGPIPE);
}

#[test]
fn a_command_without_end_ends_when_its_reader_has_gone() {
    let exec = Exec::new();
    let mut child = exec.script(&[], "exec yes").spawn().unwrap();
    look_and_go(&mut child);
    wait(child).is(128 + SIGPIPE, "", "");
}

#[test]
fn a_slow_reader_holds_up_nobody_else() {
    let exec = Exec::new();
    exec.gate("gate");
    // More than a pipe holds, and nobody reads it.
    let script = "read x < gate; yes | head -c 1000000";
    let slow = exec.script(&[], script).spawn().unwrap();
    let gate = exec.meet("gate");
    let other = exec.script(&[], script).spawn().unwrap();
    exec.until_waiting(1);
    drop(gate);
    let whole = wait(other);
    assert_eq!((whole.status, whole.stdout.len()), (0, 1_000_000));
    let slow = ended(slow.wait_with_output().unwrap());
    assert_eq!((slow.stdout == whole.stdout, exec.runs()), (true, 1));
}

#[test]
fn a_stream_that_does_not_block_gets_everything() {
    let exec = Exec::new();
    // As it comes, and from the cache.
    for _ in 0..2 {
        let (mut reader, writer) = std::io::pipe().unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut call = exec.script(&[], "yes | head -c 1000000");
        let mut child = call.stdout(writer).spawn().unwrap();
        drop(call);
        // It is full, or nearly.
        until("it cannot go on", || {
            ioctl_fionread(&reader).unwrap() > 32 << 10 || child.try_wait().unwrap().is_some()
        });
        let read = within(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            read
        });
        wait(child).is(0, "", "");
        assert_eq!(read.len(), 1_000_000);
    }
    assert_eq!(exec.runs(), 1);
}
