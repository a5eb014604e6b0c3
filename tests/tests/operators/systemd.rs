use std::fs;
use std::process::Command;

use crate::{command, read};

/// As the unit says of itself: the first version with `Type=notify-reload`.
const WITH_NOTIFY_RELOAD: u32 = 253;

fn analyze(arguments: &[&str]) -> String {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("systemd-analyze: {error}; apt-get install systemd"));
    let told = [output.stdout, output.stderr].concat();
    String::from_utf8(told).expect("it writes UTF-8")
}

/// The number of `systemd 252 (252.38-1~deb12u1)`.
fn version() -> u32 {
    let told = analyze(&["--version"]);
    let number = told.split_whitespace().nth(1).and_then(|text| {
        let digits = text.split(|one: char| !one.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    number.unwrap_or_else(|| panic!("no version: {told}"))
}

/// What systemd says of the unit, with the command where it was built.
fn verified(unit: &str) -> String {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("dogpile.service");
    fs::write(&file, unit).expect("there is room");
    analyze(&["verify", "--man=no", &file.display().to_string()])
}

#[test]
fn systemd_has_nothing_to_say_of_the_unit() {
    let unit = read("docs/dogpile.service");
    let installed = "/usr/local/bin/dogpile";
    assert!(unit.contains(installed), "{unit}");
    let mut unit = unit.replace(installed, &command().display().to_string());
    if version() < WITH_NOTIFY_RELOAD {
        assert!(unit.contains("Type=notify-reload\n"), "{unit}");
        unit = unit.replace("Type=notify-reload\n", "Type=notify\n");
    }
    assert_eq!(verified(&unit), "");
    // And it does say something.
    let told = verified(&unit.replace("WatchdogSec=", "WatchdogSecond="));
    assert!(told.contains("WatchdogSecond"), "{told}");
}
