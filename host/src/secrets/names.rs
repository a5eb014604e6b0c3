/// Words that are a secret's name wherever they stand in a key by themselves.
const WORDS: [&str; 6] = ["pw", "pwd", "pass", "auth", "creds", "passcode"];

/// What a word has in it that names a secret, with whatever else: `dbpassword`, `clientsecret`.
const PARTS: [&str; 6] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "apikey",
];

/// What a word ends with: `requirepass`, `masterauth`, `authtoken`.
const ENDS: [&str; 6] = ["pass", "pwd", "auth", "token", "tokens", "passwords"];

/// What ends so by chance.
const OTHERS: [&str; 2] = ["bypass", "compass"];

/// What makes a secret of the word `key` behind it.
const BEFORE_KEY: [&str; 4] = ["api", "private", "access", "secret"];

/// Words for who logs in. URLs have it beside the password, and are shown without either.
const USERS: [&str; 3] = ["user", "username", "login"];

/// Whether a key's name says that its value is a secret, also with a slip in it: what an unknown key holds is shown in
/// no error.
pub(crate) fn names_a_secret(key: &str) -> bool {
    // What is written with escapes may be any word.
    if key.contains('\\') {
        return true;
    }
    let words = words(key);
    words.iter().any(|word| is_secret(word))
        || words
            .windows(2)
            .any(|pair| pair[1].starts_with("key") && BEFORE_KEY.contains(&pair[0].as_str()))
}

/// Whether a key's name says that its value is who logs in.
pub(crate) fn names_a_user(key: &str) -> bool {
    words(key).iter().any(|word| USERS.contains(&&**word))
}

fn is_secret(word: &str) -> bool {
    let ends = || ENDS.iter().any(|end| word.ends_with(end)) && !OTHERS.contains(&word);
    WORDS.contains(&word)
        || PARTS.iter().any(|part| word.contains(part))
        || ends()
        || PARTS.iter().any(|part| is_slip(word, part))
}

/// Whether who wanted to write `meant` may have written `word`.
fn is_slip(word: &str, meant: &str) -> bool {
    let most = if meant.len() >= 8 { 2 } else { 1 };
    word.len().abs_diff(meant.len()) <= most && strsim::osa_distance(word, meant) <= most
}

/// `redis_clientSecret` is `redis`, `client` and `secret`.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_small = false;
    for c in key.chars() {
        let begins = c.is_uppercase() && is_small;
        is_small = c.is_lowercase() || c.is_numeric();
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            let word = words.last_mut().expect("there is always one");
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{names_a_secret, names_a_user};

    #[test]
    fn keys_that_name_a_secret_are_known() {
        for key in [
            "password",
            "redis_password",
            "userPassword",
            "PASSWORD2",
            "passwd",
            "pasword",
            "passwrod",
            "passwort",
            "sercet",
            "db_pass",
            "requirepass",
            "masterauth",
            "api-key",
            "apiKey",
            "AUTH",
            "client_secret",
            "tokens",
            "authToken",
            "credentails",
            r"pass\u0077ord",
        ] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in [
            "key_prefix",
            "author",
            "passes",
            "key_mangler",
            "tokenizer",
            "bypass_hold",
            "keys",
            "sharded",
            "addresses",
            "backend",
            "",
        ] {
            assert!(!names_a_secret(key), "{key}");
        }
    }

    #[test]
    fn keys_that_name_who_logs_in_are_known() {
        assert!(names_a_user("username") && names_a_user("sasl_user") && names_a_user("userName"));
        assert!(!names_a_user("users") && !names_a_user("use_pool"));
    }
}
