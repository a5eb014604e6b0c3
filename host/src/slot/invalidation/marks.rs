//! What was outdated, and when.

use std::collections::HashMap;
use std::sync::Arc;

use dogpile_lock::Outdated;

use super::Invalidation;
use crate::slot::Tags;

/// How many tags are told apart.
pub(crate) const MOST_TAGS: usize = 4096;

/// What an invalidation concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// Every value of the region.
    Region,
    /// Every value that has tags.
    Tagged,
    /// Every value that has this tag.
    Tag(&'a str),
}

/// The last times at which something was outdated. They only grow, and two can be merged in any order.
///
/// Tags are told apart up to [`MOST_TAGS`], those that were outdated last. An older mark becomes one of all tagged
/// values: that outdates more than was asked for, never less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    region: Outdated,
    tagged: Outdated,
    tags: Arc<HashMap<Box<str>, Outdated>>,
}

impl Marks {
    /// When the values of `target` were last outdated, by marks on themselves or on all tagged ones.
    fn of(&self, target: Target<'_>) -> Outdated {
        match target {
            Target::Region => self.region,
            Target::Tagged => self.tagged,
            Target::Tag(tag) => match self.tags.get(tag) {
                Some(own) => latest(*own, self.tagged),
                None => self.tagged,
            },
        }
    }

    pub(super) fn at(&self, target: Target<'_>, how: Invalidation) -> u64 {
        let times = self.of(target);
        match how {
            Invalidation::Hard => times.hard,
            Invalidation::Soft => times.soft,
        }
    }

    /// What concerns a value with these tags.
    pub(crate) fn outdated(&self, tags: &Tags) -> Outdated {
        tags.iter()
            .map(|tag| self.of(Target::Tag(tag)))
            .fold(self.region, latest)
    }

    /// Which mark is the latest of those that outdate values with these tags, and its time; `None`: there is none.
    pub(crate) fn latest_of<'a>(
        &self,
        tags: &'a Tags,
        how: Invalidation,
    ) -> Option<(Target<'a>, u64)> {
        let own = |tag| match self.tags.get(tag) {
            Some(_) => Target::Tag(tag),
            None => Target::Tagged,
        };
        let targets = [Target::Region].into_iter().chain(tags.iter().map(own));
        let marks = targets.map(|target| (target, self.at(target, how)));
        marks.filter(|(_, at)| *at > 0).max_by_key(|(_, at)| *at)
    }

    pub(crate) fn region(&self) -> Outdated {
        self.region
    }

    /// How many tags are told apart at present.
    pub(crate) fn tags(&self) -> usize {
        self.tags.len()
    }

    pub(super) fn raise(&mut self, target: Target<'_>, how: Invalidation, at: u64) {
        let mark = match how {
            Invalidation::Hard => Outdated { hard: at, soft: 0 },
            Invalidation::Soft => Outdated { hard: 0, soft: at },
        };
        self.merge(target, mark);
    }

    fn merge(&mut self, target: Target<'_>, mark: Outdated) {
        match target {
            Target::Region => self.region = latest(self.region, mark),
            Target::Tagged => self.tagged = latest(self.tagged, mark),
            Target::Tag(tag) => {
                let tags = Arc::make_mut(&mut self.tags);
                match tags.get_mut(tag) {
                    Some(own) => *own = latest(*own, mark),
                    None => {
                        tags.insert(tag.into(), mark);
                    }
                }
            }
        }
    }

    /// Forgets what says nothing beside the mark on all tagged values, and then the oldest tags, until the rest are
    /// few enough.
    pub(super) fn bound(&mut self) {
        let tagged = self.tagged;
        let says_more = |own: &Outdated| own.hard > tagged.hard || own.soft > tagged.soft;
        if !self.tags.values().all(says_more) {
            Arc::make_mut(&mut self.tags).retain(|_, own| says_more(own));
        }
        let Some(excess @ 1..) = self.tags.len().checked_sub(MOST_TAGS) else {
            return;
        };
        // In one order on all machines, so that they forget the same.
        let mut oldest: Vec<_> = self.tags.iter().collect();
        oldest.sort_unstable_by_key(|(tag, own)| (own.hard.max(own.soft), *tag));
        let forgotten: Vec<_> = oldest[..excess]
            .iter()
            .map(|(tag, own)| ((*tag).clone(), **own))
            .collect();
        for (tag, own) in forgotten {
            Arc::make_mut(&mut self.tags).remove(&tag);
            self.tagged = latest(self.tagged, own);
        }
        self.bound();
    }

    /// Every mark, as a target with its times.
    pub(super) fn each(&self) -> impl Iterator<Item = (Target<'_>, Outdated)> {
        let tags = self.tags.iter();
        [(Target::Region, self.region), (Target::Tagged, self.tagged)]
            .into_iter()
            .chain(tags.map(|(tag, own)| (Target::Tag(tag), *own)))
    }

    /// Whether `other` holds nothing that is later than here.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.each().all(|(target, mark)| {
            let own = self.of(target);
            own.hard >= mark.hard && own.soft >= mark.soft
        })
    }

    pub(super) fn from_parts(
        region: Outdated,
        tagged: Outdated,
        tags: HashMap<Box<str>, Outdated>,
    ) -> Self {
        let mut marks = Self {
            region,
            tagged,
            tags: Arc::new(tags),
        };
        marks.bound();
        marks
    }
}

fn latest(one: Outdated, other: Outdated) -> Outdated {
    Outdated {
        hard: one.hard.max(other.hard),
        soft: one.soft.max(other.soft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: usize) -> String {
        format!("tag {number}")
    }

    fn outdated(marks: &Marks, tags: &[&str]) -> Outdated {
        marks.outdated(&Tags::new(tags.iter().copied()))
    }

    #[test]
    fn a_value_is_outdated_by_each_of_its_tags_and_by_its_region() {
        let mut marks = Marks::default();
        marks.raise(Target::Tag("a"), Invalidation::Hard, 5);
        marks.raise(Target::Tag("b"), Invalidation::Soft, 7);
        marks.raise(Target::Region, Invalidation::Soft, 3);
        assert_eq!(outdated(&marks, &[]), Outdated { hard: 0, soft: 3 });
        assert_eq!(outdated(&marks, &["a"]), Outdated { hard: 5, soft: 3 });
        assert_eq!(outdated(&marks, &["a", "b"]), Outdated { hard: 5, soft: 7 });
        assert_eq!(outdated(&marks, &["c"]), Outdated { hard: 0, soft: 3 });
        marks.raise(Target::Tag("a"), Invalidation::Soft, 9);
        assert_eq!(outdated(&marks, &["a"]), Outdated { hard: 5, soft: 9 });
        marks.raise(Target::Tag("a"), Invalidation::Hard, 4);
        assert_eq!(outdated(&marks, &["a"]), Outdated { hard: 5, soft: 9 });
    }

    #[test]
    fn the_oldest_tags_become_a_mark_on_all_tagged_values() {
        let mut marks = Marks::default();
        for number in 0..MOST_TAGS + 2 {
            marks.raise(
                Target::Tag(&tag(number)),
                Invalidation::Hard,
                10 + number as u64,
            );
            marks.bound();
        }
        assert_eq!(marks.tags(), MOST_TAGS);
        assert_eq!(outdated(&marks, &["never seen"]).hard, 11);
        assert_eq!(outdated(&marks, &[&tag(0)]).hard, 11);
        assert_eq!(outdated(&marks, &[&tag(2)]).hard, 12);
        assert_eq!(outdated(&marks, &[]).hard, 0);
    }

    #[test]
    fn a_tag_that_says_nothing_beside_the_mark_on_all_tagged_values_is_forgotten() {
        let mut marks = Marks::default();
        for (tag, how, at) in [
            ("earlier", Invalidation::Hard, 5),
            ("later", Invalidation::Hard, 7),
            ("softly", Invalidation::Soft, 5),
        ] {
            marks.raise(Target::Tag(tag), how, at);
        }
        marks.raise(Target::Tagged, Invalidation::Hard, 6);
        marks.bound();
        assert_eq!(marks.tags(), 2);
        assert_eq!(
            outdated(&marks, &["earlier"]),
            Outdated { hard: 6, soft: 0 }
        );
        assert_eq!(outdated(&marks, &["softly"]), Outdated { hard: 6, soft: 5 });
    }

    #[test]
    fn the_oldest_tags_are_those_whose_last_mark_of_either_kind_is() {
        let mut marks = Marks::default();
        for number in 0..MOST_TAGS {
            let at = 10 + number as u64;
            marks.raise(Target::Tag(&tag(number)), Invalidation::Hard, at);
        }
        marks.raise(Target::Tag("soft"), Invalidation::Soft, 1_000_000);
        marks.bound();
        assert_eq!(
            outdated(&marks, &["never seen"]),
            Outdated { hard: 10, soft: 0 }
        );
        assert_eq!(outdated(&marks, &["soft"]).soft, 1_000_000);
    }

    #[test]
    fn of_tags_of_one_age_the_first_by_name_are_forgotten_on_all_machines() {
        let mut marks = Marks::default();
        for number in 0..MOST_TAGS - 64 {
            marks.raise(Target::Tag(&tag(number)), Invalidation::Hard, 30);
        }
        for number in 0..36 {
            let (first, second) = (format!("a {number}"), format!("b {number}"));
            marks.raise(Target::Tag(&first), Invalidation::Hard, 20);
            marks.raise(Target::Tag(&second), Invalidation::Soft, 20);
        }
        marks.bound();
        let never_seen = outdated(&marks, &["never seen"]);
        assert_eq!(never_seen, Outdated { hard: 20, soft: 0 });
    }

    #[test]
    fn what_forgot_the_oldest_tags_still_covers_them() {
        let mut all = Marks::default();
        for number in 0..MOST_TAGS + 2 {
            all.raise(
                Target::Tag(&tag(number)),
                Invalidation::Soft,
                10 + number as u64,
            );
        }
        let mut bounded = all.clone();
        bounded.bound();
        assert!(bounded.covers(&all));
        assert!(!all.covers(&bounded), "it marks what was never marked");
        assert!(bounded.covers(&Marks::default()) && !Marks::default().covers(&bounded));
    }
}
