use std::collections::{BTreeMap, BTreeSet};

use super::components::Components;
use super::expression::Looked;
use super::scopes::{Taken, taken};
use crate::views::tags::{Tag, tags};

/// A variable that comes from around a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The variable, and the members that are written behind it.
    pub(super) path: Vec<String>,
    /// The template in which it stands, and the byte there.
    pub(super) template: String,
    pub(super) at: usize,
}

/// The templates that a page is made of.
pub(super) struct Templates<'a> {
    tags: BTreeMap<&'a str, Vec<Tag<'a>>>,
    components: Components<'a>,
}

impl<'a> Templates<'a> {
    /// By their names.
    pub(super) fn new(texts: &BTreeMap<&'a str, &'a str>) -> Self {
        let tags: BTreeMap<_, _> = texts
            .iter()
            .map(|(name, text)| (*name, tags(text)))
            .collect();
        let all = tags.iter().map(|(name, tags)| (*name, tags.as_slice()));
        Self {
            components: Components::new(all),
            tags,
        }
    }

    pub(super) fn tags(&self, template: &str) -> &[Tag<'a>] {
        self.tags.get(template).map_or(&[], Vec::as_slice)
    }

    /// What some tags of a template take from around them, with all that they include: each variable once for each way
    /// in which it is written.
    pub(super) fn uses(&self, template: &'a str, tags: &[Tag<'a>]) -> Vec<Use> {
        let mut uses = Uses {
            templates: self,
            open: vec![template.to_owned()],
            found: Vec::new(),
        };
        uses.follow(&taken(tags), &BTreeSet::new());
        uses.found
    }
}

struct Uses<'t, 'a> {
    templates: &'t Templates<'a>,
    /// The template that is followed, and before it those that include it.
    open: Vec<String>,
    found: Vec<Use>,
}

impl Uses<'_, '_> {
    fn follow(&mut self, taken: &Taken, known: &BTreeSet<String>) {
        let here = self.open.last().cloned().unwrap_or_default();
        for looked in &taken.looked {
            self.add(&here, looked, known);
        }
        for (called, set) in &taken.called {
            let known = known | set;
            for (template, looked) in self.templates.components.implicit(called) {
                self.add(template, looked, &known);
            }
        }
        for (name, set) in &taken.included {
            // A page that can be rendered has no circle.
            if self.open.contains(name) {
                continue;
            }
            let taken = self::taken(self.templates.tags(name));
            self.open.push(name.clone());
            self.follow(&taken, &(known | set));
            self.open.pop();
        }
    }

    fn add(&mut self, template: &str, looked: &Looked, known: &BTreeSet<String>) {
        let Looked { path, at } = looked;
        if known.contains(&path[0]) || self.found.iter().any(|found| found.path == *path) {
            return;
        }
        self.found.push(Use {
            path: path.clone(),
            template: template.to_owned(),
            at: *at,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tera::{Kwargs, State, Tera};

    use super::*;
    use crate::views::fragments::key_tokens;

    /// The variables of a template, as we find them.
    fn ours(source: &str) -> BTreeSet<String> {
        let texts = BTreeMap::from([("a", source)]);
        let templates = Templates::new(&texts);
        let uses = templates.uses("a", templates.tags("a"));
        uses.into_iter().map(|used| used.path[0].clone()).collect()
    }

    /// The same, as the engine finds them.
    fn engines(source: &str, with: &[(String, String)]) -> BTreeSet<String> {
        let mut tera = Tera::new();
        for filter in ["urlencode", "thousands"] {
            tera.register_filter(filter, |_: &str, _: Kwargs, _: &State| "");
        }
        for function in ["great_circle_km", "f"] {
            tera.register_function(function, |_: Kwargs, _: &State| "");
        }
        let mut all = with.to_vec();
        all.push(("a".to_owned(), source.to_owned()));
        tera.add_raw_templates(
            all.iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        )
        .unwrap_or_else(|error| panic!("{source}: {error}"));
        let names = tera.get_template_variables("a").unwrap();
        names.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn we_find_the_variables_that_the_engine_finds() {
        let components = "{% component Card(a, b=1) %}{{ a }}{{ b }}{{ body }}{% endcomponent %}{% component ui.Box(a) %}{% endcomponent %}";
        let components = [("c".to_owned(), components.to_owned())];
        for source in [
            "{{ a }}{{ b.c.d }}{{ e[f] }}{{ g[\"h\"] }}{{ i?.j }}{{ k?[l] }}{{ m[1:n] }}",
            "{{ a | default(value=b) | upper }}{{ f(x=c, y=[d, e]) }}{{ range(end=g) }}",
            "{{ a == b and c != d or not e }}{{ h < i }}{{ j > k }}{{ l <= m }}{{ n >= o }}{{ p in q }}",
            "{{ a is defined }}{{ b is not defined }}{{ c is containing(pat=d) }}{{ not e }}",
            "{{ a if b else c }}{{ [d if e else f] }}{{ true and false or none }}",
            "{{ a < b }}{{ 1 < c }}{{ \"x\" < d }}{{ e[0] < g }}{{ (h) < i }}{{ j.k < l }}",
            "{{ 1.5 + a }}{{ -b }}{{ 2 ** c // d % e ~ g }}",
            "{{ {\"a\": b, ...c} }}{{ [...d, e] | first }}{{ [1, g][0] }}",
            "{{ [a for a in b if a.c == d] }}{{ [e for g, e in h] }}{{ [i.x for i in i] }}{{ [[j for j in k] for k in l] }}",
            "{% for a in b %}{{ a }}{{ c }}{{ loop.index }}{% else %}{{ d }}{% endfor %}{{ a }}",
            "{% for k, v in m %}{{ k }}{{ v }}{% for k in n %}{{ k }}{% endfor %}{% endfor %}",
            "{% for a in b %}{% if a %}{{ c }}{% else %}{{ a }}{% endif %}{% endfor %}",
            "{% set a = b %}{{ a }}{{ c }}{% set c = 1 %}{{ c }}",
            "{% for x in y %}{% set z = x %}{{ z }}{% endfor %}{{ z }}",
            "{% for x in y %}{% set_global z = x %}{% endfor %}{{ z }}",
            "{% set a %}{{ a }}{{ b }}{% endset %}{{ a }}{% set d | truncate(length=n) %}{{ e }}{% endset %}{{ d }}",
            "{% if a %}{{ b }}{% elif c %}{{ d }}{% else %}{{ e }}{% endif %}",
            "{% filter upper %}{{ a }}{% endfilter %}{% filter truncate(length=b) %}{{ c }}{% endfilter %}",
            "{{ <Card a={b} c=\"d\"/> }}{{ <Card a/> }}{{ <ui.Box a={e.g}/> }}",
            "{% <Card a={b > c} {...d}> %}{{ e }}{% set g = 1 %}{{ g }}{% </Card> %}{{ g }}",
            "{{ <Card a={[x for x in y if x < 3]}/> }}{{ z }}",
            "{% block b %}{{ a }}{% endblock b %}{# {{ c }} #}{% raw %}{{ d }}{% endraw %}",
        ] {
            assert_eq!(ours(source), engines(source, &components), "{source}");
        }
    }

    #[test]
    fn we_find_in_the_shipped_site_what_the_engine_finds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/templates");
        let ui = fs::read_to_string(folder.join("_ui.html")).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let lone = without_others(&text);
            let with = [("_ui".to_owned(), ui.clone())];
            let with = if text == ui { &[][..] } else { &with };
            assert_eq!(
                ours(&text_without_others(&text)),
                engines(&lone, with),
                "{text}"
            );
        }
    }

    /// Without parents and includes, and with conditions on the keys in the place of cache tags.
    fn without_others(text: &str) -> String {
        let mut lone = String::new();
        let mut copied = 0;
        for tag in tags(text) {
            let written = match tag.keyword() {
                Some("extends" | "include") => String::new(),
                Some("cache") => match key_tokens(&tag) {
                    Some(key) => format!("{{% if {} %}}", tag.text(key.start, key.end).0),
                    None => "{% if true %}".to_owned(),
                },
                Some("endcache") => "{% endif %}".to_owned(),
                _ => continue,
            };
            lone.push_str(&text[copied..tag.start]);
            lone.push_str(&written);
            copied = tag.end;
        }
        lone.push_str(&text[copied..]);
        lone
    }

    fn text_without_others(text: &str) -> String {
        let includes = tags(text);
        let mut lone = text.to_owned();
        for tag in includes.iter().rev() {
            if matches!(tag.keyword(), Some("extends" | "include")) {
                lone.replace_range(tag.start..tag.end, "");
            }
        }
        lone
    }

    #[test]
    fn a_template_cut_off_anywhere_is_followed_without_a_panic() {
        let source = "{% for a, b in c %}{% cache \"x\", key=[a, ü.b] %}{{ [x for x in y if <C.D a={b}/>] | f(a=b)?.[1] }}\
                      {% set x | y %}{% component A(@b, c) %}{% endcomponent %}{% endcache %}{% endfor %}";
        for end in (0..=source.len()).filter(|&end| source.is_char_boundary(end)) {
            ours(&source[..end]);
            ours(&format!("{}%}}{{% x", &source[..end]));
            ours(&format!("{}}}}}", &source[..end]));
        }
    }
}
