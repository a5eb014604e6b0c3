use std::process::Command;

use crate::support::{Folder, PAGES};

/// What a bash with the script offers for a line whose last word is being typed.
fn offered(folder: &Folder, words: &[&str]) -> Vec<String> {
    let script = folder.dogpile(&["completions", "bash"]);
    assert_eq!((script.status, script.stderr.as_str()), (Some(0), ""));
    folder.write("dogpile.bash", &script.stdout);
    let ask = "source ./dogpile.bash || exit 1\n\
               COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_LINE=\"$*\"; COMP_POINT=${#COMP_LINE}\n\
               spec=$(complete -p dogpile) || exit 1\n\
               function=${spec#*-F }; function=${function%% *}\n\
               \"$function\" dogpile \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"\n\
               printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let output = Command::new("bash")
        .args(["--norc", "-c", ask, "bash"])
        .args(words)
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_bash_completes_commands_and_their_options() {
    let folder = Folder::without_plugins(PAGES);
    assert_eq!(offered(&folder, &["dogpile", "expl"]), ["explain"]);
    assert_eq!(offered(&folder, &["dogpile", "re"]), ["reload"]);
    assert_eq!(
        offered(&folder, &["dogpile", "invalidate", "--s"]),
        ["--soft"]
    );
    assert_eq!(offered(&folder, &["dogpile", "completions", "z"]), ["zsh"]);
    // How the command starts itself is nobody's affair.
    assert!(offered(&folder, &["dogpile", "prob"]).is_empty());
}

#[test]
fn every_shell_has_a_script_and_others_are_refused() {
    let folder = Folder::without_plugins(PAGES);
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef dogpile"),
        ("fish", "complete -c dogpile"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let run = folder.dogpile(&["completions", shell]);
        assert!(run.stdout.contains(part), "{shell}");
        assert!(run.stdout.contains("explain"), "{shell}");
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    }
    let refused = folder.dogpile(&["completions", "tcsh"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(2), ""));
}
