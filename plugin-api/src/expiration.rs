use std::time::Duration;

/// When a value expires. There is nothing else that it could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// So long after its creation.
    After(Duration),
    /// Never.
    Never,
}

impl From<Duration> for Expiration {
    fn from(time: Duration) -> Self {
        Self::After(time)
    }
}

impl Expiration {
    /// In nanoseconds; `u64::MAX` is never.
    pub fn nanoseconds(self) -> u64 {
        match self {
            Self::Never => u64::MAX,
            Self::After(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// From nanoseconds, where `u64::MAX` is never.
    pub fn from_nanoseconds(time: u64) -> Self {
        match time {
            u64::MAX => Self::Never,
            time => Self::After(Duration::from_nanos(time)),
        }
    }
}
