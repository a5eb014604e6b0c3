//! A cache that cannot be used is no reason not to run the command, and costs a line.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::support::{Ended, Exec, Folder, wait};

fn lines(stderr: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(stderr)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// It did what it should, and said once that there is no cache.
#[track_caller]
fn is_run_with_a_warning(ended: &Ended, warning: &str) {
    let lines = lines(&ended.stderr);
    assert_eq!(
        (ended.status, &ended.stdout[..]),
        (6, &b"out\n"[..]),
        "{lines:?}"
    );
    let [first, second] = &lines[..] else {
        panic!("{lines:?}");
    };
    let (told, err) = if first == "err" {
        (second, first)
    } else {
        (first, second)
    };
    assert_eq!(err, "err");
    assert!(
        told.starts_with("dogpile: ") && told.contains(warning),
        "{told}"
    );
}

const SCRIPT: &str = "echo out; echo err >&2; exit 6";

#[test]
fn a_folder_that_cannot_be_made() {
    let exec = Exec::new();
    fs::remove_dir(exec.path("cache")).unwrap();
    fs::write(exec.path("cache"), "a file").unwrap();
    is_run_with_a_warning(&exec.run(&[], SCRIPT), "the cache is not used: ");
}

#[test]
fn no_home() {
    let exec = Exec::new();
    let mut command = exec.script(&[], SCRIPT);
    let child = command
        .env_remove("XDG_CACHE_HOME")
        .env_remove("HOME")
        .spawn()
        .unwrap();
    is_run_with_a_warning(&wait(child), "neither XDG_CACHE_HOME nor HOME");
}

#[test]
fn no_current_folder() {
    let exec = Exec::new();
    let run = |options: &[&str], off| {
        fs::create_dir(exec.path("gone")).unwrap();
        let inner = exec.command(&[options, &["--", "echo", "out"]].concat());
        let mut call = exec.through_shell("cd gone && rmdir ../gone && exec", &inner);
        wait(call.env("DOGPILE_EXEC", off).spawn().unwrap())
    };
    let warning = "dogpile: the cache is not used: the current folder is gone\n";
    run(&[], "").is(0, "out\n", warning);
    // Nobody asks for it.
    run(&["--key", "k"], "").is(0, "out\n", "");
    run(&[], "off").is(0, "out\n", "");
}

#[test]
fn a_file_of_another_program() {
    let exec = Exec::new();
    exec.run(&[], "true");
    fs::remove_file(exec.cached("exec.dbm")).unwrap();
    fs::remove_file(exec.cached("exec.dbm.state")).unwrap();
    fs::write(exec.cached("exec.dbm"), "SQLite format 3\0 and so on").unwrap();
    let told = format!(
        "dogpile: the cache is not used: {}: it is a file of another program (SQLite), and is not touched: remove it, or \
         name another file; XDG_CACHE_HOME says in which folder",
        exec.cached("exec.dbm").display()
    );
    let ended = exec.run(&[], SCRIPT);
    is_run_with_a_warning(&ended, &told);
    assert!(lines(&ended.stderr).contains(&told));
}

/// What is said, up to the reason, of a file that was damaged.
fn told_of_damage(file: &Path) -> String {
    let file = file.display();
    format!(
        "dogpile: {file}: it is damaged, and was moved to {file}.damaged: its entries are lost, and a new one is begun ("
    )
}

fn damage(file: &Path) {
    let length = fs::metadata(file).unwrap().len();
    fs::write(file, vec![7; usize::try_from(length).unwrap()]).unwrap();
}

#[test]
fn a_damaged_file_is_begun_anew_and_told_of_once() {
    let exec = Exec::new();
    exec.run(&[], "true");
    let file = exec.cached("exec.dbm");
    let told = format!(
        "{}its first bytes are not its own)\n",
        told_of_damage(&file)
    );
    damage(&file);
    exec.run(&[], "wc -l < runs").is(0, "2\n", &told);
    exec.run(&[], "wc -l < runs").is(0, "2\n", "");
    damage(&file);
    for (option, told) in [("--purge", &*told), ("--purge", "")] {
        wait(exec.command(&[option]).spawn().unwrap()).is(0, "", told);
    }
}

#[test]
fn a_damaged_file_of_a_region_of_the_manifest_is_told_of_once() {
    let folder = Folder::without_plugins(
        "version = 1\n[host]\nplugin_dir = \"plugins\"\n[plugins.dbm]\n[regions.reports]\nbackend = \"dbm\"\n\
         arguments.filename = \"reports.dbm\"\n",
    );
    folder.add_plugin("dbm");
    let exec = ["exec", "reports", "--", "echo", "out"];
    folder.dogpile(&exec).is(0, "out\n", "");
    damage(&folder.path("reports.dbm"));
    let run = folder.dogpile(&exec);
    assert_eq!((run.status, run.stdout.as_str()), (Some(0), "out\n"));
    let told = told_of_damage(Path::new("reports.dbm"));
    let is_told = run.stderr.starts_with(&told) && run.stderr.lines().count() == 1;
    assert!(is_told, "{}", run.stderr);
    folder.dogpile(&exec).is(0, "out\n", "");
}

#[test]
fn a_file_that_is_thrown_away_is_told_of_unless_the_machine_started_again() {
    const BOOT: u64 = 25;
    let exec = Exec::new();
    exec.run(&[], "true");
    let state = exec.cached("exec.dbm.state");
    fs::remove_file(&state).unwrap();
    let told = format!(
        "dogpile: {}: it was thrown away, and a new one is begun: the state file beside it does not name it, so that it may \
         be a copy, or old\n",
        exec.cached("exec.dbm").display()
    );
    exec.run(&[], "wc -l < runs").is(0, "2\n", &told);
    let state = OpenOptions::new().write(true).open(&state).unwrap();
    state.write_all_at(&[b'x'; 36], BOOT).unwrap();
    exec.run(&[], "wc -l < runs").is(0, "3\n", "");
}

#[test]
fn a_file_that_is_damaged_anywhere_costs_a_line_if_it_is_moved_aside_and_none_otherwise() {
    const PAGE: usize = 4096;
    for at in (0..).step_by(PAGE) {
        for call in [&["--key", "k", "--", "echo"][..], &["--list"]] {
            let exec = Exec::new();
            exec.run(&[], "true");
            let file = exec.cached("exec.dbm");
            let mut bytes = fs::read(&file).unwrap();
            let Some(page) = bytes.get_mut(at..at + PAGE) else {
                return;
            };
            page.fill(7);
            fs::write(&file, bytes).unwrap();
            let ended = wait(exec.command(call).spawn().unwrap());
            let told = lines(&ended.stderr);
            let moved = usize::from(exec.cached("exec.dbm.damaged").exists());
            assert_eq!((ended.status, told.len()), (0, moved), "{call:?}: {told:?}");
            for line in told {
                assert!(line.starts_with(&told_of_damage(&file)), "{line}");
            }
        }
    }
}

/// A limit on the size of files, as a full disk.
fn full(exec: &Exec, blocks: u32, script: &str) -> Ended {
    let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec");
    wait(exec.through(&limit, script).spawn().unwrap())
}

#[test]
fn a_full_disk_before_and_after_there_is_a_file() {
    let exec = Exec::new();
    is_run_with_a_warning(&full(&exec, 1, SCRIPT), "the cache is not used: ");
    assert_eq!(exec.runs(), 1);
    exec.run(&[], "wc -l < runs").is(0, "2\n", "");
    // What is there can be read,
    full(&exec, 1, "wc -l < runs").is(0, "2\n", "");
    // and nothing be added.
    let size = fs::metadata(exec.cached("exec.dbm")).unwrap().len();
    let large = "head -c 10000000 /dev/zero | tr '\\0' x; echo err >&2";
    let blocks = u32::try_from(size / 512 + 2).unwrap();
    let ended = full(&exec, blocks, large);
    assert_eq!((ended.status, ended.stdout.len()), (0, 10_000_000));
    let lines = lines(&ended.stderr);
    assert!(
        lines.len() == 2 && lines[1].starts_with("dogpile: the output is not kept: "),
        "{lines:?}"
    );
    // Nothing was lost.
    exec.run(&[], "wc -l < runs").is(0, "2\n", "");
}

#[test]
fn a_file_that_cannot_be_written_at_all() {
    let exec = Exec::new();
    let call = |limit: &str, script: &str| {
        let inner = exec.command(&["--key", "k", "--", "sh", "-c", script]);
        let mut call =
            exec.through_shell(&format!("trap '' XFSZ; ulimit -f {limit}; exec"), &inner);
        wait(call.spawn().unwrap())
    };
    call("unlimited", "echo kept").is(0, "kept\n", "");
    let ended = call("0", SCRIPT);
    is_run_with_a_warning(&ended, "the cache is not used: ");
    let told = String::from_utf8(ended.stderr).unwrap();
    let file = exec.cached("exec.dbm");
    assert_eq!(
        told.matches(&format!("{}: ", file.display())).count(),
        1,
        "{told}"
    );
    assert!(told.contains("ulimit -f"), "{told}");
    assert!(!exec.cached("exec.dbm.damaged").exists());
    call("unlimited", SCRIPT).is(0, "kept\n", "");
}

#[test]
fn any_limit_on_open_files() {
    let exec = Exec::new();
    // With less the dynamic linker does not come far.
    for limit in 4..24 {
        let inner = exec.command(&["--key", &limit.to_string(), "--", "echo", "out"]);
        let mut call = exec.through_shell(&format!("ulimit -n {limit} && exec"), &inner);
        let ended = wait(call.spawn().unwrap());
        let told = lines(&ended.stderr);
        assert_eq!(
            (ended.status, &ended.stdout[..], told.len() < 2),
            (0, &b"out\n"[..], true),
            "{told:?}"
        );
        assert!(
            told.iter().all(|line| line.contains("Too many open files")),
            "{told:?}"
        );
    }
}

#[test]
fn a_cache_that_does_not_answer_is_not_waited_for_without_end() {
    let exec = Exec::new();
    exec.run(&[], "true");
    // As somebody who was stopped while he opened it.
    let state = File::open(exec.cached("exec.dbm.state")).unwrap();
    flock(&state, FlockOperation::LockExclusive).unwrap();
    let began = Instant::now();
    is_run_with_a_warning(
        &exec.run(&[], SCRIPT),
        "the cache is not used: it takes too long",
    );
    // It is not waited for again to store: that would be twice as long.
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(exec.runs(), 2);
}

/// By a link of his to a folder of ours, whose mode would be changed, or because he owns what ours would be in.
#[test]
fn a_folder_that_another_user_leads_us_to() {
    const ANOTHER: Option<u32> = Some(65534);
    for (owned, told) in [("cache/dogpile", "it"), ("cache", "what it is in")] {
        let exec = Exec::new();
        let ours = exec.path("ours");
        fs::create_dir(&ours).unwrap();
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&ours, exec.path("cache/dogpile")).unwrap();
        exec.run(&[], "true").is(0, "", "");
        assert_eq!(fs::metadata(&ours).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)).unwrap();
        if lchown(exec.path(owned), ANOTHER, ANOTHER).is_err() {
            eprintln!("not run: this user may not give files away");
            return;
        }
        is_run_with_a_warning(
            &exec.run(&[], SCRIPT),
            &format!("dogpile: {told} belongs to another"),
        );
        assert_eq!(fs::metadata(&ours).unwrap().mode() & 0o777, 0o755);
    }
}

/// A small disk that only the script sees. None if this user may not make one.
fn on_a_small_disk(script: &str) -> Option<Ended> {
    let exec = Exec::new();
    let unshare = ["--user", "--map-root-user", "--mount"];
    let disk = exec.path("cache");
    let mount = "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$1\"";
    let call = |script: &str| {
        let mut call = Command::new("unshare");
        call.args(unshare).args(["sh", "-ec", script, "sh"]);
        call.arg(&disk).arg(env!("CARGO_BIN_EXE_dogpile"));
        call.current_dir(exec.path("")).env("XDG_CACHE_HOME", &disk);
        call.stdout(Stdio::piped()).stderr(Stdio::piped());
        call
    };
    if !call(mount).output().is_ok_and(|made| made.status.success()) {
        eprintln!("not run: this user may not mount a small disk");
        return None;
    }
    Some(wait(call(&format!("{mount}; {script}")).spawn().unwrap()))
}

#[test]
fn a_disk_that_cannot_be_written_before_and_after_there_is_a_file() {
    let script = "
        run() { $2 exec -- sh -c 'echo run >> runs; wc -l < runs; exit 3' || test $? = 3; }
        mount -o remount,ro $1; run $@; mount -o remount,rw $1
        $2 exec -- true
        mount -o remount,ro $1; run $@; run $@";
    let Some(ended) = on_a_small_disk(script) else {
        return;
    };
    let told = lines(&ended.stderr);
    assert_eq!(
        (ended.status, &ended.stdout[..]),
        (0, &b"1\n2\n3\n"[..]),
        "{told:?}"
    );
    assert_eq!(told.len(), 3, "{told:?}");
    for line in told {
        assert!(
            line.starts_with("dogpile: the cache is not used: "),
            "{line}"
        );
        assert!(line.contains("ead-only file system"), "{line}");
    }
}

#[test]
fn a_disk_that_is_full_before_and_after_there_is_a_file() {
    let script = "
        run() { $2 exec --key $3 -- sh -c 'echo run >> runs; wc -l < runs'; }
        fill() { head -c 1m /dev/zero > $1/fill 2> no-room || true; }
        fill $@; run $@ a; rm $1/fill
        run $@ a; fill $@; run $@ a
        $2 exec --key b -- head -c 500000 /dev/zero | wc -c
        run $@ a";
    let Some(ended) = on_a_small_disk(script) else {
        return;
    };
    let told = lines(&ended.stderr);
    assert_eq!(
        (ended.status, &ended.stdout[..]),
        (0, &b"1\n2\n2\n500000\n2\n"[..]),
        "{told:?}"
    );
    let starts = [
        "dogpile: the cache is not used: ",
        "dogpile: the output is not kept: ",
    ];
    assert_eq!(told.len(), starts.len(), "{told:?}");
    for (line, start) in told.iter().zip(starts) {
        assert!(
            line.starts_with(start) && line.matches("no room left").count() == 1,
            "{line}"
        );
    }
}

/// As where a disk keeps what was there beside what is new: without room not even a byte in place can be changed.
#[test]
fn a_full_disk_on_which_every_write_takes_room() {
    let layers = "
        mkdir -m 700 $1/low $1/up $1/work $1/both
        over() { mount -t overlay overlay -o lowerdir=$1/low,upperdir=$1/up,workdir=$1/work $1/both; }";
    let may = format!("{layers}; over $@ && echo yes || true");
    let Some(true) = on_a_small_disk(&may).map(|ended| ended.stdout == b"yes\n") else {
        eprintln!("not run: this user may not lay one file system over another");
        return;
    };
    let script = format!(
        "{layers}
        run() {{ XDG_CACHE_HOME=$1/$3 $2 exec --key a -- sh -c 'echo run >> runs; wc -l < runs'; }}
        run $@ low; over $@; head -c 1m /dev/zero > $1/up/fill 2> no-room || true
        run $@ both; ls $1/both/dogpile > files
        rm $1/up/fill; mount -o remount $1/both; run $@ both; cat files"
    );
    let ended = on_a_small_disk(&script).unwrap();
    let told = lines(&ended.stderr);
    let [told] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(
        told.starts_with("dogpile: the cache is not used: ") && told.contains("make room"),
        "{told}"
    );
    let files = "exec.dbm\nexec.dbm.dogpile.lock\nexec.dbm.state\n";
    assert_eq!(ended.stdout, format!("1\n2\n1\n{files}").into_bytes());
}
