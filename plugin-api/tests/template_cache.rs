//! Template caches over the boundary: what they are asked, what they answer, and what becomes of their failures.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::time::Duration;

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{
    self as api, Decision, Deserialize, Error, ErrorKind, Expiration, HostContext, JsonSchema,
    KeyParts, Plugin, Result, TemplateCache, TemplateCacheInstance, TemplateChange, TemplateEntry,
    TemplateEvent, TemplateOutcome, TemplatePart, TemplateRequest, Text, export_plugin,
};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "api::serde")]
#[schemars(crate = "api::schemars")]
struct Arguments {
    #[serde(default)]
    panics_in: String,
}

/// Repeats what it was asked, so that the test sees all of it.
struct Echo(Arguments);

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Echo {
    fn check(&self, method: &str) {
        assert_ne!(self.0.panics_in, method, "as told");
    }
}

impl TemplateCache for Echo {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        let echo = Self(arguments);
        echo.check("open");
        Ok(echo)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        self.check("key_for");
        if request.template() == "refused.html" {
            return Err(Error::unavailable("not this one"));
        }
        let mut entry = TemplateEntry::asked(request, "default");
        entry.key = format!(
            "{} {} {:?} {:?} {} {} {:?} {}",
            request.engine(),
            request.template(),
            request.part(),
            request.name(),
            request.digest(),
            request.escaping(),
            request.key_parts(),
            request.key()
        )
        .into();
        Ok(entry)
    }

    fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        self.check("decide");
        Ok(match request.part() {
            TemplatePart::Page => Decision::Bypass,
            TemplatePart::Block => Decision::Refresh(self.key_for(request)?),
            _ => Decision::Cache(self.key_for(request)?),
        })
    }

    fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        self.check("template_changed");
        SEEN.lock().unwrap().push(format!("{change:?}"));
        Ok(())
    }

    fn observes(&self) -> bool {
        self.check("observes");
        true
    }

    fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        self.check("observe");
        SEEN.lock().unwrap().push(format!("{request} {event:?}"));
        Ok(())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.check("drop");
    }
}

/// All that a template cache need say.
struct Least;

impl TemplateCache for Least {
    type Arguments = api::NoArguments;

    fn open(_: api::NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        Ok(TemplateEntry::asked(request, "pages"))
    }
}

export_plugin! { template_caches: { "echo" => Echo, "least" => Least } }

fn open(name: &str, arguments: &str) -> Result<TemplateCacheInstance> {
    plugin().open_template_cache(name, arguments, host().raw())
}

fn request(part: TemplatePart, name: &str) -> TemplateRequest<'_> {
    TemplateRequest::new("tera", "a.html", (part, name), "the key")
}

#[test]
fn all_of_a_request_and_of_a_decision_goes_through() {
    let echo = open("echo", "{}").unwrap();
    let (mut parts, tags) = (KeyParts::default(), ["x", "y"].map(Text::from));
    for part in ["1", "\"a\""] {
        parts.push(part);
    }
    let minute = Expiration::After(Duration::from_mins(1));
    let full = request(TemplatePart::Fragment, "row")
        .made_of("d1g", "html")
        .varies_by(&parts)
        .asks(Some("r"), Some(minute), &tags);
    let mut expected = TemplateEntry::new(
        "r",
        "tera a.html Fragment \"row\" d1g html [\"1\", \"\\\"a\\\"\"] the key",
    );
    expected.expiration_time = Some(minute);
    expected.tags = vec!["x".into(), "y".into()];
    assert_eq!(echo.key_for(&full).unwrap(), expected);
    assert_eq!(echo.decide(&full).unwrap(), Decision::Cache(expected));
    assert_eq!(full.to_string(), "fragment \"row\" of a.html");

    let block = request(TemplatePart::Block, "main").asks(None, Some(Expiration::Never), &[]);
    let Decision::Refresh(entry) = echo.decide(&block).unwrap() else {
        panic!("a block is refreshed");
    };
    assert_eq!(
        (&*entry.region, entry.expiration_time),
        ("default", Some(Expiration::Never))
    );
    let page = request(TemplatePart::Page, "");
    assert_eq!(echo.decide(&page).unwrap(), Decision::Bypass);
}

#[test]
fn events_and_changes_go_through_to_who_wants_them() {
    let echo = open("echo", "{}").unwrap();
    assert!(echo.observes());
    let page = request(TemplatePart::Page, "");
    let outcomes = [
        TemplateOutcome::Fresh,
        TemplateOutcome::Stale,
        TemplateOutcome::Created,
        TemplateOutcome::Waited,
        TemplateOutcome::Bypassed,
        TemplateOutcome::Failed,
    ];
    SEEN.lock().unwrap().clear();
    for outcome in outcomes {
        let event = TemplateEvent::new(outcome, "r", "k", Duration::from_nanos(7));
        echo.observe(&page, &event).unwrap();
        let seen = SEEN.lock().unwrap().pop().unwrap();
        assert_eq!(
            seen,
            format!(
                "page a.html TemplateEvent {{ outcome: {outcome:?}, region: \"r\", key: \"k\", elapsed: 7ns, .. }}"
            )
        );
    }
    let change = TemplateChange::new("tera", "a.html", ("old", "new"));
    echo.template_changed(&change).unwrap();
    let seen = SEEN.lock().unwrap().pop().unwrap();
    assert!(seen.contains("before: \"old\", after: \"new\""), "{seen}");
}

#[test]
fn who_says_no_more_than_he_must_caches_what_asks_for_it() {
    let least = open("least", "{}").unwrap();
    assert!(!least.observes());
    let expected = Decision::Cache(TemplateEntry::new("pages", "the key"));
    let page = request(TemplatePart::Page, "");
    assert_eq!(least.decide(&page).unwrap(), expected);
    least
        .template_changed(&TemplateChange::new("tera", "a.html", ("a", "")))
        .unwrap();
}

#[test]
fn failures_and_panics_are_errors_that_name_the_method() {
    let refused = TemplateRequest::new("tera", "refused.html", (TemplatePart::Fragment, "x"), "k");
    let echo = open("echo", "{}").unwrap();
    let error = echo.decide(&refused).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unavailable, "not this one")
    );

    let page = request(TemplatePart::Page, "");
    let event = TemplateEvent::new(TemplateOutcome::Fresh, "", "", Duration::ZERO);
    let change = TemplateChange::new("tera", "a.html", ("a", "b"));
    for method in ["open", "observes"] {
        let error = open("echo", &format!(r#"{{"panics_in":"{method}"}}"#)).err();
        let error = error.expect("it does not open");
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert!(error.message().contains(method), "{error}");
    }
    for method in ["decide", "key_for", "template_changed", "observe", "drop"] {
        let echo = open("echo", &format!(r#"{{"panics_in":"{method}"}}"#)).unwrap();
        let outcome = match method {
            "decide" => echo.decide(&page).map(drop),
            "key_for" => echo.key_for(&page).map(drop),
            "template_changed" => echo.template_changed(&change),
            "observe" => echo.observe(&page, &event),
            // What its drop says is logged; that the process lives is the answer.
            _ => continue,
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panic);
        let expected = format!("panicked in {method}: ");
        assert!(error.message().starts_with(&expected), "{error}");
    }
}

#[test]
fn names_and_arguments_are_checked_as_those_of_other_kinds() {
    let error = open("other", "{}").err().unwrap();
    assert!(error.message().contains("no template cache `other`"));
    let error = open("echo", r#"{"x": 1}"#).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Arguments);
    let own = Plugin::of_template_cache::<Least>("own");
    let info = own.describe().unwrap();
    assert_eq!(info.template_caches[0].name, "own");
    own.open_template_cache("own", "{}", host().raw()).unwrap();
    let names = plugin().describe().unwrap().template_caches;
    let names: Vec<_> = names.iter().map(|cache| cache.name.as_str()).collect();
    assert_eq!(names, ["echo", "least"]);
}
