use dogpile_net::endpoint::Place;

use crate::failure::Failure;

/// What a node of a cluster says that does not have the keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// They are there.
    Moved(Place),
    /// They are on their way to that one, as all of this slot.
    Ask(Place),
}

impl Redirect {
    /// Of the node in that place, whose own host it may leave out.
    pub(crate) fn of(failure: &Failure, by: &Place) -> Option<Self> {
        let Failure::Refused(error) = failure else {
            return None;
        };
        let make = match error.code() {
            "MOVED" => Self::Moved,
            "ASK" => Self::Ask,
            _ => return None,
        };
        let (_slot, address) = error.details()?.split_once(' ')?;
        let (host, port) = address.rsplit_once(':')?;
        announced(Some(host), None, port.parse().ok()?, by).map(make)
    }
}

/// Where a node is that is announced so by the one in the place `by`: by its name or address; else by its address; else it
/// is reached as this one was.
pub(crate) fn announced(
    endpoint: Option<&str>,
    address: Option<&str>,
    port: u16,
    by: &Place,
) -> Option<Place> {
    let Place::Tcp(reached, _) = by else {
        return None;
    };
    let is_said = |host: &&str| !host.is_empty() && *host != "?";
    let host = match endpoint {
        Some(endpoint) => Some(endpoint).filter(is_said).or(address.filter(is_said)),
        None => None,
    };
    Some(Place::Tcp(host.unwrap_or(reached).to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::refused_with;

    fn at(host: &str, port: u16) -> Place {
        Place::Tcp(host.to_owned(), port)
    }

    #[test]
    fn redirections_name_a_place_or_that_of_who_says_so() {
        let by = at("one", 7000);
        let read = |line: &str| Redirect::of(&refused_with(line), &by);
        for (line, place) in [
            ("MOVED 3999 10.0.0.1:6381", at("10.0.0.1", 6381)),
            (
                "MOVED 3999 two.example.com:6381",
                at("two.example.com", 6381),
            ),
            ("MOVED 3999 ::1:6381", at("::1", 6381)),
            ("MOVED 3999 :6381", at("one", 6381)),
            ("MOVED 3999 ?:6381", at("one", 6381)),
        ] {
            assert_eq!(read(line), Some(Redirect::Moved(place.clone())), "{line}");
            let ask = line.replace("MOVED", "ASK");
            assert_eq!(read(&ask), Some(Redirect::Ask(place)), "{ask}");
        }
        for other in ["MOVED 3999", "MOVED 3999 one", "ASK 1 one:x", "ERR MOVED"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(Redirect::of(&Failure::Nonsense, &by), None);
    }

    #[test]
    fn a_node_without_a_name_has_its_address_and_one_without_any_is_where_the_other_was() {
        let by = at("one", 7000);
        for (endpoint, address, host) in [
            (Some("two"), Some("10.0.0.2"), "two"),
            (Some("?"), Some("10.0.0.2"), "10.0.0.2"),
            (Some(""), None, "one"),
            (None, Some("10.0.0.2"), "one"),
        ] {
            assert_eq!(announced(endpoint, address, 1, &by), Some(at(host, 1)));
        }
    }
}
