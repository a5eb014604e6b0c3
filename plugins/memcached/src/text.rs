//! The text protocol: its meta commands, which memcached has since 1.6.

use memcache::exp::{
    DeleteOptions, Error, GetOptions, MetaCommand, MetaResponse, ReturnCode, SetMode, SetOptions,
    build_delete, build_get, build_noop, build_set, parse_meta_result,
};

use crate::command::{Command, Item, Outcome, Refusal, Reply, Store, When};
use crate::connection::{Connection, numbers};
use crate::failure::{Answer, Failure};
use crate::target::Login;

/// What memcached's `-Y` wants before all else: the name of a key does not matter. A server without it would store the
/// password under that for all to read, and is asked first.
pub(crate) fn log_in(on: &mut Connection, login: &Login) -> Answer<()> {
    on.send_bytes(|out| out.extend_from_slice(b"mn\r\n"))?;
    match on.line()? {
        b"CLIENT_ERROR unauthenticated" => {}
        b"MN" => {
            return Err(Failure::Login(String::from(
                "it has no logins: leave `username` and `password` out, or start it with `-Y`",
            )));
        }
        said => {
            return Err(Failure::Rejected(
                String::from_utf8_lossy(said).into_owned(),
            ));
        }
    }
    let (user, password) = (&login.username, login.password.reveal());
    let length = user.len() + 1 + password.len();
    on.send_bytes(|out| {
        out.extend_from_slice(format!("set auth 0 0 {length}\r\n{user} {password}\r\n").as_bytes());
    })?;
    match on.line()? {
        b"STORED" => Ok(()),
        said => Err(Failure::Login(String::from_utf8_lossy(said).into_owned())),
    }
}

/// Puts all of them into what is sent.
pub(crate) fn write(out: &mut Vec<u8>, commands: &[&Command], first: u32) -> Answer<()> {
    for (command, number) in commands.iter().zip(numbers(first)) {
        let built = build(command, number.to_string().into_bytes());
        // Keys were looked at before, so that nothing else can be wrong.
        let built = built.and_then(|built| built.encode_into(out));
        built.map_err(|error| Failure::Rejected(error.to_string()))?;
    }
    Ok(())
}

fn build(command: &Command, number: Vec<u8>) -> Result<MetaCommand, Error> {
    match command {
        Command::Get(key) | Command::Look(key) => {
            let mut options = GetOptions::default();
            options.value = matches!(command, Command::Get(_));
            options.return_client_flags = true;
            options.return_cas = true;
            options.opaque = Some(number);
            build_get(key, &options)
        }
        Command::Store(Store {
            key,
            bytes,
            flags,
            ttl,
            when,
        }) => {
            let mut options = SetOptions::default();
            options.client_flags = (*flags != 0).then_some(*flags);
            options.ttl = (*ttl != 0).then_some(*ttl);
            options.return_cas = true;
            options.opaque = Some(number);
            match when {
                When::Always => {}
                When::Absent => options.mode = SetMode::Add,
                When::Unchanged(cas) => options.compare_cas = Some(*cas),
            }
            build_set(key, &**bytes, &options)
        }
        Command::Append { key, bytes, cas } => {
            let mut options = SetOptions::default();
            options.mode = SetMode::Append;
            options.compare_cas = Some(*cas);
            options.return_cas = true;
            options.opaque = Some(number);
            build_set(key, *bytes, &options)
        }
        Command::Delete { key, cas } => {
            let mut options = DeleteOptions::default();
            options.compare_cas = *cas;
            options.opaque = Some(number);
            build_delete(key, &options)
        }
        Command::Ping => Ok(build_noop()),
    }
}

/// The replies to all of them.
pub(crate) fn read(on: &mut Connection, commands: &[&Command], first: u32) -> Answer<Vec<Outcome>> {
    commands
        .iter()
        .zip(numbers(first))
        .map(|(command, number)| reply(on, command, number))
        .collect()
}

fn reply(on: &mut Connection, command: &Command, number: u32) -> Answer<Outcome> {
    let line = on.line()?;
    // The crate keeps the length for its own connections.
    let length = length(line);
    let response = match MetaResponse::parse_header(line) {
        Ok(response) => response,
        Err(Error::Server(said)) => return Ok(Err(refusal(said))),
        Err(Error::Rejected(said)) => return Err(rejected(said)),
        Err(_) => return Err(Failure::Nonsense),
    };
    let bytes = match (response.rc(), length) {
        (ReturnCode::Va, None) => return Err(Failure::Nonsense),
        (ReturnCode::Va, Some(length)) => {
            let bytes = on.value(length)?;
            if on.bytes()? != *b"\r\n" {
                return Err(Failure::Nonsense);
            }
            bytes
        }
        _ => Vec::new(),
    };
    let told = parse_meta_result(response).map_err(|_| Failure::Nonsense)?;
    let is_ping = matches!(command, Command::Ping);
    // A server leaves it out of nothing but a ping.
    if !is_ping && told.opaque.as_deref() != Some(number.to_string().as_bytes()) {
        return Err(Failure::Nonsense);
    }
    let reply = match (command, told.rc) {
        (Command::Get(_), ReturnCode::Va) | (Command::Look(_), ReturnCode::Hd) => {
            Reply::Found(Item {
                bytes,
                flags: told.client_flags.ok_or(Failure::Nonsense)?,
                cas: told.cas.ok_or(Failure::Nonsense)?,
            })
        }
        (Command::Store(_) | Command::Append { .. }, ReturnCode::Hd) => {
            Reply::Done(told.cas.ok_or(Failure::Nonsense)?)
        }
        (Command::Store(_), ReturnCode::Ns) | (_, ReturnCode::Ex) => Reply::Present,
        (Command::Get(_) | Command::Look(_), ReturnCode::En)
        | (Command::Append { .. }, ReturnCode::Ns)
        | (_, ReturnCode::Nf) => Reply::Absent,
        (Command::Delete { .. }, ReturnCode::Hd) | (Command::Ping, ReturnCode::Mn) => {
            Reply::Done(0)
        }
        _ => return Err(Failure::Nonsense),
    };
    Ok(Ok(reply))
}

/// Of the value that follows the line.
fn length(line: &[u8]) -> Option<usize> {
    let digits = line.strip_prefix(b"VA ")?;
    let digits = digits.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn refusal(said: String) -> Refusal {
    if said.contains("too large") {
        Refusal::TooLarge
    } else if said.contains("out of memory") {
        Refusal::OutOfMemory
    } else {
        Refusal::Other(said)
    }
}

fn rejected(said: String) -> Failure {
    if said.contains("unauthenticated") || said.contains("authentication") {
        Failure::Login(said)
    } else {
        Failure::Rejected(said)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn written(commands: &[Command]) -> String {
        let commands: Vec<&Command> = commands.iter().collect();
        let mut out = Vec::new();
        // Numbers go on from the greatest to the least.
        write(&mut out, &commands, u32::MAX).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn store(when: When, flags: u32, ttl: u32) -> Command<'static> {
        Command::Store(Store {
            key: "key",
            bytes: Cow::Borrowed(b"value"),
            flags,
            ttl,
            when,
        })
    }

    #[test]
    fn commands_are_meta_commands_with_their_numbers() {
        let key = "key";
        assert_eq!(
            written(&[Command::Get(key), Command::Look(key), Command::Ping]),
            "mg key v f c O4294967295\r\nmg key f c O0\r\nmn\r\n"
        );
        assert_eq!(
            written(&[store(When::Always, 0, 0), store(When::Absent, 8, 60)]),
            "ms key 5 c O4294967295\r\nvalue\r\nms key 5 ME c F8 T60 O0\r\nvalue\r\n"
        );
        let (bytes, cas) = (&b"!"[..], 7);
        assert_eq!(
            written(&[
                store(When::Unchanged(7), 0, 0),
                Command::Append { key, bytes, cas }
            ]),
            "ms key 5 c C7 O4294967295\r\nvalue\r\nms key 1 MA c C7 O0\r\n!\r\n"
        );
        assert_eq!(
            written(&[
                Command::Delete { key, cas: None },
                Command::Delete { key, cas: Some(7) }
            ]),
            "md key O4294967295\r\nmd key C7 O0\r\n"
        );
    }

    #[test]
    fn only_a_value_has_a_length() {
        for (line, expected) in [
            (&b"VA 12 f0 c1"[..], Some(12)),
            (b"VA 0", Some(0)),
            (b"VA ", None),
            (b"VA x", None),
            (b"VA -1", None),
            (b"HD 12", None),
            (b"", None),
        ] {
            assert_eq!(length(line), expected, "{line:?}");
        }
    }
}
