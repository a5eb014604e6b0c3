use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};

macro_rules! bugs {
    ($($bug:ident),+ $(,)?) => {
        /// What is wrong with the backend.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(crate = "serde")]
        #[schemars(crate = "schemars")]
        pub(crate) enum Bug { $($bug),+ }

        impl Bug {
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$bug => stringify!($bug)),+ }
            }
        }
    };
}

bugs! {
    Aborts, AbortsInRenew, AnswersOnce, AsciiKeys, AsciiValues, BoundToThread, ClearsNothing, ClosesGaps, CopiesObjects, CountsNothing,
    CutsAt64Ki, CutsAtBar, CutsKeys, CutsKeysAt250, DamagesLong, DeletesAll, DeletesOne, DiesWithValue, DropsLastByte,
    DropsWhatEnds, EmptiesOnReconfigure, EndsAtZero, FailsOnNothing, FailsPing, FailsToDeleteNothing, FoldsCase, ForgetsAll,
    ForgetsDeletions, ForgetsWhenClosed, GuardsByFirst, HangsInPing, KeepsDeleted, KeepsFirst, KeepsHeld, KeepsWhatEnded,
    LeaksObjects, LeavesUnguarded, LosesEmpty, MixesFresh, MixesOrder, NeverPasses, NoExclusion, NoMutex, OneForAll, Panics,
    PanicsInClear, PassesAtOnce, ReadsNumbers, Reentrant, RefusesForEver, RefusesGuarded, RefusesMany, ReleasesStrangers,
    RenewsLost, RenewsNothing, SameToken, SaysFree, SaysShared, SleepsOn, StaleFresh, StoresDeleted, StoresFirstOfTwo,
    StoresOne, TearsValues, TrimsKeys, TrimsValues, TrustsHashes,
}
