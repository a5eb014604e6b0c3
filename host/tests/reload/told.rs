//! What a host tells of its reloads: in its status, to its listener, and in its log.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use dogpile::admin::{AdminSocket, Client};
use dogpile::{Listener, ReloadOutcome, ReloadRecord, Trigger};

use crate::logs::{self, Line};
use crate::support::{Site, contains, library, plugins, until};

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

#[test]
fn the_status_tells_when_and_why_the_newest_reload_was_and_how_long_it_took() {
    use ReloadOutcome::{Applied, Refused, Unchanged};
    use Trigger::{Command, File, Program, Signal, Start};
    let site = Site::new(USERS);
    let socket = AdminSocket::At(site.path("admin"));
    let host = site
        .builder()
        .admin_socket(socket)
        .watch(false)
        .build()
        .unwrap();
    let last = || host.status().last_reload.unwrap();
    let first = last();
    assert_eq!(
        (first.trigger, first.outcome, first.generation),
        (Start, Applied, 1)
    );
    assert!(first.at.ends_with('Z') && first.seconds > 0.0);
    let mut client = Client::connect_to(site.path("admin")).unwrap().unwrap();

    host.reload().unwrap();
    assert_eq!(
        (last().trigger, last().outcome, last().generation),
        (Program, Unchanged, 1)
    );
    site.save(&USERS.replace("100", "200"));
    host.reload_on(Signal).unwrap();
    assert_eq!(
        (last().trigger, last().outcome, last().generation),
        (Signal, Applied, 2)
    );
    assert_eq!(
        last().plan.unwrap().changes[0].because[0],
        "expiration_time"
    );
    site.save(&USERS.replace("100", "nonsense"));
    let error = client.reload().unwrap_err().to_string();
    let refused = last();
    assert_eq!(
        (refused.trigger, refused.outcome, refused.generation),
        (Command, Refused, 2)
    );
    assert_eq!(refused.error.as_deref(), Some(&*error));
    assert_eq!(
        (refused.plan.is_none(), refused.error),
        (true, host.status().last_error)
    );
    // A plan is no reload.
    host.plan().unwrap_err();
    let reloads = host.status().reloads;
    assert_eq!(
        (reloads.applied, reloads.unchanged, reloads.refused),
        (1, 1, 1)
    );

    site.save(USERS);
    drop((client, host));
    let host = site.open();
    site.save(&USERS.replace("100", "300"));
    site.applied(&host);
    let status = host.status();
    assert_eq!(status.last_reload.unwrap().trigger, File);
    assert_eq!(status.reloads.applied, 1);
}

#[test]
fn the_json_of_the_status_has_the_outcome() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    site.save(&USERS.replace("memory", "null"));
    host.reload().unwrap();
    let status = serde_json::to_value(host.status()).unwrap();
    let last = &status["last_reload"];
    assert_eq!(
        (
            &last["trigger"],
            &last["outcome"],
            &last["generation"],
            &last["error"]
        ),
        (
            &"program".into(),
            &"applied".into(),
            &2.into(),
            &serde_json::Value::Null
        )
    );
    assert!(last["seconds"].is_f64() && last["at"].is_string());
    let change = serde_json::json!({
        "region": "users", "kind": "swapped", "because": ["plugin", "backend"], "entries": { "lost": 0 }
    });
    assert_eq!(last["plan"]["changes"][0], change);
    assert_eq!(last["plan"]["entries_lost"], 0);
    assert_eq!(
        status["reloads"],
        serde_json::json!({ "applied": 1, "unchanged": 0, "refused": 0 })
    );
}

/// What a listener is told of reloads. It panics at first, which ends nothing.
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, line: String) {
        let mut told = self.0.lock().unwrap();
        told.push(line);
        let is_first = told.len() == 1;
        drop(told);
        assert!(!is_first, "the listener panics once");
    }
}

impl Listener for Told {
    fn reload_began(&self, trigger: Trigger) {
        self.note(format!("{trigger} began"));
    }

    fn reloaded(&self, record: &ReloadRecord) {
        self.note(format!("{} {}", record.outcome, record.generation));
    }
}

#[test]
fn a_listener_is_told_of_the_beginning_and_the_end_of_each_reload() {
    let site = Site::new(USERS);
    let told = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&told);
    let host = site.builder().listener(Told(theirs)).build().unwrap();
    host.reload().unwrap();
    site.save(&USERS.replace("100", "200"));
    until("the change is told", || told.lock().unwrap().len() == 4);
    site.save(&USERS.replace("100", "nonsense"));
    until("the refusal is told", || told.lock().unwrap().len() == 6);
    let expected = [
        "program began",
        "unchanged 1",
        "file began",
        "applied 2",
        "file began",
        "refused 2",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

/// The level of an event, and each of its fields as `name=value`.
fn told(line: Line) -> Vec<String> {
    let fields = line.fields.iter();
    let mut told: Vec<String> = fields
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    told.splice(0..0, [line.level, format!("message={}", line.message)]);
    told
}

#[test]
fn each_reload_is_one_event_of_the_log_with_its_outcome_in_fields() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    host.region("users").unwrap().set("k", 1).unwrap();
    let lines = logs::of_target("dogpile.reload", || {
        thread::scope(|scope| {
            // As another test does.
            let elsewhere = Site::new(USERS);
            scope.spawn(move || elsewhere.open_unwatched().reload().unwrap());
        });
        let more = "[regions.more]\nbackend = \"null\"\nexpiration_time = 1\n";
        site.save(
            &[
                USERS,
                more,
                "[regions.users.arguments]\nstorage = \"nonsense\"\n",
            ]
            .concat(),
        );
        host.reload().unwrap_err();
        site.save(&[USERS.replace("memory", "null"), more.to_owned()].concat());
        host.reload().unwrap();
        host.reload().unwrap();
    });
    let logged: Vec<Vec<String>> = lines.into_iter().map(told).collect();
    let with = |event: &Vec<String>, fields: &[&str]| {
        for field in fields {
            assert!(
                event.iter().any(|found| found == field),
                "no {field} in {event:?}"
            );
        }
        assert!(
            event.iter().any(|field| field.starts_with("seconds=0.")),
            "{event:?}"
        );
    };
    assert_eq!(logged.len(), 3, "{logged:?}");
    // What takes several lines is the last field, so that no other one hangs on its last line.
    let last = |event: &Vec<String>, begin: &str, parts: &[&str]| {
        let (last, others) = event.split_last().unwrap();
        assert!(last.starts_with(begin), "{event:?}");
        contains(last, parts);
        assert!(
            !others.iter().any(|field| field.contains('\n')),
            "{others:?}"
        );
    };
    let refused = ["dogpile.toml:", "storage", "1 error"];
    last(&logged[0], "error=\n", &refused);
    let swapped = ["\nadded region `more`", "\nswapped region `users`"];
    last(&logged[1], "changes=\n", &swapped);
    last(&logged[2], "entries_lost=0", &[]);
    for (event, message) in logged.iter().zip([
        "message=the manifest was refused, the last good one stays in force",
        "message=generation 2",
        "message=nothing to change, generation 2",
    ]) {
        assert!(
            event.iter().any(|field| field.starts_with(message)),
            "{event:?}"
        );
    }
    with(
        &logged[0],
        &[
            "ERROR",
            "outcome=refused",
            "trigger=program",
            "generation=1",
        ],
    );
    with(
        &logged[1],
        &[
            "INFO",
            "outcome=applied",
            "trigger=program",
            "generation=2",
            "added=1",
            "removed=0",
            "swapped=1",
            "reconfigured=0",
            "changed=0",
            "kept=0",
            "entries_lost=1",
        ],
    );
    with(
        &logged[2],
        &[
            "INFO",
            "outcome=unchanged",
            "generation=2",
            "kept=2",
            "entries_lost=0",
        ],
    );
}

#[test]
fn images_that_no_plugin_is_any_more_are_counted() {
    let site = Site::empty();
    fs::create_dir(site.path("plugins")).unwrap();
    let name = format!("plugins/{}", library("memory"));
    let memory = fs::read(plugins().join(library("memory"))).unwrap();
    let other = |mark: &str| [&memory[..], mark.as_bytes()].concat();
    site.replace(&name, other("leaked 0"));
    site.replace(
        "dogpile.toml",
        format!("version = 1\n[plugins.memory]\n{USERS}"),
    );
    let host = site.open_unwatched();
    let leaked = || {
        let status = host.status();
        let plugin = &status.plugins[1];
        assert_eq!(plugin.name, "memory");
        let of_it = (plugin.leaked_images, plugin.leaked_bytes);
        assert_eq!((status.leaked_images, status.leaked_bytes), of_it);
        of_it
    };
    assert_eq!(leaked(), (0, 0));
    let bytes = other("leaked 0").len() as u64;
    for turn in 1..=3 {
        site.replace(&name, other(&format!("leaked {turn}")));
        host.reload().unwrap();
        assert_eq!(leaked(), (usize::try_from(turn).unwrap(), turn * bytes));
    }
    // The image of old is in use again.
    site.replace(&name, other("leaked 0"));
    host.reload().unwrap();
    assert_eq!(leaked(), (3, 3 * bytes));
    // Of a refused manifest too.
    site.replace(&name, other("leaked 4"));
    site.replace(
        "dogpile.toml",
        "version = 1\n[plugins.memory]\n[regions.users]\nbackend = \"none\"\n",
    );
    let error = host.reload().unwrap_err().to_string();
    contains(&error, &["`none`"]);
    assert_eq!(leaked(), (4, 4 * bytes));
}
