use std::fs;

use crate::support::{Exec, wait};

#[test]
fn a_folder_has_its_own_outputs() {
    let exec = Exec::new();
    fs::create_dir(exec.path("sub")).unwrap();
    let in_sub = || {
        let mut command = exec.command(&["--", "pwd"]);
        wait(command.current_dir(exec.path("sub")).spawn().unwrap())
    };
    let here = wait(exec.command(&["--", "pwd"]).spawn().unwrap());
    let there = in_sub();
    assert_ne!(here, there);
    assert_eq!(there, in_sub());
}

#[test]
fn a_variable_counts_if_it_is_named() {
    let exec = Exec::new();
    let with = |options: &[&str], value: &str| {
        let mut command = exec.script(options, "echo $NAME");
        wait(command.env("NAME", value).spawn().unwrap())
    };
    with(&["--env", "NAME"], "a").is(0, "a\n", "");
    with(&["--env", "NAME"], "b").is(0, "b\n", "");
    with(&["--env", "NAME"], "a").is(0, "a\n", "");
    assert_eq!(exec.runs(), 2);
    // Another that is, one that is empty, and one that is not there.
    let mut other = exec.script(&["--env", "OTHER"], "echo $NAME");
    let other = other.env("NAME", "a").env("OTHER", "a").spawn();
    wait(other.unwrap()).is(0, "a\n", "");
    with(&["--env", "NAME"], "").is(0, "\n", "");
    assert_eq!(exec.runs(), 4);
    exec.run(&["--env", "NAME"], "echo $NAME").is(0, "\n", "");
    assert_eq!(exec.runs(), 5);
    with(&[], "a").is(0, "a\n", "");
    with(&[], "b").is(0, "a\n", "");
}

#[test]
fn a_file_counts_by_its_content() {
    let exec = Exec::new();
    let run = |content: &str| {
        fs::write(exec.path("input"), content).unwrap();
        exec.run(&["--file", "input"], "cat input")
    };
    run("a").is(0, "a", "");
    run("b").is(0, "b", "");
    run("a").is(0, "a", "");
    assert_eq!(exec.runs(), 2);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let exec = Exec::new();
    // Nobody writes to it.
    exec.gate("pipe");
    for (file, told) in [
        ("input", "No such file or directory (os error 2)"),
        ("pipe", "it is no regular file"),
        (".", "it is no regular file"),
        ("/dev/zero", "it is no regular file"),
    ] {
        let call = exec.script(&["--file", file], "true").spawn().unwrap();
        wait(call).is(125, "", &format!("dogpile: --file {file}: {told}\n"));
    }
    assert_eq!(exec.runs(), 0);
}

#[test]
fn a_name_takes_the_place_of_command_and_folder() {
    let exec = Exec::new();
    exec.run(&["--key", "k"], "echo one").is(0, "one\n", "");
    exec.run(&["--key", "k"], "echo two").is(0, "one\n", "");
    exec.run(&["--key", "l"], "echo two").is(0, "two\n", "");
}
