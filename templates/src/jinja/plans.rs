use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use minijinja::Environment;

use super::plan::{Of, Plan};

/// The plans of templates by their names, each made once for a state of its sources.
#[derive(Debug)]
pub(super) struct Plans {
    of: Of,
    known: RwLock<BTreeMap<String, Arc<Plan>>>,
}

/// A plan, and what was in its place if it is new.
pub(super) struct Found {
    pub(super) plan: Arc<Plan>,
    pub(super) is_new: bool,
    pub(super) before: Option<Arc<Plan>>,
}

impl Plans {
    pub(super) fn new(of: Of) -> Self {
        Self {
            of,
            known: RwLock::default(),
        }
    }

    /// The plan of a template. Each time the sources of all that it refers to are compared: an environment does not tell
    /// when its templates change.
    pub(super) fn of<'e>(
        &self,
        env: &Environment<'_>,
        template: &minijinja::Template<'e, 'e>,
    ) -> Found {
        let before = self.known(template.name());
        if let Some(plan) = before.as_ref().filter(|plan| plan.is_of(template, env)) {
            return Found {
                plan: Arc::clone(plan),
                is_new: false,
                before: None,
            };
        }
        let plan = Arc::new(Plan::new(env, template, self.of));
        let known = self.known.write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        known.insert(template.name().to_owned(), Arc::clone(&plan));
        Found {
            plan,
            is_new: true,
            before,
        }
    }

    /// Forgets a template that is not there any more.
    pub(super) fn forget(&self, name: &str) -> Option<Arc<Plan>> {
        self.known(name)?;
        let known = self.known.write();
        known.unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    fn known(&self, name: &str) -> Option<Arc<Plan>> {
        let known = self.known.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.get(name).map(Arc::clone)
    }
}
