//! What only shows with the plugins at hand: names that none offers, and arguments that they refuse.

use std::env;
use std::fmt::Write;
use std::fs;

use dogpile::{Host, Trust};

use crate::{fixtures, folder};

/// `UPDATE_EXPECT=1` writes the output beside the fixtures anew.
#[test]
fn what_plugins_refuse_is_told_with_place_cause_and_remedy() {
    let mut differences = String::new();
    let fixtures = fixtures("tests/wrong_manifests/fixtures");
    assert!(fixtures.len() >= 24, "only {} fixtures", fixtures.len());
    for fixture in fixtures {
        let folder = folder();
        let path = folder.path().join("dogpile.toml");
        let text = fs::read_to_string(&fixture).unwrap();
        let text = text.replace("DIR", folder.path().to_str().unwrap());
        fs::write(&path, text).unwrap();
        let built = Host::builder()
            .manifest(&path)
            .watch(false)
            .trust(Trust::Off)
            .build();
        let error = built
            .map(|_| fixture.display().to_string())
            .expect_err("it is wrong");
        let shown = format!("{error}\n").replace(folder.path().to_str().unwrap(), "DIR");
        assert!(
            !format!("{shown}{error:?}").contains("canary"),
            "a secret is shown: {shown}{error:?}"
        );
        assert!(
            shown.contains(".toml:") && shown.contains("= help: "),
            "{shown}"
        );
        let beside = fixture.with_extension("stderr");
        if env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&beside, &shown).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != shown {
            writeln!(differences, "{} should be:\n{shown}", beside.display()).unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
