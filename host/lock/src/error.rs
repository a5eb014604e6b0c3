//! Why a caller got no value.

use crate::shown::shown;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Why a caller got no value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError<E> {
    /// The creation failed, this caller's or the one that it waited for: the operation's own error. It is not
    /// remembered, so the next call creates at once.
    Creation(E),
    /// Waiting would never have ended, since the creation waited for waits for this caller. Holds the keys of the
    /// circle: first the one wanted, then what its creation waits for, and so on; the last is being created by this
    /// caller.
    Circle(Vec<String>),
    /// This caller's patience, which it holds, ran out while another created the value. The creation goes on.
    TimedOut(Duration),
}

impl<E: Display> Display for LockError<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Creation(error) => error.fmt(f),
            Self::Circle(keys) => {
                f.write_str(
                    "waiting would never end, the creators of these keys wait for one another: ",
                )?;
                for key in keys {
                    write!(f, "{:?} -> ", shown(key))?;
                }
                write!(
                    f,
                    "{:?}; a creator must not ask for a key whose creation waits for its own",
                    keys.first().map_or("", |key| shown(key))
                )
            }
            Self::TimedOut(wait) => write!(
                f,
                "no value after waiting {wait:?} for another caller to create it; the creation goes on: \
                 wait longer, or make the creator faster"
            ),
        }
    }
}

impl<E: Error + 'static> Error for LockError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Displayed in its place, so what is behind it comes next.
            Self::Creation(error) => error.source(),
            Self::Circle(_) | Self::TimedOut(_) => None,
        }
    }
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_shown_closed() {
        let error = LockError::<String>::Circle(vec!["a".into(), "b".into()]);
        let text = error.to_string();
        assert!(text.contains(r#""a" -> "b" -> "a";"#), "{text}");
    }

    #[test]
    fn a_creators_error_is_shown_as_it_is() {
        assert_eq!(LockError::Creation("no row 42").to_string(), "no row 42");
    }

    #[test]
    fn a_time_out_names_the_wait() {
        let error = LockError::<String>::TimedOut(Duration::from_millis(1500));
        assert!(error.to_string().contains("1.5s"));
    }
}
